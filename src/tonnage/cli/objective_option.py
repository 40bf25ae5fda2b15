"""``--objective``: what must hold in a run, such as ``p99=100ms`` or ``p99=100ms,errors=0.1%``."""

from __future__ import annotations

from tonnage.errors import Problem, SpecError
from tonnage.profile.objective import parse_objective
from tonnage.twin.scenario import Objective
from tonnage.units import UnitError, parse_rate


def read_objective(text: str) -> Objective:
    """Read the option.

    Args:
        text: A percentile with its latency, and the share of requests that may go unanswered, 0 without it.

    Raises:
        SpecError: It has not that form.
    """
    latency, comma, errors = text.partition(",")
    said = parse_objective(latency)
    return Objective(said.percentile, said.latency_s, _share(errors, text) if comma else 0.0)


def _share(text: str, whole: str) -> float:
    name, equals, value = text.partition("=")
    if name.strip() != "errors" or not equals:
        raise SpecError([Problem("--objective", f"must be like p99=100ms,errors=0.1%, got {whole!r}")])
    try:
        share = parse_rate(value.strip().removesuffix("%").strip()).per_second
    except UnitError as error:
        raise SpecError([Problem("--objective errors", f"{error}, got {value!r}")]) from error
    share = share / 100 if value.strip().endswith("%") else share
    if share > 1:
        raise SpecError([Problem("--objective errors", f"must be at most 100%, got {value!r}")])
    return share
