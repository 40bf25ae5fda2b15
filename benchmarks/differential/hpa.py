"""The autoscaler against upstream's, at length: calls of its calculator, and hours of its controller.

Cases are made from a seed and an index, answered by both sides in batches, compared, counted and forgotten;
one that differs is kept in ``tests/differential/hpa/cases/``, where the tests run it for ever. What was
seen on the way is counted too, because a comparison that never met a situation says nothing about it.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import os
import platform
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tonnage
from tests.differential.hpa import calculations, cases, oracle, scenarios
from tests.upstream import build

RESULT = Path(__file__).parent / "results" / "hpa.json"
CALCULATIONS_PER_BATCH = 10_000
SCENARIOS_PER_BATCH = 25
SAVED_EVERY_S = 30.0


@dataclass
class Tally:
    """What came of some cases.

    Attributes:
        cases: Cases compared.
        passes: Reconciliations in them; 0 for calculations.
        differences: Cases that differ, at most a few kept.
        seen: How often each situation was met.
        cpu_s: Time that our side took, making the cases included.
        upstream_s: Time that the Go side took.
    """

    cases: int = 0
    passes: int = 0
    differences: list[str] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)
    cpu_s: float = 0.0
    upstream_s: float = 0.0

    def add(self, other: Tally) -> None:
        self.cases += other.cases
        self.passes += other.passes
        self.differences.extend(other.differences)
        self.seen.update(other.seen)
        self.cpu_s += other.cpu_s
        self.upstream_s += other.upstream_s

    def document(self) -> dict[str, Any]:
        document = {
            "cases": self.cases,
            "differences": len(self.differences),
            "different": self.differences[:20],
            "our_side_s": round(self.cpu_s, 1),
            "upstream_side_s": round(self.upstream_s, 1),
            "seen": dict(sorted(self.seen.items())),
        }
        return {**document, "reconciliations": self.passes} if self.passes else document


def compare_calculations(program: Path, seed: int, start: int, stop: int) -> Tally:
    """Compares calls of the calculator."""
    tally = Tally(cases=stop - start)
    began = time.monotonic()
    questions = [calculations.calculation(seed, index) for index in range(start, stop)]
    asked = time.monotonic()
    answers = oracle.ask(program, "calculator", questions)
    tally.upstream_s = time.monotonic() - asked
    for index, (question, answer) in enumerate(zip(questions, answers, strict=True), start):
        tally.seen[f"{question['method']}: {_kind(question, answer)}"] += 1
        found = calculations.difference(question, answer)
        if found is not None:
            cases.keep("calculator", f"{seed}-{index}", question, found)
            tally.differences.append(f"calculation {seed}/{index}: {found}")
    tally.cpu_s = time.monotonic() - began - tally.upstream_s
    return tally


def _kind(question: dict[str, Any], answer: dict[str, Any]) -> str:
    if answer["error"]:
        return "error"
    change = answer["replicas"] - question["spec_replicas"]
    return "stays" if change == 0 else "up" if change > 0 else "down"


def compare_scenarios(program: Path, seed: int, start: int, stop: int) -> Tally:
    """Compares hours of the controller."""
    tally = Tally(cases=stop - start)
    began = time.monotonic()
    lives = [scenarios.live(seed, index) for index in range(start, stop)]
    asked = time.monotonic()
    answers = oracle.ask(program, "controller", [life.scenario for life in lives])
    tally.upstream_s = time.monotonic() - asked
    for index, (life, answer) in enumerate(zip(lives, answers, strict=True), start):
        tally.passes += len(life.passes)
        _look(life, tally.seen)
        found = scenarios.difference(life, answer)
        if found is not None:
            cases.keep("controller", f"{seed}-{index}", life.scenario, found)
            tally.differences.append(f"scenario {seed}/{index}: {found[:2000]}")
    tally.cpu_s = time.monotonic() - began - tally.upstream_s
    return tally


def _look(life: scenarios.Life, seen: Counter[str]) -> None:
    for _, done in life.passes:
        seen.update(f"rule {rule}" for rule in {step.rule for step in done.trace})
        seen.update(f"{kept.type} {kept.is_true}: {kept.reason}" for kept in done.conditions)
        if done.rescale:
            before = done.state.status.current_replicas
            seen["scale up" if done.desired_replicas > before else "scale down"] += 1
            if not done.desired_replicas or not before:
                seen["scale to zero" if before else "scale from zero"] += 1
    for step in life.scenario["steps"]:
        seen.update(f"step {name}" for name in step if not name.endswith(("_pods", "_ns")))


def _batches(count: int, size: int) -> Iterator[tuple[int, int]]:
    return ((start, min(start + size, count)) for start in range(0, count, size))


def _code_digest() -> str:
    """Returns a digest of the room's code; comments and docstrings do not count."""
    digest = hashlib.sha256()
    for source in sorted((Path(tonnage.__file__).parent / "hpa").glob("*.py")):
        tree = ast.parse(source.read_text())
        for node in ast.walk(tree):
            body = getattr(node, "body", None)
            if isinstance(body, list):
                node.body = [  # type: ignore[attr-defined]
                    part
                    for part in body
                    if not (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))
                ]
        digest.update(f"{source.name}\0{ast.dump(tree)}".encode())
    return digest.hexdigest()[:16]


class Record:
    """The result file: one part for each kind of case, written while the comparison runs.

    A part says by which command, seed and versions it came about, and a run replaces only the parts that it
    runs; what is left is from an earlier run of the same code, or is dropped.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self._path: Path = options.result
        self._options = options
        self._began = self._saved = time.monotonic()
        self._versions = {
            **build.versions(build.compiler()),
            "python": platform.python_version(),
            "tonnage": tonnage.__version__,
            "code": _code_digest(),
        }

    def _earlier(self) -> dict[str, Any]:
        """Reads the parts that were made with the same versions; another run may be adding to them."""
        if not self._path.exists():
            return {}
        stored = json.loads(self._path.read_text())
        return {name: part for name, part in stored.items() if part.get("versions") == self._versions}

    def save(self, name: str, tally: Tally, *, complete: bool) -> None:
        now = time.monotonic()
        if not complete and now - self._saved < SAVED_EVERY_S:
            return
        self._saved = now
        options = self._options
        document = self._earlier()
        document[name] = {
            "command": f"python -m benchmarks.differential hpa --seed {options.seed} "
            f"--calculations {options.calculations} --scenarios {options.scenarios} --jobs {options.jobs}",
            "complete": complete,
            "seed": options.seed,
            "versions": self._versions,
            "machine": f"{platform.machine()}, {os.cpu_count()} cores",
            "elapsed_s": round(now - self._began, 1),
            **tally.document(),
        }
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(json.dumps(document, indent=2) + "\n")


def _run(
    pool: ProcessPoolExecutor, name: str, count: int, size: int, options: argparse.Namespace, record: Record
) -> Tally:
    """Compares all batches of one kind, a few at a time."""
    program = build.program("hpa")
    compare = compare_calculations if name == "calculations" else compare_scenarios
    whole = Tally()
    running: set[Future[Tally]] = set()
    began = time.monotonic()
    for start, stop in _batches(count, size):
        if len(running) >= options.jobs + 1:
            running = _collect(running, whole)
            record.save(name, whole, complete=False)
            rate = whole.cases / (time.monotonic() - began)
            print(
                f"{name}: {whole.cases:,} of {count:,}, {len(whole.differences)} differences, {rate:,.0f}/s",
                flush=True,
            )
        running.add(pool.submit(compare, program, options.seed, start, stop))
    while running:
        running = _collect(running, whole)
    record.save(name, whole, complete=True)
    print(f"{name}: {whole.cases:,} compared, {len(whole.differences)} differences", flush=True)
    return whole


def _collect(running: set[Future[Tally]], whole: Tally) -> set[Future[Tally]]:
    done, rest = wait(running, return_when=FIRST_COMPLETED)
    for future in done:
        whole.add(future.result())
    return rest


def main(arguments: list[str]) -> int:
    """Compares, keeps the result, and says whether all was equal."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.differential hpa", description=__doc__)
    parser.add_argument("--calculations", type=int, default=1_000_000, help="0 leaves that part as it is")
    parser.add_argument("--scenarios", type=int, default=10_000, help="0 leaves that part as it is")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1, help="processes of ours, each with one of Go's")
    parser.add_argument("--result", type=Path, default=RESULT)
    options = parser.parse_args(arguments)
    record = Record(options)
    parts = (
        ("calculations", options.calculations, CALCULATIONS_PER_BATCH),
        ("scenarios", options.scenarios, SCENARIOS_PER_BATCH),
    )
    with ProcessPoolExecutor(options.jobs) as pool:
        tallies = [_run(pool, name, count, size, options, record) for name, count, size in parts if count]
    for tally in tallies:
        for text in tally.differences[:20]:
            print(text)
    return 1 if any(tally.differences for tally in tallies) else 0
