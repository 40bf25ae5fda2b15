"""One reconciliation of one autoscaler: all that the controller sees goes in, all that it does comes out.

The order is upstream's: read the scale, remember its count the first time, then one of four ways. At zero
replicas scaling is disabled, unless the autoscaler itself had gone there; above max or below min the bound is
taken at once; else the metrics propose a count, which is stabilized and limited. What is written is
remembered, and the status says what happened.

Source: pkg/controller/podautoscaler/horizontal.go, named at each function.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tonnage.hpa.calculator import Tolerances
from tonnage.hpa.draft import Decision, Draft
from tonnage.hpa.facts import MetricsSnapshot, PodFact
from tonnage.hpa.limits import (
    Bounds,
    down_window_ns,
    limit_by_factor,
    limit_by_rules,
    stabilize_both,
    stabilize_down,
)
from tonnage.hpa.metrics import Proposal, Scene, propose
from tonnage.hpa.outcome import NO_FAULTS, ApiFaults, Reconciliation
from tonnage.hpa.selectors import SelectorError, parse_selector
from tonnage.hpa.spec import Hpa
from tonnage.hpa.state import ControllerConfig, ControllerState, nanoseconds


def reconcile(
    hpa: Hpa,
    *,
    spec_replicas: int,
    status_replicas: int,
    pods: Sequence[PodFact],
    metrics: MetricsSnapshot,
    state: ControllerState,
    config: ControllerConfig,
    now_s: float,
    selector: str | None = None,
    rival_selectors: Mapping[str, str] | None = None,
    faults: ApiFaults = NO_FAULTS,
) -> Reconciliation:
    """Decides how many replicas the target should have, as Kubernetes 1.37's controller does.

    The controller reconciles when an autoscaler appears, at once when its spec is edited, and every
    ``config.sync_period_s`` from the first reconciliation on; an edit does not move that rhythm.

    Args:
        hpa: The autoscaler's spec.
        spec_replicas: ``spec.replicas`` of the target's scale [pods, >= 0].
        status_replicas: ``status.replicas`` of the target's scale: pods that exist [pods, >= 0].
        pods: Without ``selector``, exactly the pods that the target selects; with it, all pods of the
            namespace.
        metrics: What the metrics APIs answer now.
        state: What the last reconciliation returned, ``NO_STATE`` for the first one.
        config: The controller's flags.
        now_s: Now [s].
        selector: ``status.selector`` of the target's scale, in the text form of label selectors.
        rival_selectors: The other autoscalers of the namespace: name to the selector of their targets.
        faults: What the API server refuses.

    Returns:
        The decision; its ``state`` goes into the next call.

    Raises:
        TypeError: The snapshot answers a query with an answer of another kind.
        SelectorError: A rival's selector does not parse.

    Source: reconcileAutoscaler.
    """
    draft = Draft(hpa, spec_replicas, state, config, now_s)
    if faults.get_scale is not None:
        return draft.without_scale(faults.get_scale)
    draft.found_scale()
    decision = _decide(draft, status_replicas, pods, metrics, selector, rival_selectors or {})
    if decision is None:
        return draft.unchanged()
    if decision.replicas == spec_replicas:
        return draft.settled()
    return draft.rescaled(decision, faults.update_scale)


def _decide(
    draft: Draft,
    status_replicas: int,
    pods: Sequence[PodFact],
    snapshot: MetricsSnapshot,
    selector: str | None,
    rival_selectors: Mapping[str, str],
) -> Decision | None:
    """Takes one of the four ways; None where nothing may be done (rules E4 and E21)."""
    hpa, current = draft.hpa, draft.spec_replicas
    if current == 0:
        # NB: with a min above 0 any metric may bring it back, with a min of 0 only Object and External.
        if not draft.was_scaled_to_zero or not (hpa.replicas_min != 0 or hpa.can_reach_zero):
            message = "scaling is disabled since the replica count of the target is zero"
            draft.set("ScalingActive", False, "ScalingDisabled", message)
            draft.step("E4", "at zero replicas, and not by this autoscaler: scaling is disabled")
            return Decision(0, "")
        draft.step("E21", "at zero replicas by this autoscaler's own doing: the metrics may bring it back")
    elif current > hpa.replicas_max:
        draft.step("E4", f"{current} replicas are above the maximum of {hpa.replicas_max}")
        return Decision(hpa.replicas_max, "Current number of replicas above Spec.MaxReplicas")
    elif current < hpa.replicas_min:
        draft.step("E4", f"{current} replicas are below the minimum of {hpa.replicas_min}")
        return Decision(hpa.replicas_min, "Current number of replicas below Spec.MinReplicas")
    selected = pods
    if selector is not None:
        checked = _select(draft, pods, selector, rival_selectors)
        if checked is None:
            return None
        selected = checked
    tolerances = _tolerances(hpa, draft.config)
    proposal = propose(
        Scene(hpa, current, status_replicas, selected, snapshot, tolerances, draft.config, draft.now_s)
    )
    _note(draft, proposal)
    return None if proposal.replicas is None else _normalize(draft, proposal.replicas, proposal.metric)


def _select(
    draft: Draft, pods: Sequence[PodFact], selector: str, rival_selectors: Mapping[str, str]
) -> list[PodFact] | None:
    """Picks the target's pods; None where the selector does not do (rule E5).

    NB: upstream prints two of the autoscalers that clash, in random order; we print them by name.

    Source: validateAndParseSelector.
    """
    if not selector:
        _refuse_selector(
            draft,
            ("SelectorRequired", "selector is required"),
            ("InvalidSelector", "the HPA target's scale is missing a selector"),
        )
        return None
    try:
        parsed = parse_selector(selector)
    except SelectorError as error:
        message = f"couldn't convert selector into a corresponding internal selector object: {error}"
        _refuse_selector(draft, ("InvalidSelector", message), ("InvalidSelector", message))
        return None
    selected = [pod for pod in pods if parsed.matches(pod.labels)]
    claims = [
        name
        for name, text in sorted(rival_selectors.items())
        if any(parse_selector(text).matches(pod.labels) for pod in selected)
    ]
    if claims:
        names = sorted((draft.hpa.name, claims[0]))
        printed_names = " ".join(f"{draft.hpa.namespace}/{name}" for name in names)
        message = (
            f"pods by selector {selector} are controlled by more than one HPA (e.g. [{printed_names}])"
        )
        _refuse_selector(draft, ("AmbiguousSelector", message), ("AmbiguousSelector", message))
        return None
    return selected


def _refuse_selector(draft: Draft, event: tuple[str, str], condition: tuple[str, str]) -> None:
    draft.warn(*event)
    draft.set("ScalingActive", False, *condition)
    draft.step("E5", condition[1])
    _fail(draft, event[1])


def _fail(draft: Draft, error: str) -> None:
    draft.warn("FailedComputeMetricsReplicas", error)
    what = "failed to compute desired number of replicas based on listed metrics for"
    draft.error = f"{what} {draft.reference}: {error}"


def _note(draft: Draft, proposal: Proposal) -> None:
    """Writes down what the metrics said."""
    draft.metrics = proposal.statuses
    draft.steps.extend(proposal.steps)
    for failure in proposal.failures:
        draft.warn(failure.reason, failure.message)
    if proposal.replicas is None:
        first = proposal.failures[0]
        message = f"the HPA was unable to compute the replica count: {first.message}"
        draft.set("ScalingActive", False, first.reason, message)
        _fail(draft, proposal.error or "")
        return
    message = f"the HPA was able to successfully calculate a replica count from {proposal.metric}"
    draft.set("ScalingActive", True, "ValidMetricFound", message)
    draft.error = proposal.error


def _tolerances(hpa: Hpa, config: ControllerConfig) -> Tolerances:
    """Source: tolerancesForHpa."""
    down = up = config.tolerance
    if hpa.behavior is not None:
        if hpa.behavior.scale_down.tolerance is not None:
            down = hpa.behavior.scale_down.tolerance
        if hpa.behavior.scale_up.tolerance is not None:
            up = hpa.behavior.scale_up.tolerance
    return Tolerances(down, up)


def _normalize(draft: Draft, proposed: int, metric: str) -> Decision:
    """Stabilizes and limits what the metrics propose (rules E17 and E18)."""
    hpa, current = draft.hpa, draft.spec_replicas
    desired = max(proposed, 0)
    reason = ""
    if desired > current:
        reason = f"{metric} above target"
    elif desired < current:
        reason = "All metrics below target"
    bounds = Bounds(current, hpa.replicas_min, hpa.replicas_max)
    memory = draft.state.recommendations or ()
    if hpa.behavior is None:
        window_ns = nanoseconds(draft.config.downscale_stabilization_s)
        stabilized = stabilize_down(desired, memory, window_ns, draft.now_ns)
        limited = limit_by_factor(stabilized.replicas, bounds)
        rule = "E17"
    else:
        stabilized = stabilize_both(
            desired,
            current,
            memory,
            nanoseconds(hpa.behavior.scale_up.stabilization_window_s or 0),
            down_window_ns(hpa.behavior.scale_down, draft.config),
            draft.now_ns,
        )
        limited = limit_by_rules(stabilized.replicas, bounds, hpa.behavior, draft.state, draft.now_ns)
        rule = "E18"
    draft.state = replace(draft.state, recommendations=stabilized.recommendations)
    draft.set("AbleToScale", True, stabilized.reason, stabilized.message)
    draft.set("ScalingLimited", limited.is_limited, limited.reason, limited.message)
    if stabilized.replicas != desired:
        draft.step(rule, f"{desired} is stabilized to {stabilized.replicas}: {stabilized.message}")
    if limited.is_limited:
        draft.step(rule, f"{stabilized.replicas} is limited to {limited.replicas}: {limited.message}")
    replicas = limited.replicas
    if current == 0 and hpa.replicas_min != 0 and replicas < hpa.replicas_min:
        replicas = hpa.replicas_min
        reason = reason or "Current number of replicas below Spec.MinReplicas"
        draft.step("E21", f"leaving zero for at least the minimum of {replicas}")
    return Decision(replicas, reason)
