"""The ``ServingPlan``: every number that planning found, and why it is that number.

The document is plain data of one version. Each ``Reason`` names the number that it explains by its path in
the document, says the formula in words, and lists what went in with where that came from.
"""

from __future__ import annotations

from dataclasses import dataclass

from tonnage.plan.demand import Following, Range
from tonnage.plan.objective import Target
from tonnage.plan.price import Packing
from tonnage.plan.replica import Comparison
from tonnage.plan.sizing import Counts


@dataclass(frozen=True, slots=True)
class Given:
    """One thing that went into a number.

    Attributes:
        name: What it is.
        value: Its value, as it is shown.
        origin: Where it is from: a field of the document, the profile, an option, a default.
    """

    name: str
    value: str
    origin: str


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a number is what it is.

    Attributes:
        path: The number, by its path in the document.
        value: The number, as it is shown.
        because: The formula, in words.
        given: What went in.
    """

    path: str
    value: str
    because: str
    given: tuple[Given, ...] = ()


@dataclass(frozen=True, slots=True)
class Alternative:
    """An objective, or a bound, with which the refused plan would be possible.

    Attributes:
        field: What to change, as the document or command line names it.
        value: To what.
        text: In words.
    """

    field: str
    value: str
    text: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an objective cannot hold.

    Attributes:
        code: One of ``unloaded-latency``, ``batch-delay``, ``measured``, ``spread``, ``max-replicas``,
            ``stock``, ``quota``, ``no-node``.
        path: The field or option that is in the way.
        message: What must hold and what was found.
        alternatives: What would be possible, the nearest first.
    """

    code: str
    path: str
    message: str
    alternatives: tuple[Alternative, ...] = ()


@dataclass(frozen=True, slots=True)
class State:
    """Latency in one situation, as the queueing estimate says.

    Attributes:
        name: The situation.
        replicas: Replicas that serve.
        rate_per_s: Rate at each [1/s].
        latencies_s: Percentile to latency [s]; infinite where the queue would grow without end.
    """

    name: str
    replicas: int
    rate_per_s: float
    latencies_s: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Replica:
    """What one replica does.

    Attributes:
        sustainable_per_s: The highest rate inside the objective [1/s].
        estimated_per_s: What the model of the replica says [1/s].
        measured_per_s: What measuring found, where it binds [1/s].
        capacity_per_s: Rate beyond which its queue grows without end, or nothing was measured [1/s].
        method: ``queue`` (solved from service times) or ``curve`` (read off measured latencies).
        unloaded_s: Percentile to latency without load [s].
        batch_size_max: Items that it gathers into a batch at most; None for ``curve``.
        workers: Its processes.
        comparisons: The estimate beside what was measured.
    """

    sustainable_per_s: float
    estimated_per_s: float
    measured_per_s: float | None
    capacity_per_s: float
    method: str
    unloaded_s: tuple[tuple[float, float], ...]
    batch_size_max: int | None
    workers: int
    comparisons: tuple[Comparison, ...] = ()


@dataclass(frozen=True, slots=True)
class Rollout:
    """A rolling update.

    Attributes:
        max_surge: Replicas on top at a time.
        max_unavailable: Replicas missing at a time.
        duration_s: About how long it takes [s]; None without a measured start-up.
    """

    max_surge: int
    max_unavailable: int
    duration_s: float | None


@dataclass(frozen=True, slots=True)
class Cost:
    """What the nodes cost.

    Attributes:
        currency: Of all amounts.
        prices: Which table.
        example: Whether the table is only an example.
        instance: Instance type; empty where given nodes are of several.
        packing: How replicas fill it; None for given nodes.
        nodes: Nodes for ``replicas``.
        per_hour: For these [currency/h].
        per_month: For these [currency].
        per_month_min: At the minimum; None without traffic.
        per_month_max: At the maximum; None without traffic.
        per_month_mean: When replicas follow the traffic; None without traffic.
    """

    currency: str
    prices: str
    example: bool
    instance: str
    packing: Packing | None
    nodes: int
    per_hour: float
    per_month: float
    per_month_min: float | None = None
    per_month_max: float | None = None
    per_month_mean: float | None = None


@dataclass(frozen=True, slots=True)
class Scaling:
    """Between which numbers an autoscaler should move.

    Attributes:
        range: Found for the traffic.
        following: How fast it follows.
        window_s: Time over which a rate must be carried [s].
        peak_per_s: Highest rate over that time [1/s].
        rates_per_s: Name to rate [1/s]: percentiles and peaks over windows.
    """

    range: Range
    following: Following
    window_s: float
    peak_per_s: float
    rates_per_s: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """One run in the twin.

    Attributes:
        name: The situation.
        replicas: Replicas that served.
        rate_per_s: Offered to all [1/s].
        requests: Requests sent.
        latencies_s: Percentile to latency [s].
        dropped: Requests that were not answered.
        estimated_s: Percentile to the estimate [s].
        held: Whether every target held and nothing was dropped.
    """

    name: str
    replicas: int
    rate_per_s: float
    requests: int
    latencies_s: tuple[tuple[float, float], ...]
    dropped: int
    estimated_s: tuple[tuple[float, float], ...]
    held: bool


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What the twin says of a plan.

    Attributes:
        runs: One for each situation.
        seed: Of all chance.
        added: Replicas that were added because the twin needed more than the estimate.
    """

    runs: tuple[Checked, ...]
    seed: int
    added: int = 0

    @property
    def held(self) -> bool:
        """Whether every run held."""
        return all(run.held for run in self.runs)


@dataclass(frozen=True, slots=True)
class ServingPlan:
    """A plan, or why there is none.

    Attributes:
        name: The service.
        profile: What was measured: name and time.
        rate_per_s: Rate to be carried [1/s].
        targets: Latencies to hold.
        headroom_ratio: Rate on top, as a share.
        survive: What may be lost at once.
        replica: What one replica does.
        counts: Replicas; None where no number of them would do.
        scaling: Minimum and maximum; None without traffic.
        rollout: The rolling update; None where there are no counts.
        gpus: GPUs of one replica.
        states: Latency by situation.
        cost: None where nothing is known of prices.
        confirmation: The twin's word; None where it was not asked.
        refusals: Why the objective cannot hold; empty for a plan that can be deployed.
        reasons: Why each number is what it is.
        remarks: What a reader should know.
    """

    name: str
    profile: str
    rate_per_s: float
    targets: tuple[Target, ...]
    headroom_ratio: float
    survive: str
    replica: Replica
    counts: Counts | None
    scaling: Scaling | None
    rollout: Rollout | None
    gpus: int
    states: tuple[State, ...] = ()
    cost: Cost | None = None
    confirmation: Confirmation | None = None
    refusals: tuple[Refusal, ...] = ()
    reasons: tuple[Reason, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def feasible(self) -> bool:
        """Whether the objective can hold."""
        return not self.refusals

    @property
    def replicas_peak(self) -> int:
        """Most replicas at any time, the surge of a rolling update included."""
        counted = self.counts.replicas if self.counts is not None else 0
        highest = self.scaling.range.highest if self.scaling is not None else 0
        return max(counted, highest) + (self.rollout.max_surge if self.rollout is not None else 0)
