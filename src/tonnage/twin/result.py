"""The output of the twin: records, series over time, totals, and a digest of them all.

Nothing in it depends on the machine or the time of day that it was made on, so results can be compared byte
for byte. ``Result.to_document`` is the canonical form; the digest is over it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import numpy.typing as npt

from tonnage.twin.records import (
    NodeRecord,
    PipelineRecord,
    PodRecord,
    Record,
    Remark,
    RolloutRecord,
    ScalingDecision,
)
from tonnage.twin.scenario import Scenario

if TYPE_CHECKING:
    import pandas as pd

FloatArray = npt.NDArray[np.float64]
FrameKind = Literal["series", "scaling", "pods", "nodes", "rollouts", "pipelines", "remarks"]

_FRAMES: Final[Mapping[str, type]] = {
    "scaling": ScalingDecision,
    "pods": PodRecord,
    "nodes": NodeRecord,
    "rollouts": RolloutRecord,
    "pipelines": PipelineRecord,
    "remarks": Remark,
}
_DIGITS: Final = 9


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """What was so over time, one number per interval of ``Scenario.interval_s``.

    Counts belong to the interval in which it was decided: a request is offered when it arrives, and answered
    or dropped when that happens. A dropped request is counted once, under the cause that ended its last
    attempt. Levels are those at the interval's end.

    Attributes:
        time_s: Start of each interval [s].
        offered: Requests that users made (retries of a client are counted in ``retried`` only).
        answered: Answered in time for the client.
        refused_queue: Dropped: the queue was full.
        refused_deadline: Dropped: the deadline could not be met.
        failed: Dropped: it met no server, a closed port, or its server died.
        timed_out: Dropped: its client had waited long enough.
        retried: Further attempts by clients.
        p50_s: Latency of what was answered in the interval [s]; nan when nothing was.
        p95_s: The same.
        p99_s: The same.
        slo_misses: Requests that broke the objective's latency, or were not answered.
        queue: Requests that wait in servers.
        in_flight: Requests that are in servers, waiting or in a batch.
        replicas_wanted: ``spec.replicas`` of the Deployment.
        replicas_created: Its pods that are not terminating.
        replicas_ready: Of these, ready.
        pods_pending: Of these, without a node.
        pods_terminating: Its pods that are terminating.
        endpoints: Pods that requests are sent to.
        nodes: Nodes that are paid for.
        gpus_total: GPUs in them.
        gpus_used: GPUs that pods of the workload hold.
        cost: Since the start, in the currency of the prices.
        metrics: By name of the metric: the value that the autoscaler would read (mean over pods for a
            per-pod one); nan when there is none.
    """

    time_s: FloatArray
    offered: FloatArray
    answered: FloatArray
    refused_queue: FloatArray
    refused_deadline: FloatArray
    failed: FloatArray
    timed_out: FloatArray
    retried: FloatArray
    p50_s: FloatArray
    p95_s: FloatArray
    p99_s: FloatArray
    slo_misses: FloatArray
    queue: FloatArray
    in_flight: FloatArray
    replicas_wanted: FloatArray
    replicas_created: FloatArray
    replicas_ready: FloatArray
    pods_pending: FloatArray
    pods_terminating: FloatArray
    endpoints: FloatArray
    nodes: FloatArray
    gpus_total: FloatArray
    gpus_used: FloatArray
    cost: FloatArray
    metrics: Mapping[str, FloatArray]

    def columns(self) -> dict[str, FloatArray]:
        """Every series by name; metrics as ``metric:<name>``."""
        found = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "metrics"}
        return found | {f"metric:{name}": values for name, values in self.metrics.items()}


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums of a whole run. Conservation holds: offered = answered + drops + unfinished.

    Attributes:
        offered: Requests that users made.
        answered: Answered in time for the client.
        dropped: Requests given up, by the cause of their last attempt (the values of ``requests.Cause``).
        unfinished: Requests without an end when the run ended.
        attempts_failed: Attempts that failed, tried again or not, by cause.
        retried: Further attempts by clients.
        p50_s: Latency of all that was answered [s]; nan when nothing was.
        p90_s: The same.
        p95_s: The same.
        p99_s: The same.
        p999_s: The same.
        slo_misses: Requests that broke the objective's latency, or were dropped; 0 without an objective.
        slo_miss_ratio: Of all that were answered or dropped; nan when none was.
        cost: In the currency of the prices.
        gpu_hours: Paid for.
        gpu_hours_used: Held by pods of the workload.
        replicas_peak: Pods that were ready at one time, at most.
        nodes_peak: Nodes paid for at one time, at most.
        gpus_peak: GPUs held at one time, at most.
        restarts: Container restarts.
        rescales: Times that the HPA changed the Deployment.
    """

    offered: int
    answered: int
    dropped: Mapping[str, int]
    unfinished: int
    attempts_failed: Mapping[str, int]
    retried: int
    p50_s: float
    p90_s: float
    p95_s: float
    p99_s: float
    p999_s: float
    slo_misses: int
    slo_miss_ratio: float
    cost: float
    gpu_hours: float
    gpu_hours_used: float
    replicas_peak: int
    nodes_peak: int
    gpus_peak: int
    restarts: int
    rescales: int

    @property
    def drops(self) -> int:
        """Requests that were offered and given up."""
        return sum(self.dropped.values())

    @property
    def drop_ratio(self) -> float:
        """Drops of all that were answered or dropped; nan when none was."""
        ended = self.answered + self.drops
        return self.drops / ended if ended else math.nan


@dataclass(frozen=True, slots=True, eq=False)
class Histogram:
    """Latencies of all that was answered.

    Attributes:
        bound_s: Upper bounds of the buckets, ascending [s].
        count: Answers in each bucket.
    """

    bound_s: FloatArray
    count: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """What a run gave.

    Attributes:
        scenario: Of what.
        records: Facts, in order.
        series: Numbers over time.
        totals: Sums.
        histogram: Latencies.
        not_modelled: What the scenario asked for and the twin does not do.
    """

    scenario: Scenario
    records: tuple[Record, ...]
    series: Series
    totals: Totals
    histogram: Histogram
    not_modelled: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 over totals, records and series, numbers to nine digits; equal for equal scenarios."""
        made = hashlib.sha256(dump({**self._head(), "records": self._records()}).encode())
        for name, values in self.series.columns().items():
            made.update(name.encode())
            made.update(_rounded(values))
        made.update(_rounded(self.histogram.bound_s))
        made.update(self.histogram.count.tobytes())
        return made.hexdigest()

    def to_document(self) -> dict[str, Any]:
        """The result as plain values with a fixed order; nan is null."""
        return {
            **self._head(),
            "records": self._records(),
            "series": {name: plain(values.tolist()) for name, values in self.series.columns().items()},
            "histogram": {
                "bound_s": plain(self.histogram.bound_s.tolist()),
                "count": self.histogram.count.tolist(),
            },
            "not_modelled": list(self.not_modelled),
        }

    def _head(self) -> dict[str, Any]:
        return {
            "scenario": self.scenario.name,
            "seed": self.scenario.seed,
            "duration_s": self.scenario.duration_s,
            "interval_s": self.scenario.interval_s,
            "totals": plain(dataclasses.asdict(self.totals)),
        }

    def _records(self) -> list[dict[str, Any]]:
        return [{"kind": type(r).__name__, **plain(dataclasses.asdict(r))} for r in self.records]

    def frame(self, kind: FrameKind = "series") -> pd.DataFrame:
        """Series or one kind of records as a table, where pandas is installed.

        Raises:
            ImportError: pandas is not there.
        """
        import pandas as pd

        if kind == "series":
            return pd.DataFrame(self.series.columns())
        wanted = _FRAMES[kind]
        rows = [dataclasses.asdict(record) for record in self.records if isinstance(record, wanted)]
        return pd.DataFrame(rows, columns=[field.name for field in dataclasses.fields(wanted)])


def _rounded(values: FloatArray) -> bytes:
    """Numbers to 30 bits, about nine digits, so that the last bit of a library's sum does not matter."""
    mantissa, exponent = np.frexp(np.nan_to_num(values, nan=-1.0, posinf=-2.0, neginf=-3.0))
    return np.rint(mantissa * 2.0**30).astype(np.int64).tobytes() + exponent.astype(np.int32).tobytes()


def plain(value: Any) -> Any:
    """Values as JSON has them: floats to nine significant digits, nan and infinities as null."""
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def dump(document: dict[str, Any]) -> str:
    """A document as canonical JSON."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
