"""The NetworkPolicy: who may speak to replicas on which ports, and whom they may speak to.

Anyone may reach the server's own ports, and nothing else; the metrics API and Prometheus read the same HTTP
port. A model that is only a file has nobody to call, so the server calls nobody but the trace collector.
A Python class may call what it likes (a feature store, another model), which no document says: it is not
restricted.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from lightkube.models import meta_v1, networking_v1

from tonnage.manifests.names import GRPC_PORT_NAME, HTTP_PORT_NAME, metadata, selector_labels
from tonnage.spec.service import ModelService

API_VERSION: Final = "networking.k8s.io/v1"
DNS_PORT: Final = 53
_SCHEME_PORTS: Final = {"http": 80, "https": 443}


def network_policy(service: ModelService) -> networking_v1.NetworkPolicy:
    """The policy of a service's pods; probes come from the node, which no policy keeps out."""
    names = [HTTP_PORT_NAME, *([GRPC_PORT_NAME] if service.spec.server.grpc_port is not None else [])]
    closed = service.spec.model.format != "python"
    return networking_v1.NetworkPolicy(
        apiVersion=API_VERSION,
        kind="NetworkPolicy",
        metadata=metadata(service),
        spec=networking_v1.NetworkPolicySpec(
            podSelector=meta_v1.LabelSelector(matchLabels=selector_labels(service)),
            policyTypes=["Ingress", "Egress"] if closed else ["Ingress"],
            ingress=[networking_v1.NetworkPolicyIngressRule(ports=[_port(name) for name in names])],
            egress=_egress(service) if closed else None,
        ),
    )


def _egress(service: ModelService) -> list[networking_v1.NetworkPolicyEgressRule] | None:
    """DNS and the collector's port where traces are sent; None for nobody."""
    endpoint = service.spec.server.otlp_endpoint
    if endpoint is None:
        return None
    address = urlsplit(endpoint)
    port = address.port or _SCHEME_PORTS.get(address.scheme, _SCHEME_PORTS["http"])
    ports = [_port(DNS_PORT, "UDP"), _port(DNS_PORT), _port(port)]
    return [networking_v1.NetworkPolicyEgressRule(ports=ports)]


def _port(port: str | int, protocol: str = "TCP") -> networking_v1.NetworkPolicyPort:
    return networking_v1.NetworkPolicyPort(port=port, protocol=protocol)
