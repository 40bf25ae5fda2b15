"""``tonnage load``: send open-loop load to a server and say how it fared."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import click
import orjson
from rich.console import Console

from tonnage.cli.parsed import Parsed
from tonnage.errors import EnvironmentFault, Problem, SpecError, TonnageError
from tonnage.loadgen.gates import Gate, parse_gate
from tonnage.loadgen.oip import fetch_inputs, infer_target, random_bodies
from tonnage.loadgen.payload import Bodies, read_binary_body, read_json_bodies
from tonnage.loadgen.plan import LoadPlan, connections_for
from tonnage.loadgen.report import render_report
from tonnage.loadgen.result import LoadResult
from tonnage.loadgen.run import LoadRun, run_load
from tonnage.loadgen.target import Target, parse_header, parse_target, render_request
from tonnage.loadgen.view import LiveView, print_result
from tonnage.traffic import (
    ArrivalProcess,
    ConstantArrivals,
    PoissonArrivals,
    TraceFormat,
    arrivals_of,
    clipped,
    parse_trace,
    scaled_to_peak,
    sped_up,
)
from tonnage.units import UnitError, parse_duration, parse_rate

_RATE_DEFAULT = 1000.0
_DURATION_DEFAULT_S = 30.0
_FRESH_MAX = 4096
"""Connections at a time where each request has its own."""


def _positive(parse: Callable[[str], float]) -> Callable[[str], float]:
    def checked(text: str) -> float:
        value = parse(text)
        if value <= 0:
            raise UnitError("must be > 0")
        return value

    return checked


_DURATION = Parsed("duration", _positive(lambda text: parse_duration(text).seconds))
_RATE = Parsed("rate", _positive(lambda text: parse_rate(text).per_second))
_GATE = Parsed("gate", parse_gate)
_HEADER = Parsed("header", parse_header)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_OUT = click.Path(dir_okay=False, writable=True, path_type=Path, allow_dash=True)


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """The command line as it was read; each field is the option of its name."""

    target: str
    rate: float | None
    duration: float | None
    spacing: str
    trace: Path | None
    trace_format: str | None
    trace_bin: float
    scale_peak: float | None
    speedup: float | None
    seed: int
    connections: int | None
    connections_max: int | None
    keep_alive: bool
    processes: int
    timeout: float
    method: str | None
    header: tuple[tuple[str, str], ...]
    data: Path | None
    binary: Path | None
    model: str | None
    expect_status: tuple[int, ...]
    gates: tuple[Gate, ...]
    json_out: Path | None
    report: Path | None
    quiet: bool


@click.command("load", short_help="Send open-loop load to a server and measure it.")
@click.argument("target", metavar="URL|SPEC")
@click.option("--rate", type=_RATE, help="Requests per second, such as 10k.  [default: 1k without a trace]")
@click.option("--duration", type=_DURATION, help="How long, such as 30s.  [default: 30s, or the whole trace]")
@click.option(
    "--spacing",
    type=click.Choice(["poisson", "constant"]),
    default="poisson",
    show_default=True,
    help="Random or even distances between requests, also inside a trace's bins.",
)
@click.option("--trace", type=_FILE, help="CSV file of requests per minute or second, or of arrival times.")
@click.option(
    "--trace-format", type=click.Choice(get_args(TraceFormat)), help="Format, where the header does not tell."
)
@click.option("--scale-peak", type=_RATE, help="Scale the trace so that its peak has this rate.")
@click.option(
    "--trace-bin",
    type=_DURATION,
    default="1s",
    show_default=True,
    help="Bin in which the peak of arrival times is sought by --scale-peak.",
)
@click.option("--speedup", type=_RATE, help="Play the trace this many times faster.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Decides all chance.")
@click.option("--connections", type=click.IntRange(min=1), help="Keep-alive connections.  [default: by rate]")
@click.option(
    "--connections-max",
    type=click.IntRange(min=1),
    help="Open more while requests wait, up to this many.  [default: no more]",
)
@click.option(
    "--keep-alive/--no-keep-alive",
    default=True,
    help="Use connections again, or open one for each request.  [default: keep-alive]",
)
@click.option("--processes", type=click.IntRange(min=1), default=1, show_default=True, help="Share the load.")
@click.option(
    "--timeout", type=_DURATION, default="10s", show_default=True, help="Patience, from the intended time."
)
@click.option("--method", help="HTTP method.  [default: POST with a body, else GET]")
@click.option("-H", "--header", type=_HEADER, multiple=True, help='Such as "X-Key: 1"; may be repeated.')
@click.option("--data", type=_FILE, help="JSON body, or one a line, chosen from by the seed.")
@click.option("--binary", type=_FILE, help="Body as it is.")
@click.option("--model", help="Send random inputs to this model, as the server's metadata describes them.")
@click.option(
    "--expect-status", type=click.IntRange(200, 599), multiple=True, help="Success.  [default: 200 to 299]"
)
@click.option(
    "--assert",
    "gates",
    type=_GATE,
    multiple=True,
    help='Fail (exit code 1) unless it holds: "p99<=5ms", "errors<=0.1%", "rate>=9900"; may be repeated.',
)
@click.option(
    "--json",
    "json_out",
    type=_OUT,
    is_flag=False,
    flag_value="-",
    help="Write the result as JSON; - to stdout.",
)
@click.option("--report", type=_OUT, help="Write an HTML page with plots.")
@click.option("--quiet", is_flag=True, help="No live view and no table.")
def load(**values: Any) -> None:
    """Send open-loop load to URL, or to the service that SPEC describes.

    Requests go at their own times, whatever became of those before, and latency counts from the time
    that each was meant to go.
    """
    options = LoadOptions(**values)
    # The table leaves stdout to the JSON when that goes there.
    console = Console(stderr=str(options.json_out) == "-")
    try:
        plan = plan_from(options)
        run = _run(options, plan, console)
        _write(options, plan, run)
    except TonnageError as error:
        click.echo(f"tonnage load: {error}", err=True)
        sys.exit(error.exit_code)
    if not options.quiet:
        print_result(run.result, console=console)
    sys.exit(_judge(options.gates, run.result))


def plan_from(options: LoadOptions) -> LoadPlan:
    """Turn the command line into a plan; asks the server for metadata where the payload needs it.

    Raises:
        SpecError: Options that exclude each other, or a file that is wrong.
        TargetUnreachable: The server's metadata is needed and nobody answers.
    """
    _check(options)
    target, bodies = _target_and_bodies(options)
    arrivals = _arrivals(options)
    method = options.method or ("POST" if bodies is not None else "GET")
    headers = list(options.header)
    if bodies is not None and all(name.lower() != "content-type" for name, _ in headers):
        headers.append(("Content-Type", bodies.content_type))
    if not options.keep_alive:
        headers.append(("Connection", "close"))
    connections = options.connections or (connections_for(arrivals.peak_per_s) if options.keep_alive else 1)
    if options.connections is None and options.connections_max is not None:
        connections = min(connections, options.connections_max)
    connections_max = options.connections_max or (connections if options.keep_alive else _FRESH_MAX)
    return LoadPlan(
        target=target,
        requests=tuple(
            render_request(target, method=method, headers=headers, body=body)
            for body in (bodies.bodies if bodies is not None else (None,))
        ),
        arrivals=arrivals,
        seed=options.seed,
        connections=connections,
        connections_max=connections_max,
        keep_alive=options.keep_alive,
        timeout_s=options.timeout,
        expect_status=frozenset(options.expect_status),
        answers_head=method.upper() == "HEAD",
        processes=options.processes,
    )


def _check(options: LoadOptions) -> None:
    trace_only = {
        "--trace-format": options.trace_format,
        "--scale-peak": options.scale_peak,
        "--speedup": options.speedup,
    }
    problems = []
    if options.connections is not None and not options.keep_alive:
        hint = "--connections-max bounds those that are open at a time"
        problems.append(Problem("--connections", "must not be given with --no-keep-alive", hint=hint))
    if options.trace is not None and options.rate is not None:
        problems.append(
            Problem("--rate", "must not be given with --trace", hint="--scale-peak scales a trace")
        )
    if options.trace is None:
        problems += [
            Problem(name, "needs --trace") for name, value in trace_only.items() if value is not None
        ]
    payloads = {"--data": options.data, "--binary": options.binary, "--model": options.model}
    given = [name for name, value in payloads.items() if value is not None]
    if len(given) > 1:
        problems.append(Problem(given[1], f"must not be given with {given[0]}"))
    if problems:
        raise SpecError(problems)


def _arrivals(options: LoadOptions) -> ArrivalProcess:
    if options.trace is None:
        rate = options.rate or _RATE_DEFAULT
        duration_s = options.duration or _DURATION_DEFAULT_S
        if options.spacing == "constant":
            return ConstantArrivals(rate, duration_s)
        return PoissonArrivals(rate, duration_s)
    trace_format: Any = options.trace_format
    try:
        with options.trace.open(encoding="utf-8") as lines:
            trace = parse_trace(lines, source=str(options.trace), trace_format=trace_format)
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(
            [Problem("", f"must be readable text, got {error}", file=str(options.trace))]
        ) from error
    if options.speedup is not None:
        trace = sped_up(trace, options.speedup)
    if options.scale_peak is not None:
        trace = scaled_to_peak(trace, peak_per_s=options.scale_peak, bin_s=options.trace_bin)
    arrivals = arrivals_of(trace, spacing="constant" if options.spacing == "constant" else "poisson")
    return clipped(arrivals, duration_s=options.duration) if options.duration else arrivals


def _target_and_bodies(options: LoadOptions) -> tuple[Target, Bodies | None]:
    if "://" not in options.target:
        target, bodies = _from_spec(Path(options.target), options)
    else:
        target, bodies = parse_target(options.target), None
        if options.model is not None:
            target = infer_target(target, options.model)
    if options.data is not None:
        return target, read_json_bodies(path=options.data)
    if options.binary is not None:
        return target, read_binary_body(path=options.binary)
    is_infer = "/v2/models/" in target.path and target.path.endswith("/infer")
    if bodies is None and is_infer and options.method in (None, "POST"):
        inputs = fetch_inputs(infer=target, timeout_s=options.timeout)
        bodies = random_bodies(inputs, seed=options.seed)
    return target, bodies


def _from_spec(path: Path, options: LoadOptions) -> tuple[Target, Bodies | None]:
    """Aim at the service of a document on this machine, with its warm-up sample if it has one."""
    if not path.exists():
        hint = "write http:// before an address"
        raise SpecError([Problem("", f"must be a URL or a document, got {str(path)!r}", hint=hint)])
    from tonnage.spec.load import load_model_service, load_warmup_inputs

    service = load_model_service(path)
    target = infer_target(Target("127.0.0.1", service.spec.server.port), options.model or service.model_name)
    sample = load_warmup_inputs(service, base=path.parent)
    if sample is None:
        return target, None
    tensors = [tensor.model_dump(mode="json", by_alias=True) for tensor in sample]
    return target, Bodies((orjson.dumps({"inputs": tensors}),), "application/json")


def _run(options: LoadOptions, plan: LoadPlan, console: Console) -> LoadRun:
    if options.quiet or not console.is_terminal:
        return run_load(plan)
    title = f"{plan.target.url}   {plan.connections} connections"
    view = LiveView(console=console, title=title, duration_s=plan.arrivals.duration_s)
    with view:
        return run_load(plan, on_snapshot=view.update)


def _write(options: LoadOptions, plan: LoadPlan, run: LoadRun) -> None:
    gates = [
        {"assert": gate.text, "holds": gate.holds(run.result), "found": gate.shown(run.result)}
        for gate in options.gates
    ]
    try:
        if options.json_out is not None:
            document = run.result.to_json() | {"gates": gates}
            text = orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
            with click.open_file(str(options.json_out), "wb") as out:
                out.write(text)
        if options.report is not None:
            page = render_report(run.result, run.records, expect_status=plan.expect_status)
            options.report.write_text(page, encoding="utf-8")
    except OSError as error:
        raise EnvironmentFault(f"{error.filename}: must be writable, got {error.strerror}") from error


def _judge(gates: tuple[Gate, ...], result: LoadResult) -> int:
    code = 0
    for gate in gates:
        if not gate.holds(result):
            click.echo(f"tonnage load: assert {gate.text}: must hold, got {gate.shown(result)}", err=True)
            code = 1
    return code
