"""What ``tonnage audit --simulate`` is told beside the objects: a profile, traffic, meanings of metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tonnage.audit.trials import Known
from tonnage.cli.parsed import positive_rate, positive_seconds
from tonnage.cli.traffic_option import read_traffic
from tonnage.errors import Problem, SpecError
from tonnage.profile import ModelProfile
from tonnage.scheduling import Node
from tonnage.twin.inputs import MEANINGS

_TRAFFIC_S: Final = 900.0


@dataclass(frozen=True, slots=True)
class SimulateChoices:
    """Options of ``--simulate`` as they were written.

    Attributes:
        simulate: Whether it was asked for.
        traffic: A trace's file, or a line of traffic.
        rate: Requests per second.
        service_time: Of one request in the model.
        metrics: ``NAME=MEANING`` of custom metrics.
    """

    simulate: bool
    traffic: str | None
    rate: str | None
    service_time: str | None
    metrics: Sequence[str]


def known_of(
    choices: SimulateChoices, profile: ModelProfile | None, path: Path | None, nodes: Sequence[Node]
) -> Known:
    """Reads the options.

    Args:
        choices: The options.
        profile: What was measured; None for nothing.
        path: Its file.
        nodes: The nodes that there are.

    Raises:
        SpecError: An option is wrong, or was given without ``--simulate``.
    """
    given = {
        "--traffic": choices.traffic,
        "--rate": choices.rate,
        "--service-time": choices.service_time,
        "--metric": choices.metrics or None,
    }
    if not choices.simulate:
        unused = [name for name, value in given.items() if value is not None]
        raise SpecError([Problem(name, "must be given with --simulate") for name in unused])
    if choices.traffic is not None and choices.rate is not None:
        raise SpecError([Problem("--rate", "must not be given with --traffic")])
    traffic = None
    if choices.traffic is not None:
        traffic = read_traffic(choices.traffic, duration_s=None, fallback_s=_TRAFFIC_S)
    return Known(
        profile=profile,
        profile_text=path.read_text(encoding="utf-8") if path is not None else "",
        service_time_s=positive_seconds("--service-time", choices.service_time),
        traffic=traffic,
        traffic_text=choices.traffic or "",
        rate_per_s=positive_rate("--rate", choices.rate),
        meanings=dict(map(_meaning, choices.metrics)),
        nodes=tuple(nodes),
    )


def _meaning(text: str) -> tuple[str, str]:
    name, equals, meaning = text.rpartition("=")
    if not equals or not name or meaning not in MEANINGS:
        choices = ", ".join(MEANINGS)
        message = f"must be NAME=MEANING with one of {choices}, got {text!r}"
        raise SpecError([Problem("--metric", message)])
    return name, meaning
