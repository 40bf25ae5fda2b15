"""The Service: one address for all replicas; and a headless one, for clients that balance by themselves.

A Service's address balances connections and not requests: kube-proxy chooses a replica when a connection
begins, and a client that keeps it open stays there. There is no session affinity, which would make that
worse, and no preference for near replicas, which would give some replicas the load of others.

Source: kubernetes v1.37.2 pkg/proxy/iptables/proxier.go and pkg/proxy/nftables/proxier.go (a replica at
    random for each connection that conntrack does not know).
"""

from __future__ import annotations

from typing import Final

from lightkube.models import core_v1

from tonnage.manifests.names import GRPC_PORT_NAME, HTTP_PORT_NAME, metadata, selector_labels
from tonnage.spec.service import ModelService

API_VERSION: Final = "v1"
HTTP_PROTOCOL: Final = "http"
GRPC_PROTOCOL: Final = "kubernetes.io/h2c"
"""Tells meshes and gateways that the port speaks HTTP/2 without TLS, so that they balance its requests.

Source: kubernetes/enhancements KEP-3726, standard application protocols; ``http`` is IANA's name.
"""
NO_ADDRESS: Final = "None"


def kube_service(service: ModelService) -> core_v1.Service:
    """The Service of a service; its ports have the numbers that the server listens on."""
    return core_v1.Service(
        apiVersion=API_VERSION,
        kind="Service",
        metadata=metadata(service),
        spec=core_v1.ServiceSpec(selector=selector_labels(service), ports=_ports(service)),
    )


def headless_service(service: ModelService) -> core_v1.Service:
    """A Service without an address: its name stands for the addresses of all ready replicas."""
    return core_v1.Service(
        apiVersion=API_VERSION,
        kind="Service",
        metadata=metadata(service, headless_name(service)),
        spec=core_v1.ServiceSpec(
            clusterIP=NO_ADDRESS, selector=selector_labels(service), ports=_ports(service)
        ),
    )


def headless_name(service: ModelService) -> str:
    """Name of the Service without an address."""
    return f"{service.name}-headless"


def _ports(service: ModelService) -> list[core_v1.ServicePort]:
    server = service.spec.server
    ports = [
        core_v1.ServicePort(
            name=HTTP_PORT_NAME, port=server.port, targetPort=HTTP_PORT_NAME, appProtocol=HTTP_PROTOCOL
        )
    ]
    if server.grpc_port is not None:
        ports.append(
            core_v1.ServicePort(
                name=GRPC_PORT_NAME,
                port=server.grpc_port,
                targetPort=GRPC_PORT_NAME,
                appProtocol=GRPC_PROTOCOL,
            )
        )
    return ports
