"""Names, labels and annotations that all objects of a service share."""

from __future__ import annotations

from typing import Final

from lightkube.models import meta_v1

from tonnage.contract import autoscaling
from tonnage.contract.metrics import INFERENCE_LATENCY_P99
from tonnage.spec.service import ModelService

NAME_LABEL: Final = "app.kubernetes.io/name"
MANAGER_LABEL: Final = autoscaling.MANAGED_BY_LABEL
MANAGER: Final = autoscaling.MANAGED_BY
CONTAINER: Final = "server"
"""Name of the container that serves."""
HTTP_PORT_NAME: Final = "http"
GRPC_PORT_NAME: Final = "grpc"
POD_TEMPLATE_HASH: Final = "pod-template-hash"
"""The label by which a Deployment tells the pods of its revisions apart."""


def selector_labels(service: ModelService) -> dict[str, str]:
    """What selects the service's pods; it never changes, because a Deployment's selector cannot."""
    return {NAME_LABEL: service.name}


def labels(service: ModelService) -> dict[str, str]:
    """Labels of every object: the document's own, then ours, which the document cannot take away."""
    return {**service.metadata.labels, **selector_labels(service), MANAGER_LABEL: MANAGER}


def metadata(service: ModelService, name: str | None = None) -> meta_v1.ObjectMeta:
    """Metadata of every object; it has the service's name unless another is given."""
    return meta_v1.ObjectMeta(
        name=name or service.name,
        namespace=service.metadata.namespace,
        labels=labels(service),
        annotations=dict(service.metadata.annotations) or None,
    )


def latency_metric(percentile: str) -> str:
    """The Pods metric of a latency percentile, such as ``inference_latency_p99`` [seconds]."""
    return INFERENCE_LATENCY_P99.removesuffix("p99") + percentile
