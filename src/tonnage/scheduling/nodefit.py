"""What a pod's spec and the nodes alone decide: cordons, taints, node affinity, and the scores by them.

No pod plays a part here, so the answer for a spec is remembered until a node changes. Deviation: how many
nodes have an image is always current here; upstream's view of it is as old as the last change at the node.

Source: k8s.io/kubernetes v1.37.2, pkg/scheduler/framework/plugins: nodename, nodeunschedulable,
tainttoleration, nodeaffinity, imagelocality.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from tonnage.scheduling.cluster import Cluster
from tonnage.scheduling.node import UNSCHEDULABLE_TAINT, Node, Taint
from tonnage.scheduling.placement import Rejection
from tonnage.scheduling.pod import PodSpec
from tonnage.scheduling.selectors import NodeTerm
from tonnage.scheduling.table import Bools, Ints

NODE_NAME: Final = "NodeName"
NODE_AFFINITY: Final = "NodeAffinity"

_CORDON: Final = Taint(UNSCHEDULABLE_TAINT, "", "NoSchedule")
_REJECTIONS: Final = (
    Rejection(NODE_NAME, ("node(s) didn't match the requested node name",), False),
    Rejection("NodeUnschedulable", ("node(s) were unschedulable",), False),
    Rejection("TaintToleration", ("node(s) had untolerated taint(s)",), False),
    Rejection(NODE_AFFINITY, ("node(s) didn't match Pod's node affinity/selector",), False),
)
_CONFLICT: Final = Rejection(NODE_AFFINITY, ("pod affinity terms conflict",), False)

_MIB: Final = 1024 * 1024
_IMAGE_BYTES_MIN: Final = 23 * _MIB
_IMAGE_BYTES_MAX: Final = 1000 * _MIB
SCORE_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class NodeFit:
    """How the nodes suit a spec, whatever pods there are.

    Attributes:
        fault: Per node the rank of the first rejection in ``rejection_of``; -1 for none.
        affine: Which nodes match the node selector and the required node affinity.
        tolerated: Which nodes have no taint of effect NoSchedule or NoExecute that the spec does not bear.
        preferred: Per node the sum of weights of the preferred node terms that match.
        avoided: Per node the number of PreferNoSchedule taints that the spec does not bear.
        images: Per node the score by images that are there [0 to 100].
        only: Names of the nodes that are looked at; None for all.
        only_by: The plugins that say so, sorted.
        refusal: Why no node is looked at at all; None when some are.
    """

    fault: Ints
    affine: Bools
    tolerated: Bools
    preferred: Ints
    avoided: Ints
    images: Ints
    only: frozenset[str] | None
    only_by: tuple[str, ...]
    refusal: Rejection | None


def rejection_of(fault: int) -> Rejection:
    """The rejection that a ``NodeFit.fault`` of 0 or more stands for."""
    return _REJECTIONS[fault]


def node_fit(spec: PodSpec, cluster: Cluster) -> NodeFit:
    """Finds how the nodes suit a spec, or remembers it."""
    memory = cluster.memory()
    found: NodeFit | None = memory.get((NodeFit, spec))
    if found is None:
        found = memory[NodeFit, spec] = _node_fit(spec, cluster)
    return found


def _node_fit(spec: PodSpec, cluster: Cluster) -> NodeFit:
    nodes = cluster.table.nodes
    affine = [_matches(spec, node) for node in nodes]
    tolerated = [
        all(taint.effect == "PreferNoSchedule" or spec.tolerates(taint) for taint in node.taints)
        for node in nodes
    ]
    bears_cordon = spec.tolerates(_CORDON)
    fault = []
    for node, is_affine, is_tolerated in zip(nodes, affine, tolerated, strict=True):
        if spec.node_name is not None and node.name != spec.node_name:
            fault.append(0)
        elif node.unschedulable and not bears_cordon:
            fault.append(1)
        elif not is_tolerated:
            fault.append(2)
        else:
            fault.append(-1 if is_affine else 3)
    only, only_by, refusal = _looked_at(spec)
    return NodeFit(
        fault=np.array(fault, np.int64),
        affine=np.array(affine, np.bool_),
        tolerated=np.array(tolerated, np.bool_),
        preferred=np.array([_preferred(spec, node) for node in nodes], np.int64),
        avoided=np.array([_avoided(spec, node) for node in nodes], np.int64),
        images=np.array(_image_scores(spec, cluster), np.int64),
        only=only,
        only_by=only_by,
        refusal=refusal,
    )


def _matches(spec: PodSpec, node: Node) -> bool:
    if any(node.labels.get(key) != value for key, value in spec.node_selector):
        return False
    terms = spec.node_terms
    return terms is None or any(term.matches(node.name, node.labels) for term in terms)


def _preferred(spec: PodSpec, node: Node) -> int:
    return sum(one.weight for one in spec.preferred_nodes if one.term.matches(node.name, node.labels))


def _avoided(spec: PodSpec, node: Node) -> int:
    return sum(taint.effect == "PreferNoSchedule" and not spec.tolerates(taint) for taint in node.taints)


def _looked_at(spec: PodSpec) -> tuple[frozenset[str] | None, tuple[str, ...], Rejection | None]:
    """Which nodes the spec names, by ``spec.nodeName`` or by affinity to ``metadata.name``.

    Source: RunPreFilterPlugins in pkg/scheduler/framework/runtime/framework.go.
    """
    only = None if spec.node_name is None else frozenset((spec.node_name,))
    by_affinity = _named(spec.node_terms) if spec.node_terms else None
    if by_affinity is None:
        return only, (NODE_NAME,) if only is not None else (), None
    if not by_affinity:
        return None, (), _CONFLICT
    if only is None:
        return by_affinity, (NODE_AFFINITY,), None
    both = only & by_affinity
    by = (NODE_AFFINITY, NODE_NAME)
    if both:
        return both, by, None
    reason = f"node(s) didn't satisfy plugin(s) [{' '.join(by)}] simultaneously"
    return None, (), Rejection("", (reason,), False)


def _named(terms: tuple[NodeTerm, ...]) -> frozenset[str] | None:
    """The names that every term names; None when a term leaves the name open."""
    names: frozenset[str] = frozenset()
    for term in terms:
        wanted = [frozenset((name,)) for same, name in term.names if same]
        if not wanted:
            return None
        names |= frozenset.intersection(*wanted)
    return names


def _image_scores(spec: PodSpec, cluster: Cluster) -> list[int]:
    nodes = cluster.table.nodes
    worth = {}
    for name in spec.images:
        size_bytes, having = cluster.image(name)
        worth[name] = int(size_bytes * (having / len(nodes))) if having else 0
    most = _IMAGE_BYTES_MAX * len(spec.images)
    if most <= _IMAGE_BYTES_MIN:
        return [0] * len(nodes)
    scores = []
    for node in nodes:
        found = sum(worth[name] for name in spec.images if name in node.images)
        found = min(max(found, _IMAGE_BYTES_MIN), most)
        scores.append(SCORE_MAX * (found - _IMAGE_BYTES_MIN) // (most - _IMAGE_BYTES_MIN))
    return scores
