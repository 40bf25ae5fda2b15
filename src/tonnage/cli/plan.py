"""``tonnage plan``: from a profile and an objective to replicas, GPUs and cost, with every reason."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, get_args

import click
import orjson
from rich.console import Console

from tonnage.cli.parsed import Parsed
from tonnage.cli.plan_view import print_plan, print_refusals
from tonnage.cli.traffic_option import read_traffic
from tonnage.errors import EnvironmentFault, Problem, SpecError, TonnageError
from tonnage.plan import Ask, ServingPlan, make_plan, plan_document
from tonnage.plan.ask import HEADROOM_DEFAULT, model_of
from tonnage.plan.confirm import confirmed_plan
from tonnage.plan.demand import Demand, demand_of
from tonnage.plan.price import PriceTable, example_prices, parse_prices
from tonnage.plan.sizing import Survive
from tonnage.plan.stock import PLACED_MAX
from tonnage.profile import load_profile
from tonnage.spec.load import load_model_service
from tonnage.spec.service import ModelService
from tonnage.units import UnitError, parse_rate

_TABLE_BYTES_MAX: Final = 1024 * 1024
_TRAFFIC_S: Final = 86_400.0
"""Length of traffic that has none: a day."""
_BIN_S: Final = 1.0
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_OUT = click.Path(dir_okay=False, writable=True, path_type=Path, allow_dash=True)


def _rate(text: str) -> float:
    value = parse_rate(text).per_second
    if value <= 0:
        raise UnitError("must be > 0")
    return value


def _share(text: str) -> float:
    """``20%`` and ``0.2`` alike."""
    number = text.removesuffix("%")
    try:
        value = float(number) / (100 if text.endswith("%") else 1)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 10:
        raise UnitError("must be a share from 0 to 10, such as 20% or 0.2")
    return value


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """The command line as it was read; each field is the option of its name."""

    spec: Path
    profile: Path | None
    rate: float | None
    traffic: str | None
    nodes: tuple[Path, ...]
    prices: Path | None
    zones: int | None
    survive: str | None
    headroom: float
    twin: bool
    seed: int
    json_out: Path | None


@click.command("plan", short_help="Size a service: replicas, GPUs and cost, with every reason.")
@click.argument("spec", metavar="SPEC", type=click.Path(path_type=Path))
@click.option("--profile", type=_FILE, help="What was measured.  [default: NAME.profile.json beside SPEC]")
@click.option("--rate", type=Parsed("rate", _rate), help="Requests per second.  [default: the objective's]")
@click.option(
    "--traffic",
    metavar="TRACE|LINE",
    help="What minimum and maximum are found for: a trace file, or a line such as "
    "diurnal:mean=4k,peak=7k,period=24h.",
)
@click.option(
    "--nodes",
    type=_FILE,
    multiple=True,
    help="Nodes, Pods and ResourceQuotas from kubectl, or NodePools: what there is room for.",
)
@click.option("--prices", type=_FILE, help="Price table.  [default: an example table]")
@click.option("--zones", type=click.IntRange(min=1), help="Spread over this many zones, and outlive one.")
@click.option(
    "--survive",
    type=click.Choice(get_args(Survive)),
    help="What may be lost at once.  [default: node, or zone with --zones]",
)
@click.option(
    "--headroom",
    type=Parsed("share", _share),
    default=HEADROOM_DEFAULT,
    show_default="20%",
    help="Rate carried on top.",
)
@click.option("--twin/--no-twin", default=True, help="Confirm the plan by simulating every request.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Decides all chance.")
@click.option(
    "--json",
    "json_out",
    type=_OUT,
    is_flag=False,
    flag_value="-",
    help="Write the plan as JSON; - to stdout.",
)
def plan(**values: Any) -> None:
    """Size the service that SPEC describes, from its profile and its objective.

    Exit code 1: the objective cannot hold; the reason and the nearest that can are printed.
    """
    options = PlanOptions(**values)
    try:
        made = plan_from(options)
        _write(options, made)
    except TonnageError as error:
        for line in str(error).splitlines():
            click.echo(f"tonnage plan: {line}", err=True)
        sys.exit(error.exit_code)
    if not made.feasible:
        print_refusals(made, source=str(options.spec), console=Console(stderr=True))
        sys.exit(1)
    # the tables leave stdout to the JSON when that goes there
    print_plan(made, console=Console(stderr=str(options.json_out) == "-"))
    if made.confirmation is not None and not made.confirmation.held:
        sys.exit(1)


def plan_from(options: PlanOptions) -> ServingPlan:
    """Makes the plan that the command line asks for.

    Raises:
        SpecError: A document, a file or an option is wrong.
    """
    ask = _ask(options)
    try:
        model = model_of(ask)
    except ValueError as error:
        where = str(_profile_path(options, ask.service))
        raise SpecError([Problem("", str(error), where)]) from None
    if not options.twin:
        return make_plan(ask)
    from tonnage.cli.plan_twin import simulate_with

    simulate = simulate_with(ask, model)
    if simulate is not None:
        return confirmed_plan(ask, simulate, seed=options.seed)
    made = make_plan(ask)
    remark = "not confirmed in the twin: the profile has no service times to simulate with"
    return replace(made, remarks=(*made.remarks, remark))


def _ask(options: PlanOptions) -> Ask:
    _check(options)
    service = load_model_service(options.spec)
    profile = load_profile(_profile_path(options, service))
    prices = _prices(options)
    demand = _demand(options)
    rate, origin = _rate_of(options, service, demand)
    survive: Any = options.survive or ("zone" if options.zones is not None else "node")
    ask = Ask(
        service=service,
        profile=profile,
        rate_per_s=rate,
        rate_origin=origin,
        headroom_ratio=options.headroom,
        survive=survive,
        zones=options.zones,
        demand=demand,
        prices=prices,
    )
    return _on_cluster(options, ask) if options.nodes else ask


def _on_cluster(options: PlanOptions, ask: Ask) -> Ask:
    """Adds what the cluster's files say; what reads them is loaded here, for it takes a second."""
    from tonnage.cli.plan_cluster import quotas_of, read_cluster, stock_of, taken_by

    assert ask.prices is not None
    files = read_cluster(options.nodes, ask.prices)
    scaling = ask.service.spec.scaling
    bound = PLACED_MAX if scaling is None else min(PLACED_MAX, 2 * scaling.max_replicas)
    return replace(
        ask,
        stock=stock_of(files, ask.service, bound),
        quotas=quotas_of(files, ask.service),
        each=taken_by(ask.service),
    )


def _check(options: PlanOptions) -> None:
    problems = []
    if options.survive == "zone" and options.zones is None and not options.nodes:
        hint = "say how many there are, or give nodes with their zones"
        problems.append(Problem("--survive", "zone needs --zones or --nodes", hint=hint))
    if problems:
        raise SpecError(problems)


def _profile_path(options: PlanOptions, service: ModelService) -> Path:
    if options.profile is not None:
        return options.profile
    beside = options.spec.parent / f"{service.name}.profile.json"
    if not beside.is_file():
        hint = f"tonnage profile {options.spec} --output {beside} makes it"
        message = f"must be given, because there is no {beside}"
        raise SpecError([Problem("--profile", message, hint=hint)])
    return beside


def _prices(options: PlanOptions) -> PriceTable:
    path = options.prices
    if path is None:
        return example_prices()
    try:
        with path.open("rb") as file:
            text = file.read(_TABLE_BYTES_MAX + 1).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError([Problem("", f"must be readable text, got {error}", str(path))]) from None
    if len(text) > _TABLE_BYTES_MAX:
        raise SpecError([Problem("", f"must be at most {_TABLE_BYTES_MAX} bytes, got more", str(path))])
    return parse_prices(text, source=str(path))


def _demand(options: PlanOptions) -> Demand | None:
    if options.traffic is None:
        return None
    process = read_traffic(options.traffic, duration_s=None, fallback_s=_TRAFFIC_S)
    try:
        return demand_of(process, bin_s=_BIN_S, seed=options.seed)
    except ValueError as error:
        raise SpecError([Problem("--traffic", str(error).removeprefix("traffic: "))]) from None


def _rate_of(options: PlanOptions, service: ModelService, demand: Demand | None) -> tuple[float, str]:
    """The rate to be carried and where it is from: the option, the objective, the traffic's peak."""
    asked = service.spec.objective.requests_per_second
    if options.rate is not None:
        return options.rate, "--rate"
    if asked is not None:
        return asked.per_second, "spec.objective.requestsPerSecond"
    if demand is not None:
        return demand.peak_per_s(service.spec.server.latency_window.seconds), "peak of --traffic"
    hint = "give --rate or --traffic"
    message = "must be given, got none"
    raise SpecError([Problem("spec.objective.requestsPerSecond", message, str(options.spec), hint=hint)])


def _write(options: PlanOptions, made: ServingPlan) -> None:
    if options.json_out is None:
        return
    try:
        text = orjson.dumps(plan_document(made), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        with click.open_file(str(options.json_out), "wb") as out:
            out.write(text)
    except OSError as error:
        raise EnvironmentFault(f"{error.filename}: must be writable, got {error.strerror}") from error
