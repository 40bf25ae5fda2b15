"""One reconciliation of one HorizontalPodAutoscaler: everything it sees goes in, everything it does comes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tonnage.hpa.facts import MetricsSnapshot, PodFact
from tonnage.hpa.outcome import NO_FAULTS, ApiFaults, Reconciliation
from tonnage.hpa.spec import Hpa
from tonnage.hpa.state import ControllerConfig, ControllerState


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

    Source: pkg/controller/podautoscaler/horizontal.go, reconcileAutoscaler.
    """
    raise NotImplementedError
