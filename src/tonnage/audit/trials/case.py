"""One finding with its workload, and the trial that shows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tonnage.audit.context import Autoscaler, Workload
from tonnage.audit.finding import Change, Finding
from tonnage.audit.scaling import MetricView
from tonnage.audit.trials.known import GPU_READY_S_ASSUMED, LONGEST_S_ASSUMED, READY_S_ASSUMED, Known
from tonnage.kube.paths import format_path
from tonnage.twin import Result

Told = tuple[str, Mapping[str, float | int | None]]
"""What a run came to: a sentence without its full stop, and the numbers in it."""
DEPLOYMENT: Final = "Deployment"
HPA: Final = "HorizontalPodAutoscaler"
_LOAD_USUAL: Final = 0.6
"""Share of what the replicas carry that comes before anything happens."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What is done to a service, and what would repair it.

    Attributes:
        tried: What is done, as a sentence without its full stop.
        spec: Of a Simulation, as a document has it.
        repaired: The same for the repaired service; only ``changes`` and what they need differ.
        repair: What the repair is, such as "with maxSurge 0 and maxUnavailable 1".
        tell: Says what a run came to.
        nodes: How many nodes are assumed, each for one replica, where none are known.
        is_scaled: Whether the autoscaler takes part.
        knows_nodes: Whether the nodes that there are take part where they are known.
        taint: A taint of the nodes that are assumed.
        is_measured: Whether the profile takes part; a trial that says how long requests take has none.
        assumed: What else was assumed.
    """

    tried: str
    spec: Mapping[str, Any]
    repaired: Mapping[str, Any]
    repair: str
    tell: Callable[[Result], Told]
    nodes: int
    is_scaled: bool = False
    knows_nodes: bool = True
    taint: str | None = None
    is_measured: bool = True
    assumed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A finding, and what it is about.

    Attributes:
        finding: It.
        workload: A Deployment.
        autoscaler: What scales it, or is found fault with; None for none.
        known: What is known beside the objects.
    """

    finding: Finding
    workload: Workload
    autoscaler: Autoscaler | None
    known: Known

    @property
    def replicas(self) -> int:
        """How many replicas a trial begins with."""
        return max(1, self.workload.replicas_min)

    @property
    def rate_per_s(self) -> float:
        """Requests per second before anything happens."""
        return self.known.rate_per_s or _LOAD_USUAL * self.known.capacity_per_s * self.replicas

    @property
    def ready_s(self) -> float:
        """How long a start takes [s]; the slowest where it was measured."""
        startup = self.known.profile.startup if self.known.profile is not None else None
        if startup is not None:
            return max(startup.ready_s.samples or (startup.ready_s.at(99),))
        return GPU_READY_S_ASSUMED if self.workload.gpus else READY_S_ASSUMED

    @property
    def longest_s(self) -> float:
        """How long the longest request takes [s]."""
        return self.workload.context.measured.request_s_max or LONGEST_S_ASSUMED

    def base(self, duration_s: float, rate_per_s: float | None = None) -> dict[str, Any]:
        """A Simulation's fields that all trials share."""
        known = self.known
        traffic = {"type": "poisson", "rate": _rate(rate_per_s or self.rate_per_s)}
        spec: dict[str, Any] = {"duration": _span(duration_s), "seed": known.seed, "traffic": traffic}
        if not known.is_measured:
            spec["server"] = {"serviceTime": {"perItem": _span(known.request_s)}}
        pod: dict[str, Any] = {"livenessUnderLoad": "answers"}
        if not known.is_start_measured:
            pod["load"] = [_span(self.ready_s)]
        if self.workload.gpus:
            pod["cpuBound"] = 0
        return {**spec, "pod": pod}

    def metric_meanings(self) -> dict[str, Any] | None:
        """What the autoscaler's metrics are, for the twin; None where one of them is not known."""
        meanings: dict[str, Any] = {}
        for metric in self.autoscaler.metrics if self.autoscaler is not None else ():
            if metric.is_resource:
                continue
            meaning = self.known.meanings.get(metric.name) or metric.meaning
            if meaning is None:
                return None
            scale = 1000 if metric.is_milliseconds else 1
            meanings[metric.name] = {"meaning": meaning, "scale": scale}
        return {"meanings": meanings, "sustainable": _rate(self.known.capacity_per_s)}

    def latency(self) -> MetricView | None:
        """The first metric that is a latency with a target in seconds."""
        metrics = self.autoscaler.metrics if self.autoscaler is not None else ()
        return next((one for one in metrics if one.seconds is not None), None)

    @property
    def slow_s(self) -> float:
        """From where on an answer counts as slow [s]: the autoscaler's latency, or ten times a request."""
        metric = self.latency()
        return (metric.seconds if metric is not None else None) or 10 * self.known.request_s

    def target(self, kind: str) -> str:
        """How a Simulation names an object of this case."""
        if kind == HPA and self.autoscaler is not None:
            return f"{kind}/{self.autoscaler.item.name}"
        return f"{kind}/{self.workload.item.name}"

    def change(self, kind: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        """A change of an object: paths to values, None takes out."""
        return {"target": self.target(kind), "set": dict(fields)}

    def changes_found(self, kind: str) -> list[dict[str, Any]]:
        """The changes that the finding comes with."""
        return [self.change(kind, {_path(one): one.value}) for one in self.finding.changes]


Maker = Callable[[Case], Trial | str]
"""Makes the trial of a case, or says why there is none."""


def happening(kind: str, at_s: float, **fields: Any) -> dict[str, Any]:
    """One happening of a Simulation."""
    return {"type": kind, "at": _span(at_s), **fields}


def steps(*pairs: tuple[float, float]) -> dict[str, Any]:
    """Traffic that changes in steps: from when on [s], and the rate [requests/s]."""
    listed: Sequence[dict[str, Any]] = [{"at": _span(at_s), "rate": _rate(rate)} for at_s, rate in pairs]
    return {"type": "steps", "steps": listed}


def span_text(length_s: float) -> str:
    """A length of time as documents write it, to the microsecond."""
    return _span(length_s)


def _path(change: Change) -> str:
    return format_path(change.path)


def _span(length_s: float) -> str:
    return f"{round(length_s * 1e6)}us" if length_s < 10 else f"{round(length_s)}s"


def _rate(per_s: float) -> float:
    return float(f"{per_s:.4g}")
