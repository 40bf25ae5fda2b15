"""``tonnage profile``: measure a service on this machine, or take over what another tool measured."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from tonnage.cli.parsed import positive_rate
from tonnage.errors import EnvironmentFault, Problem, SpecError
from tonnage.local.source import Source, read_source
from tonnage.profile.document import dump_profile, write_profile, write_whole
from tonnage.profile.importing import profile_from_csv, profile_from_perf_analyzer
from tonnage.profile.load_parts import Capacity, Objective
from tonnage.profile.measure import Step, measure
from tonnage.profile.objective import parse_objective, shown_objective, with_capacity
from tonnage.profile.parts import ModelProfile
from tonnage.profile.plan import FULL, QUICK, MeasurePlan
from tonnage.profile.report import plotly_problem, render_profile
from tonnage.profile.view import print_profile
from tonnage.spec.service import ModelService
from tonnage.spec.usage import unused_fields

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it: 128 and the signal's number."""
IMPORT_BYTES_MAX = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ProfileOptions:
    """The command line as it was read; each field is the option of its name."""

    source: str | None
    quick: bool
    objective: str | None
    rate_max: str | None
    batch_sizes: str | None
    seed: int
    name: str | None
    output: str | None
    as_json: bool
    report: Path | None
    import_csv: Path | None
    import_perf_analyzer: Path | None

    @property
    def imported(self) -> Path | None:
        """The file to import."""
        return self.import_csv or self.import_perf_analyzer


@click.command("profile", short_help="Measure a service on this machine, for planning and simulation.")
@click.argument("source", metavar="[SPEC|MODEL]", required=False)
@click.option("--quick", is_flag=True, help="A rough profile in about a minute for a small model.")
@click.option("--objective", help="Latency that must hold, such as p99=100ms.  [default: the document's]")
@click.option("--rate-max", help="Highest rate to try, such as 10k.  [default: no limit]")
@click.option("--batch-sizes", help="Sizes to time, such as 1,8,32.  [default: powers of two to sizeMax]")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Decides all chance.")
@click.option("--name", help="Name of the profile.  [default: the document's; an import needs one]")
@click.option("--output", metavar="FILE", help="Where it goes; - for stdout.  [default: NAME.profile.json]")
@click.option("--json", "as_json", is_flag=True, help="Print it to stdout; without --output write no file.")
@click.option(
    "--report", type=click.Path(dir_okay=False, path_type=Path), help="Write an HTML page with plots."
)
@click.option(
    "--import-csv",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Make it of service times or of a curve in a CSV file; measures nothing.",
)
@click.option(
    "--import-perf-analyzer",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Make it of what perf_analyzer -f wrote; measures nothing.",
)
def profile(**values: Any) -> None:
    """Measure the service of SPEC, or a bare MODEL, on this machine and write its profile.

    The profile says how long the model takes to load and to run a batch of each size, what the server adds,
    how much memory it takes, and which rate it carries inside its objective. Exit code 1 says that the
    objective holds at no rate.
    """
    options = ProfileOptions(**values)
    plan = _checked(options)
    try:
        with _interruptible() as asked:
            made = _import(options) if plan is None else _measure(plan, asked)
        _write(options, made)
    except KeyboardInterrupt:
        click.echo("tonnage profile: interrupted; nothing was written", err=True)
        sys.exit(INTERRUPTED)
    console = Console(stderr=options.as_json or options.output == "-")
    print_profile(made, console=console)
    where = _destination(options, made.metadata.name)
    if where is not None:
        console.print(f"written to {where}", style="dim", highlight=False, markup=False)
    if made.capacity is not None and made.capacity.sustainable_per_s is None:
        sys.exit(_without_rate(made.capacity))


def _without_rate(capacity: Capacity) -> int:
    """Say why there is no sustainable rate: it is the service's answer, or the machine gave none."""
    text, code = f"objective: {shown_objective(capacity.objective)} must hold at some rate, got none", 1
    if capacity.generator_limited:
        text, code = "load generator: must keep to its times, got one that could not at any rate", 3
    click.echo(f"tonnage profile: {text}; {capacity.reason}", err=True)
    return code


def _checked(options: ProfileOptions) -> MeasurePlan | None:
    """Find everything that is wrong before anything is measured; None when nothing is to be measured.

    Raises:
        SpecError: What the user wrote is wrong.
        EnvironmentFault: A file cannot be written, or plotly is absent.
    """
    problems = [*_contradictions(options)]
    objective = _caught(problems, lambda: parse_objective(options.objective) if options.objective else None)
    sizes = _caught(problems, lambda: _sizes(options.batch_sizes))
    rate_max = _caught(problems, lambda: positive_rate("--rate-max", options.rate_max))
    read = None
    if options.source is not None and options.imported is None:
        text = sys.stdin.read() if options.source == "-" else None
        read = _caught(problems, lambda: read_source(str(options.source), host="127.0.0.1", stdin=text))
    plan = _plan(options, read, objective, sizes, problems) if read is not None else None
    if plan is not None:
        plan = replace(plan, rate_max_per_s=rate_max)
    name = options.name or (plan.name if plan is not None else "profile")
    faults = _faults(options, name)
    if problems:
        raise SpecError([*problems, *faults])
    if faults:
        raise EnvironmentFault("\n".join(map(str, faults)))
    if read is not None and read.service is not None and options.imported is None:
        unused = unused_fields(read.service, "profile")
        if unused:
            click.echo(f"not used by profile: {', '.join(unused)}", err=True)
    return plan


def _caught(problems: list[Problem], act: Callable[[], Any]) -> Any:
    try:
        return act()
    except SpecError as error:
        problems.extend(error.problems)
        return None


def _contradictions(options: ProfileOptions) -> Iterator[Problem]:
    if options.imported is None:
        if options.source is None:
            hint = "or a file to import, by --import-csv or --import-perf-analyzer"
            yield Problem("SPEC", "must be given, got none", hint=hint)
        return
    if options.import_csv is not None and options.import_perf_analyzer is not None:
        yield Problem("--import-perf-analyzer", "must not be given with --import-csv")
    if options.source is not None:
        yield Problem("SPEC", f"must not be given with an import, got {options.source!r}")
    if not (options.name or "").strip():
        yield Problem("--name", "must be given with an import, got none")
    for name, given in (
        ("--quick", options.quick),
        ("--rate-max", options.rate_max is not None),
        ("--batch-sizes", options.batch_sizes is not None),
    ):
        if given:
            yield Problem(name, "must not be given with an import, which measures nothing")


def _sizes(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and int(part) >= 1 for part in parts):
        message = f"must be whole numbers >= 1 with commas between, such as 1,8,32, got {text!r}"
        raise SpecError([Problem("--batch-sizes", message)])
    return tuple(sorted({int(part) for part in parts}))


def _plan(
    options: ProfileOptions,
    read: Source,
    objective: Objective | None,
    sizes: tuple[int, ...] | None,
    problems: list[Problem],
) -> MeasurePlan | None:
    config, service = read.config, read.service
    stated = _document_objectives(service) if service is not None else ()
    if objective is None and stated and options.objective is None:
        objective = stated[-1]
    elif objective is not None and (service is None or service.spec.batching.deadline is None):
        # the server refuses what cannot meet the objective, as it would with this one in the document
        config = msgspec.structs.replace(config, deadline_s_default=objective.latency_s)
    size_max = config.batching.size_max
    if sizes is not None and sizes[-1] > size_max:
        message = f"must be at most spec.batching.sizeMax ({size_max}), got {sizes[-1]}"
        problems.append(Problem("--batch-sizes", message))
    if objective is None:
        if options.objective is None:
            hint = "give --objective p99=100ms, or spec.objective.latency in the document"
            problems.append(Problem("objective", "must have a latency, got none", hint=hint))
        return None
    return MeasurePlan(
        name=options.name or (service.name if service is not None else config.model.name),
        config=config,
        objective=objective,
        others=tuple(one for one in stated if one.percentile != objective.percentile),
        depth=QUICK if options.quick else FULL,
        quick=options.quick,
        seed=options.seed,
        sizes=sizes,
    )


def _document_objectives(service: ModelService) -> tuple[Objective, ...]:
    """The document's latencies by ascending percentile."""
    latency = service.spec.objective.latency
    return tuple(
        Objective(percentile=percentile, latency_s=duration.seconds, origin="document")
        for percentile, duration in ((50, latency.p50), (95, latency.p95), (99, latency.p99))
        if duration is not None
    )


def _faults(options: ProfileOptions, name: str) -> list[Problem]:
    """What would keep the result from being written, known before minutes of measuring."""
    faults = []
    for path in (_destination(options, name), options.report):
        if path is None:
            continue
        why = _unwritable(path)
        if why is not None:
            faults.append(Problem(str(path), f"must be writable, got {why}"))
    if options.report is not None:
        missing = plotly_problem()
        faults += [missing] if missing is not None else []
    return faults


def _destination(options: ProfileOptions, name: str) -> Path | None:
    """The file that the profile goes to; None for stdout alone."""
    if options.output == "-":
        return None
    if options.output is not None:
        return Path(options.output)
    return None if options.as_json else Path(f"{name}.profile.json")


def _unwritable(path: Path) -> str | None:
    if path.is_dir():
        return "a folder"
    if path.exists() and not path.is_file():
        return None if os.access(path, os.W_OK) else "no permission"
    if not path.parent.is_dir():
        return f"no folder {path.parent}"
    return None if os.access(path.parent, os.W_OK | os.X_OK) else f"no permission to write to {path.parent}"


def _measure(plan: MeasurePlan, asked: threading.Event) -> ModelProfile:
    """Measure with progress on stderr.

    Args:
        plan: What.
        asked: Set when the user wants it to end, which is looked at before each step too: Python drops an
            exception that a signal raises while a finalizer runs.
    """
    console = Console(stderr=True)
    if not console.is_terminal:

        def tell(step: Step) -> None:
            _heed(asked)
            if step.found:
                click.echo(f"{step.done:4.0%} {step.text}", err=True)

        return measure(plan, tell=tell)
    columns = (BarColumn(32), TaskProgressColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    # drawn only when there is news: a thread that draws all the time would take the generator's CPU
    with Progress(*columns, console=console, auto_refresh=False, transient=True) as progress:
        task = progress.add_task("starting", total=1.0)

        def show(step: Step) -> None:
            _heed(asked)
            if step.found:
                progress.console.print(step.text, highlight=False, markup=False)
                progress.update(task, completed=step.done, refresh=True)
            else:
                progress.update(task, completed=step.done, description=step.text, refresh=True)

        return measure(plan, tell=show)


def _heed(asked: threading.Event) -> None:
    if asked.is_set():
        raise KeyboardInterrupt


@contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """Let SIGTERM and SIGHUP end everything as Ctrl-C does; gives what is set by any of them."""
    asked = threading.Event()

    def interrupt(number: int, frame: object) -> None:
        del number, frame
        asked.set()
        raise KeyboardInterrupt

    def end(number: int, frame: object) -> None:
        del number, frame
        for child in multiprocessing.active_children():
            if child.pid is not None:
                os.kill(child.pid, signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    before[signal.SIGINT] = signal.signal(signal.SIGINT, interrupt)
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _import(options: ProfileOptions) -> ModelProfile:
    path = options.imported
    assert path is not None
    assert options.name is not None
    read = profile_from_csv if options.import_csv is not None else profile_from_perf_analyzer
    created = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    made = read(_text(path), source=str(path), name=options.name, created=created)
    if options.objective is None:
        return made
    if not made.curve:
        message = "must not be given for service times, which tell no rate; it needs a curve"
        raise SpecError([Problem("--objective", message)])
    return with_capacity(made, parse_objective(options.objective))


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(IMPORT_BYTES_MAX + 1)
    except OSError as error:
        message = f"must be a readable file, got {error.strerror}"
        raise SpecError([Problem("", message, str(path))]) from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"must be UTF-8 text, got byte 0x{data[error.start]:02x}"
        raise SpecError([Problem("", message, str(path), line)]) from None


def _write(options: ProfileOptions, made: ModelProfile) -> None:
    if options.report is not None:
        write_whole(render_profile(made), path=options.report)
    if options.as_json or options.output == "-":
        click.echo(dump_profile(made), nl=False)
    where = _destination(options, made.metadata.name)
    if where is not None:
        write_profile(made, path=where)
