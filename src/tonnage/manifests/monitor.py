"""The PodMonitor, for clusters with the Prometheus operator: asked for, never assumed."""

from __future__ import annotations

from typing import Any, Final

from tonnage.contract import endpoints
from tonnage.manifests.names import HTTP_PORT_NAME, metadata, selector_labels
from tonnage.spec.service import ModelService

API_VERSION: Final = "monitoring.coreos.com/v1"
INTERVAL: Final = "15s"


def pod_monitor(service: ModelService) -> dict[str, Any]:
    """The PodMonitor of a service.

    Source: prometheus-operator Documentation/api-reference, PodMonitorSpec and PodMetricsEndpoint.
    """
    return {
        "apiVersion": API_VERSION,
        "kind": "PodMonitor",
        "metadata": metadata(service).to_dict(),
        "spec": {
            "selector": {"matchLabels": selector_labels(service)},
            "podMetricsEndpoints": [
                {"port": HTTP_PORT_NAME, "path": endpoints.METRICS_PATH, "interval": INTERVAL}
            ],
        },
    }
