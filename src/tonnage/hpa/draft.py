"""What one reconciliation writes down while it decides: conditions, events, statuses, and how it may end.

Source: pkg/controller/podautoscaler/horizontal.go, named at each method.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tonnage.hpa.limits import remembering_change
from tonnage.hpa.outcome import HpaEvent, Reconciliation, Step
from tonnage.hpa.spec import Hpa
from tonnage.hpa.state import (
    Condition,
    ConditionType,
    ControllerConfig,
    ControllerState,
    MetricStatus,
    Recommendation,
    nanoseconds,
)


@dataclass(frozen=True, slots=True)
class Decision:
    """A count, and the reason that upstream gives for it.

    Attributes:
        replicas: The count.
        reason: Of the SuccessfulRescale event.
    """

    replicas: int
    reason: str


class Draft:
    """What one reconciliation has found out and written down so far.

    It lives inside one call of ``reconcile`` and is its only mutable part.

    Attributes:
        hpa: The autoscaler.
        spec_replicas: What the target has now.
        state: Memory and status, the memory as changed so far.
        config: The controller's flags.
        now_s: Now [s].
        now_ns: Now [ns].
        metrics: The metrics' statuses.
        error: What the controller will log.
        steps: The rules that took part.
    """

    def __init__(
        self, hpa: Hpa, spec_replicas: int, state: ControllerState, config: ControllerConfig, now_s: float
    ) -> None:
        self.hpa = hpa
        self.spec_replicas = spec_replicas
        self.state = state
        self.config = config
        self.now_s = now_s
        self.now_ns = nanoseconds(now_s)
        self.metrics: tuple[MetricStatus, ...] = ()
        self.error: str | None = None
        self.steps: list[Step] = []
        self._events: list[HpaEvent] = []
        self._conditions = {condition.type: condition for condition in state.status.conditions}

    @property
    def reference(self) -> str:
        """The target, as upstream's errors name it."""
        return f"{self.hpa.target.kind}/{self.hpa.namespace}/{self.hpa.target.name}"

    @property
    def was_scaled_to_zero(self) -> bool:
        """Whether the autoscaler itself had gone to zero. Source: getScaledToZeroConditionStatus."""
        condition = self._conditions.get("ScaledToZero")
        return condition is not None and condition.is_true

    def step(self, rule: str, text: str) -> None:
        """Notes a rule that took part."""
        self.steps.append(Step(rule, text))

    def warn(self, reason: str, message: str) -> None:
        """Emits an event of severity Warning."""
        self._events.append(HpaEvent("Warning", reason, message))

    def set(self, type_: ConditionType, is_true: bool, reason: str, message: str) -> None:
        """Sets a condition; its time moves only with its status. Source: setConditionInList."""
        before = self._conditions.get(type_)
        since_s = before.since_s if before is not None and before.is_true == is_true else self.now_s
        self._conditions[type_] = Condition(type_, is_true, reason, message, since_s)

    def found_scale(self) -> None:
        """Notes the count that was found; the first time it is a recommendation (rule E3)."""
        self.set(
            "AbleToScale",
            True,
            "SucceededGetScale",
            "the HPA controller was able to get the target's current scale",
        )
        if self.state.recommendations is None:
            first = Recommendation(self.spec_replicas, self.now_ns)
            self.state = replace(self.state, recommendations=(first,))
            self.step("E3", f"first seen with {self.spec_replicas} replicas, kept as a recommendation")

    def without_scale(self, refusal: str) -> Reconciliation:
        """Ends where the scale could not be read."""
        self.warn("FailedGetScale", refusal)
        message = f"the HPA controller was unable to get the target's current scale: {refusal}"
        self.set("AbleToScale", False, "FailedGetScale", message)
        self.error = f"failed to query scale subresource for {self.reference}: {refusal}"
        status = replace(self.state.status, conditions=tuple(self._conditions.values()))
        return self._outcome(replace(self.state, status=status), rescale=False)

    def unchanged(self) -> Reconciliation:
        """Ends where nothing may be done. Source: setCurrentReplicasAndMetricsInStatus."""
        return self._outcome(self._with_status(self.state.status.desired_replicas), rescale=False)

    def settled(self) -> Reconciliation:
        """Ends where the count is right."""
        return self._outcome(self._with_status(self.spec_replicas), rescale=False)

    def rescaled(self, decision: Decision, refusal: str | None) -> Reconciliation:
        """Ends where the scale is written."""
        size = f"New size: {decision.replicas}; reason: {decision.reason}"
        if refusal is not None:
            self.warn("FailedRescale", f"{size}; error: {refusal}")
            message = f"the HPA controller was unable to update the target scale: {refusal}"
            self.set("AbleToScale", False, "FailedUpdateScale", message)
            self.error = f"failed to rescale {self.reference}: {refusal}"
            return self.unchanged()
        message = f"the HPA controller was able to update the target scale to {decision.replicas}"
        self.set("AbleToScale", True, "SucceededRescale", message)
        self._events.append(HpaEvent("Normal", "SuccessfulRescale", size))
        self.state = remembering_change(
            self.state, self.hpa.behavior, self.spec_replicas, decision.replicas, self.now_ns
        )
        if (
            self.spec_replicas > 0
            and decision.replicas == 0
            and self.hpa.replicas_min == 0
            and self.hpa.can_reach_zero
        ):
            self.set(
                "ScaledToZero", True, "ScaledToZero", "the HPA controller scaled the workload to zero"
            )
        else:
            message = "the HPA controller did not scale the workload to zero"
            self.set("ScaledToZero", False, "NotScaledToZero", message)
        state = self._with_status(decision.replicas)
        state = replace(state, status=replace(state.status, last_scale_time_s=self.now_s))
        return self._outcome(
            state, rescale=True, replicas=decision.replicas, reason=decision.reason
        )

    def _with_status(self, desired_replicas: int) -> ControllerState:
        """Source: setStatus."""
        status = replace(
            self.state.status,
            current_replicas=self.spec_replicas,
            desired_replicas=desired_replicas,
            conditions=tuple(self._conditions.values()),
            metrics=self.metrics,
        )
        return replace(self.state, status=status)

    def _outcome(
        self, state: ControllerState, *, rescale: bool, replicas: int | None = None, reason: str = ""
    ) -> Reconciliation:
        return Reconciliation(
            desired_replicas=self.spec_replicas if replicas is None else replicas,
            rescale=rescale,
            reason=reason,
            conditions=state.status.conditions,
            metrics=self.metrics,
            events=tuple(self._events),
            error=self.error,
            trace=tuple(self.steps),
            state=state,
        )
