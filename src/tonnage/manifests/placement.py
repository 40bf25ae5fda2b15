"""Where replicas may run, from ``spec.scheduling`` and the GPU: affinities, tolerations, spread."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from lightkube.models import core_v1, meta_v1

from tonnage.errors import Problem
from tonnage.kube.paths import format_path
from tonnage.manifests.gpu import taint_keys
from tonnage.manifests.names import POD_TEMPLATE_HASH, selector_labels
from tonnage.spec.placement import Gpu, Toleration
from tonnage.spec.service import ModelService


def placement_problems(service: ModelService) -> Iterator[Problem]:
    """Node labels that cannot hold together."""
    gpu, selector = service.spec.resources.gpu, service.spec.scheduling.node_selector
    if gpu is None or not gpu.types_in_order or gpu.type_label not in selector:
        return
    wanted = selector[gpu.type_label]
    if wanted not in gpu.types_in_order:
        yield Problem(
            format_path(("spec", "scheduling", "nodeSelector", gpu.type_label)),
            f"must be among the types of spec.resources.gpu ({', '.join(gpu.types_in_order)}), got {wanted}",
        )


def node_selector(declared: Mapping[str, str], gpu: Gpu | None) -> dict[str, str] | None:
    """Labels that a node must have: the document's, and the GPU's one type."""
    wanted = dict(declared)
    if gpu is not None and len(gpu.types_in_order) == 1:
        wanted.setdefault(gpu.type_label, gpu.types_in_order[0])
    return wanted or None


def tolerations(declared: Iterable[Toleration], gpu: Gpu | None) -> list[core_v1.Toleration] | None:
    """The GPU vendor's taints, then the document's own tolerations."""
    found = [
        core_v1.Toleration(key=key, operator="Exists", effect="NoSchedule")
        for key in (taint_keys(gpu) if gpu is not None else ())
    ]
    for one in declared:
        toleration = core_v1.Toleration(
            key=one.key,
            operator=one.operator,
            value=one.value,
            effect=one.effect,
            tolerationSeconds=one.toleration_seconds,
        )
        if toleration not in found:
            found.append(toleration)
    return found or None


def affinity(service: ModelService) -> core_v1.Affinity | None:
    """Which nodes come first, and how far replicas keep from each other."""
    node, pod = node_affinity(service.spec.resources.gpu), _pod_anti_affinity(service)
    return core_v1.Affinity(nodeAffinity=node, podAntiAffinity=pod) if node or pod else None


def node_affinity(gpu: Gpu | None) -> core_v1.NodeAffinity | None:
    """Several GPU types: one of them is required, and the earlier ones are preferred, by even steps."""
    types = gpu.types_in_order if gpu is not None else ()
    if gpu is None or len(types) < 2:
        return None
    required = core_v1.NodeSelectorTerm(matchExpressions=[_is_in(gpu.type_label, list(types))])
    preferred = [
        core_v1.PreferredSchedulingTerm(
            weight=max(1, 100 - index * 100 // (len(types) - 1)),
            preference=core_v1.NodeSelectorTerm(matchExpressions=[_is_in(gpu.type_label, [name])]),
        )
        for index, name in enumerate(types[:-1])
    ]
    return core_v1.NodeAffinity(
        requiredDuringSchedulingIgnoredDuringExecution=core_v1.NodeSelector(nodeSelectorTerms=[required]),
        preferredDuringSchedulingIgnoredDuringExecution=preferred,
    )


def _is_in(key: str, values: list[str]) -> core_v1.NodeSelectorRequirement:
    return core_v1.NodeSelectorRequirement(key=key, operator="In", values=values)


def _pod_anti_affinity(service: ModelService) -> core_v1.PodAntiAffinity | None:
    """Preferred: away from every replica. Required: only from those of its own revision.

    Required without ``matchLabelKeys``, a rolling update would wait for nodes that the old revision holds.
    """
    anti = service.spec.scheduling.anti_affinity
    if anti.mode == "none":
        return None
    term = core_v1.PodAffinityTerm(
        topologyKey=anti.topology_key,
        labelSelector=meta_v1.LabelSelector(matchLabels=selector_labels(service)),
        matchLabelKeys=[POD_TEMPLATE_HASH] if anti.mode == "required" else None,
    )
    if anti.mode == "required":
        return core_v1.PodAntiAffinity(requiredDuringSchedulingIgnoredDuringExecution=[term])
    weighted = core_v1.WeightedPodAffinityTerm(weight=anti.weight, podAffinityTerm=term)
    return core_v1.PodAntiAffinity(preferredDuringSchedulingIgnoredDuringExecution=[weighted])


def spread(service: ModelService) -> list[core_v1.TopologySpreadConstraint] | None:
    """Even spread; only pods of one revision are counted, so that a rolling update does not skew it."""
    found = [
        core_v1.TopologySpreadConstraint(
            maxSkew=one.max_skew,
            topologyKey=one.topology_key,
            whenUnsatisfiable=one.when_unsatisfiable,
            labelSelector=meta_v1.LabelSelector(matchLabels=selector_labels(service)),
            matchLabelKeys=[POD_TEMPLATE_HASH],
        )
        for one in service.spec.scheduling.spread
    ]
    return found or None
