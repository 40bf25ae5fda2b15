"""What all objects of the metrics API share: its names, its namespace, its settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lightkube.models import core_v1, meta_v1

from tonnage.manifests.names import MANAGER, MANAGER_LABEL, NAME_LABEL
from tonnage.manifests.security import RESTRICTED_LABELS

NAME: Final = "tonnage-metrics-api"
SYSTEM_NAMESPACE: Final = "tonnage-system"
GROUP: Final = "custom.metrics.k8s.io"
VERSIONS: Final = ("v1beta2", "v1beta1")
"""Preferred first; the HPA of Kubernetes 1.37 asks for the first, older ones for the second."""
PORT: Final = 6443
PORT_NAME: Final = "https"


@dataclass(frozen=True, slots=True)
class MetricsApi:
    """One installation.

    Attributes:
        image: The container image.
        namespace: Where it runs.
        ca_bundle: PEM certificates in base64 by which the API server knows it; the Secret with its own
            certificate is then the user's. None lets cert-manager issue both.
    """

    image: str
    namespace: str = SYSTEM_NAMESPACE
    ca_bundle: str | None = None


def selector_labels() -> dict[str, str]:
    """What selects its pods."""
    return {NAME_LABEL: NAME}


def labels() -> dict[str, str]:
    """Labels of every object; they are not those of services, which are scraped."""
    return {**selector_labels(), "app.kubernetes.io/component": "metrics-api", MANAGER_LABEL: MANAGER}


def metadata(name: str = NAME, namespace: str | None = None) -> meta_v1.ObjectMeta:
    """Metadata of an object; without a namespace for those that have none."""
    return meta_v1.ObjectMeta(name=name, namespace=namespace, labels=labels())


def namespace(wanted: MetricsApi) -> core_v1.Namespace:
    """Its namespace, which admits nothing less than ``restricted``."""
    made = metadata(wanted.namespace)
    made.labels = {**labels(), **RESTRICTED_LABELS}
    return core_v1.Namespace(apiVersion="v1", kind="Namespace", metadata=made)
