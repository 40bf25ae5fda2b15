"""EndpointSlices and kube-proxy: which pods requests are sent to.

Source: k8s.io/endpointslice v0.37.2 utils.go (podToEndpoint: ready is false from the deletionTimestamp on;
    serving is the pod's readiness), k8s.io/kubernetes v1.37.2 pkg/proxy/topology.go (CategorizeEndpoints:
    ready endpoints, or the serving terminating ones when there is no ready one).

Deviations:
    * All proxies change at one time, ``proxy_s`` after the slice; traffic policies and topology hints are
      left out.
    * ``publishNotReadyAddresses`` is left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A pod as the EndpointSlice controller sees it.

    Attributes:
        name: The pod's name.
        ready: Whether its Ready condition is True.
        terminating: Whether it has a deletionTimestamp.
    """

    name: str
    ready: bool
    terminating: bool


def routed(endpoints: Iterable[Endpoint]) -> frozenset[str]:
    """Names of the pods that requests are sent to."""
    known = list(endpoints)
    ready = frozenset(item.name for item in known if item.ready and not item.terminating)
    return ready or frozenset(item.name for item in known if item.ready and item.terminating)
