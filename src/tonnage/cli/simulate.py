"""``tonnage simulate``: what traffic, scaling and failures will do to a service that is not there yet."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import Any

import click
import orjson
from rich.console import Console

from tonnage.cli.simulate_inputs import (
    SimulateOptions,
    experiment_of,
    named,
    options_of,
    read_experiment,
    texts_of,
    variant,
)
from tonnage.cli.simulate_view import print_comparison, print_spread, print_verdict, progress_bar
from tonnage.errors import EnvironmentFault, Problem, SpecError
from tonnage.twin.assertions import Assertion, Judgement, judge, parse_assertions
from tonnage.twin.inputs import MEANINGS, Experiment, InputTexts, Options
from tonnage.twin.result import Result
from tonnage.twin.simulation import Simulation
from tonnage.twin.summary import RunSummary, judged_document, spread_document, summary_of
from tonnage.twin.verdict import Verdict, verdict_of
from tonnage.web import render_comparison, render_report

_OUT = click.Path(dir_okay=False, path_type=Path, allow_dash=True)
_RUNS_MAX = 10_000
_DEAF = (signal.SIGINT, signal.SIG_IGN)
INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it: 128 and the signal's number."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A run and what it says.

    Attributes:
        experiment: What was run.
        result: What it gave.
        verdict: About the objective.
        judgements: About the assertions.
        took_s: How long it took [s].
    """

    experiment: Experiment
    result: Result
    verdict: Verdict
    judgements: tuple[Judgement, ...]
    took_s: float


@click.command("simulate", short_help="Show what traffic, scaling and failures will do to a service.")
@click.argument("files", nargs=-1, metavar="SPEC|FILES...")
@click.option(
    "--traffic",
    metavar="TRACE|LINE",
    help="A trace file, or a line: poisson:rate=10k, flash:base=1k,peak=8k,at=5m,hold=2m, ...",
)
@click.option("--profile", metavar="FILE", help="What was measured of the model (tonnage profile).")
@click.option("--nodes", metavar="FILE", multiple=True, help="Nodes or NodePools; may be repeated.")
@click.option("--duration", help="How long, such as 10m.  [default: the document's, or the traffic's]")
@click.option("--interval", help="Width of an interval of the series.  [default: the document's, 1s]")
@click.option("--seed", type=click.IntRange(min=0), help="Decides all chance.  [default: the document's, 0]")
@click.option("--replicas", type=click.IntRange(min=0), help="Replicas at the start.")
@click.option("--workload", help="Which Deployment, where the files hold several.")
@click.option("--container", help="Which container serves, where the pod has several.")
@click.option("--service-time", help="Time of one request in the model, where there is no profile.")
@click.option(
    "--metric",
    metavar="NAME=MEANING",
    multiple=True,
    help=f"What a custom metric is, one of {', '.join(MEANINGS)}; may be repeated.",
)
@click.option("--objective", help="Such as p99=100ms or p99=100ms,errors=0.1%.  [default: the document's]")
@click.option(
    "--set",
    "settings",
    metavar="KIND.PATH=VALUE",
    multiple=True,
    help="Change a field, such as HorizontalPodAutoscaler.spec.maxReplicas=20; may be repeated.",
)
@click.option(
    "--assert",
    "assertions",
    metavar="EXPR",
    multiple=True,
    help='Fail (exit code 1) unless it holds: "p99<=100ms", "drops==0", "cost<=12.5"; may be repeated.',
)
@click.option(
    "--compare",
    nargs=2,
    metavar="A B",
    help="Run FILES twice and show both side by side; A and B are further files, or settings as in --set "
    'with a name before them (short:KIND.PATH=VALUE), or "unchanged".',
)
@click.option(
    "--runs",
    type=click.IntRange(1, _RUNS_MAX),
    default=1,
    show_default=True,
    help="Runs with seeds one after another, on all cores; says how far they are apart.",
)
@click.option(
    "--json",
    "json_out",
    type=_OUT,
    is_flag=False,
    flag_value="-",
    help="Write the result as JSON; - to stdout.",
)
@click.option("--report", type=_OUT, metavar="OUT.html", help="Write one offline HTML page with all of it.")
@click.option("--quiet", is_flag=True, help="No bar and no verdict; assertions speak all the same.")
def simulate(**values: Any) -> None:
    """Simulate a service with its autoscaler and its cluster, every request of the traffic.

    FILES are a ModelService, or the Deployment, HorizontalPodAutoscaler and so on of anybody; a Simulation
    document makes an experiment of one file. Exit codes: 0 done; 1 an assertion does not hold; 2 a document
    or an option is wrong; 3 a file cannot be written.
    """
    options = SimulateOptions(**values)
    _check(options)
    given = parse_assertions(options.assertions)
    # The verdict leaves stdout to the JSON when that goes there.
    console = Console(stderr=str(options.json_out) == "-", quiet=options.quiet)
    todo = _compare if options.compare is not None else _repeat if options.runs > 1 else _one
    try:
        code = todo(options, given, console)
    except KeyboardInterrupt:
        click.echo("tonnage simulate: interrupted; nothing was written", err=True)
        code = INTERRUPTED
    sys.exit(code)


def _check(options: SimulateOptions) -> None:
    """Refuse what does not go together.

    Raises:
        SpecError: Something is missing or excludes something else.
        EnvironmentFault: A folder to be written to does not exist.
    """
    if not options.files and options.compare is None:
        message = "must name at least one file, got none"
        raise SpecError([Problem("FILES", message, hint="- is standard input")])
    if options.compare is not None and options.runs > 1:
        raise SpecError([Problem("--runs", "must not be given with --compare")])
    for path in (options.json_out, options.report):
        if path is not None and str(path) != "-" and not path.absolute().parent.is_dir():
            raise EnvironmentFault(f"{path}: must be in a folder that exists, got {path.parent}")


def _one(options: SimulateOptions, given: tuple[Assertion, ...], console: Console) -> int:
    judged = _run(experiment_of(options, options.files), given, console)
    print_verdict(
        judged.result,
        judged.verdict,
        judged.experiment.assumed,
        judged.took_s,
        console=console,
        currency=judged.experiment.currency,
    )
    _write_json(options.json_out, _document(judged))
    if options.report is not None:
        _write(options.report, _page(judged))
    return _say_judgements(judged.judgements)


def _compare(options: SimulateOptions, given: tuple[Assertion, ...], console: Console) -> int:
    assert options.compare is not None, "asked for"
    both = [_run(variant(options, one), given, console) for one in options.compare]
    names = [one.result.scenario.name for one in both]
    if names[0] == names[1]:
        names = [Path(one).stem if Path(one).exists() else named(one)[0] for one in options.compare]
    runs = [(one.result, one.verdict) for one in both]
    print_comparison(names, runs, console=console)
    _write_json(
        options.json_out, {"names": names, "runs": [_document(one) for one in both]}
    )
    if options.report is not None:
        _write(options.report, render_comparison(runs, names))
    return max(
        _say_judgements(one.judgements, f"{name}: ") for name, one in zip(names, both, strict=True)
    )


def _repeat(options: SimulateOptions, given: tuple[Assertion, ...], console: Console) -> int:
    """Several seeds: the first one here for the page, all others in processes of their own."""
    texts = texts_of(options, options.files)
    asked = options_of(options, texts)
    first = _run(read_experiment(texts, asked, options.objective), given, console)
    seed = first.result.scenario.seed
    runs = [summary_of(first.result, first.verdict, first.judgements)]
    workers = min(options.runs - 1, os.cpu_count() or 1)
    # A terminal's Ctrl-C reaches all processes; this one decides what becomes of the others.
    with ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=signal.signal, initargs=_DEAF
    ) as pool:
        others = [
            pool.submit(
                _summarised, texts, replace(asked, seed=seed + step), options.objective, options.assertions
            )
            for step in range(1, options.runs)
        ]
        try:
            for done in as_completed(others):
                runs.append(done.result())
                if console.is_terminal:
                    console.print(f"{len(runs)} of {options.runs} runs", end="\r")
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in active_children():
                worker.terminate()
            raise
    runs.sort(key=lambda run: run.seed)
    print_spread(runs, console=console)
    _write_json(options.json_out, spread_document(runs))
    if options.report is not None:
        _write(options.report, _page(first))
    code = 0
    for run in runs:
        for holds, text in run.judgements:
            if not holds:
                click.echo(f"tonnage simulate: seed {run.seed}: assert {text}", err=True)
                code = 1
    return code


def _summarised(
    texts: InputTexts, options: Options, objective: str | None, assertions: tuple[str, ...]
) -> RunSummary:
    """One run in a process of its own."""
    experiment = read_experiment(texts, options, objective)
    result = Simulation(experiment.scenario).run()
    verdict = verdict_of(result)
    wanted = parse_assertions((*experiment.assertions, *assertions))
    return summary_of(result, verdict, judge(wanted, result, verdict))


def _run(experiment: Experiment, given: tuple[Assertion, ...], console: Console) -> Judged:
    scenario = experiment.scenario
    wanted = (*parse_assertions(experiment.assertions), *given)
    began_s = time.monotonic()
    with progress_bar(console, scenario.name, scenario.traffic, scenario.duration_s) as told:
        result = Simulation(scenario).run(told)
    took_s = time.monotonic() - began_s
    verdict = verdict_of(result)
    return Judged(experiment, result, verdict, judge(wanted, result, verdict), took_s)


def _document(judged: Judged) -> dict[str, Any]:
    return judged_document(judged.result, judged.verdict, judged.judgements, judged.experiment.assumed)


def _page(judged: Judged) -> str:
    experiment = judged.experiment
    return render_report(
        judged.result,
        judged.verdict,
        judged.judgements,
        assumed=experiment.assumed,
        currency=experiment.currency,
    )


def _write_json(path: Path | None, document: dict[str, Any]) -> None:
    if path is None:
        return
    # A day of seconds is millions of numbers: one to a line would be most of the file.
    text = orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE)
    try:
        with click.open_file(str(path), "wb") as out:
            out.write(text)
    except OSError as error:
        raise EnvironmentFault(f"{path}: must be writable, got {error.strerror}") from error


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise EnvironmentFault(f"{path}: must be writable, got {error.strerror}") from error


def _say_judgements(judgements: Sequence[Judgement], where: str = "") -> int:
    """Tell which assertions do not hold; gives the exit code."""
    code = 0
    for one in judgements:
        if not one.holds:
            click.echo(f"tonnage simulate: {where}assert {one}", err=True)
            code = 1
    return code
