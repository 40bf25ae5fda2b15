"""Which auditor finds which fault of a model service.

    python -m benchmarks.audit --kube-score PROGRAM --checkov PROGRAM

Each fault is one change of a service in which our rules find nothing. An auditor has found it when it
complains of something in the changed objects that it did not complain of before; nobody judges by hand.
Tonnage is asked twice: with the objects alone, as the others are, and with a profile and nodes. The result is
stored in ``benchmarks/audit/results/``.
"""

from __future__ import annotations

import argparse
import functools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import tonnage
from benchmarks.audit.faults import FAULTS, Fault
from benchmarks.audit.tools import Auditor, checkov, kube_score, ours

ROOT = Path(__file__).parents[2]
BASE = ROOT / "tests" / "unit" / "audit" / "well_made.yaml"
PROFILE = ROOT / "tests" / "golden" / "load-metric" / "profile.json"
RESULT = Path(__file__).parent / "results" / "faults.json"
NODE = {
    "metadata": {"name": "n1", "labels": {"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB"}},
    "spec": {"taints": [{"key": "nvidia.com/gpu", "effect": "NoSchedule"}]},
    "status": {"allocatable": {"cpu": "128", "memory": "1Ti", "pods": "110", "nvidia.com/gpu": "12"}},
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kube-score", type=Path, help="the program")
    parser.add_argument("--checkov", type=Path, help="the program")
    parser.add_argument("--out", type=Path, default=RESULT, help="where the result is kept")
    options = parser.parse_args()
    auditors: dict[str, Auditor] = {"tonnage": ours(), "tonnage, told": ours(facts())}
    versions = {"tonnage": tonnage.__version__, "python": sys.version.split()[0]}
    for name, program, make in (
        ("kube-score", options.kube_score, kube_score),
        ("checkov", options.checkov, checkov),
    ):
        if program is not None:
            auditors[name] = functools.cache(make(program))
            versions[name] = _version(name, program)
    rows = [_row(fault, auditors) for fault in FAULTS]
    counts = {name: sum(bool(row["found"][name]) for row in rows) for name in auditors}
    document = {"versions": versions, "faults": len(FAULTS), "found": counts, "rows": rows}
    options.out.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    print(table(document))
    return 0


def facts() -> dict[str, Any]:
    """What the second run of Tonnage is told: a profile with a request of 45 s, and a node of 12 GPUs."""
    written = json.loads(PROFILE.read_text(encoding="utf-8"))
    written["batches"][-1]["steadySeconds"]["samples"][-1] = 45.0
    return {"profile": json.dumps(written), "nodes": [NODE]}


def _row(fault: Fault, auditors: dict[str, Auditor]) -> dict[str, Any]:
    before = BASE.read_text(encoding="utf-8") + fault.beside
    after = before
    for old, new in fault.edits:
        if after.count(old) != 1:
            raise ValueError(f"{fault.name}: must be found once in the base: {old!r}")
        after = after.replace(old, new)
    found = {name: sorted({check for check, _ in run(after) - run(before)}) for name, run in auditors.items()}
    return {"fault": fault.name, "origin": fault.origin, "needs": fault.needs, "found": found}


def table(document: dict[str, Any]) -> str:
    """The result as Markdown."""
    names = list(document["found"])
    lines = [f"| fault | from | {' | '.join(names)} |", "| --- " * (len(names) + 2) + "|"]
    for row in document["rows"]:
        cells = [", ".join(row["found"][name]) or "-" for name in names]
        lines.append(f"| {row['fault']} | {row['origin']} | {' | '.join(cells)} |")
    counts = [f"{document['found'][name]} of {document['faults']}" for name in names]
    lines.append(f"| **found** | | {' | '.join(counts)} |")
    return "\n".join(lines)


def _version(name: str, program: Path) -> str:
    """What a program says of itself; one that Go installed is asked for its module."""
    command: list[str | Path] = [program, "--version"]
    if name == "kube-score":
        command = ["go", "version", "-m", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    lines = [line.split() for line in done.stdout.splitlines()]
    return next((words[2] for words in lines if words[:1] == ["mod"]), lines[0][0])


if __name__ == "__main__":
    sys.exit(main())
