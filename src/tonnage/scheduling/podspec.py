"""Reads what a pod's spec says about scheduling from Kubernetes JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from tonnage.scheduling.node import EFFECTS
from tonnage.scheduling.pod import (
    PREEMPT_NEVER,
    AffinityTerm,
    HostPort,
    PodSpec,
    Policy,
    PreferredNodeTerm,
    SpreadConstraint,
    Toleration,
    TolerationOperator,
    WeightedTerm,
    narrowed,
)
from tonnage.scheduling.reading import Reader, read_label_selector, read_requirement
from tonnage.scheduling.requests import read_requests
from tonnage.scheduling.selectors import NodeTerm

_OPERATORS: Final[tuple[TolerationOperator, ...]] = ("Equal", "Exists", "Lt", "Gt")
_POLICIES: Final[tuple[Policy, ...]] = ("Honor", "Ignore")
_PREFERRED: Final = "preferredDuringSchedulingIgnoredDuringExecution"
_REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"
_EVERY_ADDRESS: Final = "0.0.0.0"  # noqa: S104 - compared with, never listened on

Claims = Mapping[str, Mapping[str, int]]


def read_pod_spec(
    spec: Reader, namespace: str, labels: Mapping[str, str], priorities: Mapping[str, int], claims: Claims
) -> PodSpec:
    """Reads a pod's spec.

    Args:
        spec: The place of the pod's ``spec``.
        namespace: The pod's namespace, where its affinity terms look unless they name others.
        labels: The pod's labels, which ``matchLabelKeys`` take their values from.
        priorities: Priority classes.
        claims: What resource claims of a name claim.
    """
    requested = read_requests(spec)
    affinity = spec["affinity"]
    near, far = affinity["podAffinity"], affinity["podAntiAffinity"]
    required = affinity["nodeAffinity"][_REQUIRED]
    return PodSpec(
        requests=requested.requests,
        accounted=requested.accounted,
        scored=requested.scored,
        node_selector=tuple(sorted(spec["nodeSelector"].labels().items())),
        node_terms=_read_node_terms(required) if required.is_there else None,
        preferred_nodes=tuple(
            PreferredNodeTerm(place["weight"].whole(), _read_node_term(place["preference"]))
            for place in affinity["nodeAffinity"][_PREFERRED].items()
        ),
        tolerations=tuple(_read_toleration(place) for place in spec["tolerations"].items()),
        affinity=tuple(_read_term(place, namespace, labels) for place in near[_REQUIRED].items()),
        anti_affinity=tuple(_read_term(place, namespace, labels) for place in far[_REQUIRED].items()),
        preferred_affinity=_read_weighted(near[_PREFERRED], namespace, labels),
        preferred_anti_affinity=_read_weighted(far[_PREFERRED], namespace, labels),
        spread=tuple(_read_spread(place, labels) for place in spec["topologySpreadConstraints"].items()),
        host_ports=tuple(_read_host_ports(spec)),
        images=_read_images(spec),
        priority=_read_priority(spec, priorities),
        preempts=spec["preemptionPolicy"].text() != PREEMPT_NEVER,
        gates=tuple(place["name"].text() for place in spec["schedulingGates"].items()),
        node_name=spec["nodeName"].text() or None,
        devices=_read_devices(spec["resourceClaims"], claims),
    )


def _read_priority(spec: Reader, priorities: Mapping[str, int]) -> int:
    name = spec["priorityClassName"].text()
    if spec["priority"].is_there or not name:
        return spec["priority"].whole()
    if name not in priorities:
        spec["priorityClassName"].wrong(f'must be a known priority class, got "{name}"')
    return priorities.get(name, 0)


def _read_node_terms(place: Reader) -> tuple[NodeTerm, ...]:
    return tuple(_read_node_term(term) for term in place["nodeSelectorTerms"].items())


def _read_node_term(place: Reader) -> NodeTerm:
    requirements = [read_requirement(expression) for expression in place["matchExpressions"].items()]
    names = []
    for condition in place["matchFields"].items():
        operator = condition["operator"].one_of(("In", "NotIn"), "In")
        values = condition["values"].texts()
        if condition["key"].text() != "metadata.name" or len(values) != 1:
            condition.wrong("must be a condition on metadata.name with one value")
        else:
            names.append((operator == "In", values[0]))
    return NodeTerm(tuple(one for one in requirements if one is not None), tuple(names))


def _read_toleration(place: Reader) -> Toleration:
    effect = place["effect"].text()
    seconds = place["tolerationSeconds"]
    return Toleration(
        key=place["key"].text(),
        operator=place["operator"].one_of(_OPERATORS, "Equal") if place["operator"].text() else "Equal",
        value=place["value"].text(),
        effect=place["effect"].one_of(EFFECTS, "NoSchedule") if effect else None,
        seconds=seconds.whole() if seconds.is_there else None,
    )


def _read_term(place: Reader, namespace: str, labels: Mapping[str, str]) -> AffinityTerm:
    selector = read_label_selector(place["labelSelector"])
    selector = narrowed(selector, place["matchLabelKeys"].texts(), labels, equal=True)
    selector = narrowed(selector, place["mismatchLabelKeys"].texts(), labels, equal=False)
    namespaces = frozenset(place["namespaces"].texts())
    others = read_label_selector(place["namespaceSelector"])
    if not namespaces and others.nothing:
        namespaces = frozenset((namespace,))
    topology_key = place["topologyKey"].text()
    if not topology_key:
        place["topologyKey"].wrong("must be a node label, got nothing")
    return AffinityTerm(topology_key, selector, namespaces, others)


def _read_weighted(place: Reader, namespace: str, labels: Mapping[str, str]) -> tuple[WeightedTerm, ...]:
    return tuple(
        WeightedTerm(one["weight"].whole(), _read_term(one["podAffinityTerm"], namespace, labels))
        for one in place.items()
    )


def _read_spread(place: Reader, labels: Mapping[str, str]) -> SpreadConstraint:
    selector = read_label_selector(place["labelSelector"])
    unsatisfiable = place["whenUnsatisfiable"].one_of(("DoNotSchedule", "ScheduleAnyway"), "DoNotSchedule")
    skew_max = place["maxSkew"].whole()
    if skew_max < 1:
        place["maxSkew"].wrong(f"must be >= 1, got {skew_max}")
    topology_key = place["topologyKey"].text()
    if not topology_key:
        place["topologyKey"].wrong("must be a node label, got nothing")
    return SpreadConstraint(
        topology_key=topology_key,
        skew_max=skew_max,
        required=unsatisfiable == "DoNotSchedule",
        selector=narrowed(selector, place["matchLabelKeys"].texts(), labels, equal=True),
        domains_min=place["minDomains"].whole(1),
        node_affinity=place["nodeAffinityPolicy"].one_of(_POLICIES, "Honor"),
        node_taints=place["nodeTaintsPolicy"].one_of(_POLICIES, "Ignore"),
    )


def _read_host_ports(spec: Reader) -> list[HostPort]:
    """Ports of sidecars and containers; on the host's network every container port is one."""
    in_host_network = spec["hostNetwork"].flag()
    sidecars = (one for one in spec["initContainers"].items() if one["restartPolicy"].text() == "Always")
    found = []
    for container in (*sidecars, *spec["containers"].items()):
        for port in container["ports"].items():
            number = port["hostPort"].whole() or (port["containerPort"].whole() if in_host_network else 0)
            if number > 0:
                address = port["hostIP"].text() or _EVERY_ADDRESS
                found.append(HostPort(address, port["protocol"].text() or "TCP", number))
    return found


def _read_images(spec: Reader) -> tuple[str, ...]:
    containers = (*spec["initContainers"].items(), *spec["containers"].items())
    volumes = [place["image"] for place in spec["volumes"].items() if place["image"].is_there]
    names = [place["image"].text() for place in containers] + [one["reference"].text() for one in volumes]
    return tuple(normalized_image(name) for name in names)


def normalized_image(name: str) -> str:
    """An image's name with its tag, ``latest`` when it names none.

    Source: k8s.io/kubernetes v1.37.2, pkg/scheduler/framework/plugins/imagelocality, normalizedImageName.
    """
    return name if name.rfind(":") > name.rfind("/") else f"{name}:latest"


def _read_devices(place: Reader, claims: Claims) -> tuple[tuple[str, int], ...]:
    devices: Counter[str] = Counter()
    for claim in place.items():
        name = claim["resourceClaimTemplateName"].text() or claim["resourceClaimName"].text()
        devices.update(claims.get(name, {}))
    return tuple(sorted(devices.items()))
