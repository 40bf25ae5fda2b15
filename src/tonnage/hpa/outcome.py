"""What one reconciliation decided, and why, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tonnage.hpa.state import Condition, ControllerState, MetricStatus


@dataclass(frozen=True, slots=True)
class Step:
    """One rule that took part in a decision.

    Attributes:
        rule: The rule's number, ``E1`` to ``E22``, as in the table of rules in ``tonnage.hpa``.
        text: What it was given and what it said, in words.
    """

    rule: str
    text: str


@dataclass(frozen=True, slots=True)
class HpaEvent:
    """A Kubernetes event that the controller emits about the autoscaler.

    Attributes:
        type: Severity.
        reason: One word.
        message: One sentence.
    """

    type: Literal["Normal", "Warning"]
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class ApiFaults:
    """The API server's refusals during a reconciliation; None where it obliges.

    Attributes:
        get_scale: Why the target's scale could not be read.
        update_scale: Why the target's scale could not be written.
    """

    get_scale: str | None = None
    update_scale: str | None = None


NO_FAULTS = ApiFaults()


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The outcome of one reconciliation.

    Attributes:
        desired_replicas: The count that the target has afterwards, if nobody else changes it: what was
            written when ``rescale``, else the count that it had.
        rescale: Whether the target's scale was written.
        reason: Why it was, as in upstream's SuccessfulRescale event; empty when it was not.
        conditions: The autoscaler's conditions afterwards.
        metrics: The status of each metric; empty where none was computed.
        events: In the order in which they were emitted.
        error: What the controller logs when the reconciliation failed, wholly or in part; else None.
        trace: Which rules decided, in order.
        state: What to hand to the next reconciliation.
    """

    desired_replicas: int
    rescale: bool
    reason: str
    conditions: tuple[Condition, ...]
    metrics: tuple[MetricStatus, ...]
    events: tuple[HpaEvent, ...]
    error: str | None
    trace: tuple[Step, ...]
    state: ControllerState
