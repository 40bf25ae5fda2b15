"""How much a pod requests: the arithmetic over containers, init containers, sidecars, pod level and overhead.

A pod takes the larger of two phases, per resource: all containers and sidecars at once, or, while it starts,
any one init container together with the sidecars that start before it. A request at pod level replaces that
of the containers; overhead comes on top.

Deviation: where a pod-level request is a fraction of a binary unit (``1.5Gi``) and there is overhead,
upstream adds the overhead to the request itself each time it looks (PodRequests changes a big number in
place), so its scores for such a pod drift. Ours do not.

Source: k8s.io/component-helpers v0.37.2, resource/helpers.go; k8s.io/kubernetes v1.37.2,
pkg/scheduler/framework/types.go (CalculateResource), pkg/scheduler/framework/plugins/noderesources, and
pkg/apis/core/v1/defaults.go (SetDefaults_Pod, defaultPodRequests).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tonnage.kube.quantity import Quantity
from tonnage.scheduling.reading import Reader
from tonnage.scheduling.resources import (
    CPU,
    CPU_MILLICORES_DEFAULT,
    MEMORY,
    MEMORY_BYTES_DEFAULT,
    Amounts,
    amount_of,
)

Quantities = dict[str, Quantity]

_DEFAULTS: Final = {
    CPU: Quantity.of_milli(CPU_MILLICORES_DEFAULT),
    MEMORY: Quantity.of(MEMORY_BYTES_DEFAULT),
}


@dataclass(frozen=True, slots=True)
class _Container:
    """What one container requests, and whether it is a sidecar among the init containers."""

    requests: Quantities
    is_sidecar: bool = False


@dataclass(frozen=True, slots=True)
class Requested:
    """What a pod requests, in the three ways the scheduler looks at it; see ``PodSpec``."""

    requests: Amounts
    accounted: tuple[int, int]
    scored: tuple[int, int]


def read_requests(spec: Reader) -> Requested:
    """Computes what a pod requests from its spec, with the API server's defaults.

    Args:
        spec: The place of the pod's ``spec``.
    """
    containers = [_container(place) for place in spec["containers"].items()]
    inits = [_container(place) for place in spec["initContainers"].items()]
    overhead = spec["overhead"].quantities()
    pod_level = _pod_level(spec["resources"], containers, inits)

    def total(missing: Mapping[str, Quantity], level: Mapping[str, Quantity]) -> Quantities:
        amounts = {**_containers_together(containers, inits, missing), **level}
        _add(amounts, overhead)
        return amounts

    requests = total({}, pod_level)
    # With a request at pod level only what neither it nor a container states is made up.
    missing = {name: amount for name, amount in _DEFAULTS.items() if not pod_level or name not in requests}
    return Requested(
        Amounts.of(requests),
        _cpu_and_memory(total(missing, pod_level)),
        _cpu_and_memory(total(_DEFAULTS, {})),
    )


def _container(place: Reader) -> _Container:
    limits = place["resources"]["limits"].quantities()
    requests = place["resources"]["requests"].quantities()
    return _Container({**limits, **requests}, place["restartPolicy"].text() == "Always")


def _pod_level(place: Reader, containers: list[_Container], inits: list[_Container]) -> Quantities:
    """Requests at pod level, with their defaults; empty when there are none that count."""
    requests = {name: amount for name, amount in place["requests"].quantities().items() if _is_levelled(name)}
    limits = place["limits"].quantities()
    if requests or limits:
        together = _containers_together(containers, inits, {})
        for name in (CPU, MEMORY):
            if name in together:
                requests.setdefault(name, together[name])
        for name, amount in limits.items():
            if _is_levelled(name):
                requests.setdefault(name, amount)
    return requests


def _is_levelled(name: str) -> bool:
    return name in (CPU, MEMORY) or name.startswith("hugepages-")


def _containers_together(
    containers: list[_Container], inits: list[_Container], missing: Mapping[str, Quantity]
) -> Quantities:
    """The larger of both phases, per resource.

    Args:
        containers: Run at once, after all init containers.
        inits: Run one after the other; sidecars stay.
        missing: Stands in where a container states nothing.
    """
    running: Quantities = {}
    sidecars: Quantities = {}
    starting: Quantities = {}
    for container in containers:
        _add(running, {**missing, **container.requests})
    for container in inits:
        requests = {**missing, **container.requests}
        if container.is_sidecar:
            _add(running, requests)
            _add(sidecars, requests)
            _raise_to(starting, sidecars)
        else:
            _add(requests, sidecars)
            _raise_to(starting, requests)
    _raise_to(running, starting)
    return running


def _add(amounts: Quantities, more: Mapping[str, Quantity]) -> None:
    for name, amount in more.items():
        amounts[name] = amounts[name] + amount if name in amounts else amount


def _raise_to(amounts: Quantities, others: Mapping[str, Quantity]) -> None:
    for name, amount in others.items():
        if name not in amounts or amount > amounts[name]:
            amounts[name] = amount


def _cpu_and_memory(amounts: Quantities) -> tuple[int, int]:
    zero = Quantity.of(0)
    return amount_of(CPU, amounts.get(CPU, zero)), amount_of(MEMORY, amounts.get(MEMORY, zero))
