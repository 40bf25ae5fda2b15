"""kube-scheduler's default filters, scores and preemption (Kubernetes v1.37.2) as pure functions.

    cluster = Cluster()
    cluster.add_node(node_from_object(node_json))
    placement = schedule(pod_from_object(pod_json), cluster)
    if placement.node is not None:
        cluster.add_pod(placement.pod, placement.node)

``schedule`` looks at all nodes and answers with the best ones, the scores and rejections in upstream's words,
and whom the pod would preempt. The Go code itself is the judge: tests/differential/scheduling compares every
answer with it. ``not_modelled`` names what of a pod's object is left out.
"""

from tonnage.scheduling.cluster import Cluster
from tonnage.scheduling.node import Node, Taint
from tonnage.scheduling.not_modelled import not_modelled
from tonnage.scheduling.objects import (
    budget_from_object,
    devices_from_claim,
    node_from_object,
    pod_from_object,
    selector_from_object,
)
from tonnage.scheduling.placement import (
    ALL_NODES,
    Choose,
    Placement,
    Preemption,
    Rejection,
    Sampling,
    first,
)
from tonnage.scheduling.pod import (
    AffinityTerm,
    Budget,
    HostPort,
    Owner,
    Pod,
    PodSpec,
    PreferredNodeTerm,
    SpreadConstraint,
    Toleration,
    WeightedTerm,
)
from tonnage.scheduling.resources import Amounts
from tonnage.scheduling.schedule import schedule
from tonnage.scheduling.selectors import NodeTerm, Requirement, Selector, selector_of

__all__ = [
    "ALL_NODES",
    "AffinityTerm",
    "Amounts",
    "Budget",
    "Choose",
    "Cluster",
    "HostPort",
    "Node",
    "NodeTerm",
    "Owner",
    "Placement",
    "Pod",
    "PodSpec",
    "Preemption",
    "PreferredNodeTerm",
    "Rejection",
    "Requirement",
    "Sampling",
    "Selector",
    "SpreadConstraint",
    "Taint",
    "Toleration",
    "WeightedTerm",
    "budget_from_object",
    "devices_from_claim",
    "first",
    "node_from_object",
    "not_modelled",
    "pod_from_object",
    "schedule",
    "selector_from_object",
    "selector_of",
]
