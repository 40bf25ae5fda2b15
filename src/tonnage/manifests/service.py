"""The Service: one address for all replicas."""

from __future__ import annotations

from typing import Final

from lightkube.models import core_v1

from tonnage.manifests.names import GRPC_PORT_NAME, HTTP_PORT_NAME, metadata, selector_labels
from tonnage.spec.service import ModelService

API_VERSION: Final = "v1"
GRPC_PROTOCOL: Final = "kubernetes.io/h2c"
"""Tells meshes and gateways that the port speaks HTTP/2 without TLS.

Source: kubernetes/enhancements KEP-3726, standard application protocols.
"""


def kube_service(service: ModelService) -> core_v1.Service:
    """The Service of a service; its ports have the numbers that the server listens on."""
    server = service.spec.server
    ports = [core_v1.ServicePort(name=HTTP_PORT_NAME, port=server.port, targetPort=HTTP_PORT_NAME)]
    if server.grpc_port is not None:
        ports.append(
            core_v1.ServicePort(
                name=GRPC_PORT_NAME,
                port=server.grpc_port,
                targetPort=GRPC_PORT_NAME,
                appProtocol=GRPC_PROTOCOL,
            )
        )
    return core_v1.Service(
        apiVersion=API_VERSION,
        kind="Service",
        metadata=metadata(service),
        spec=core_v1.ServiceSpec(selector=selector_labels(service), ports=ports),
    )
