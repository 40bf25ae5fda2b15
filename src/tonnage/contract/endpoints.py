"""Paths, ports and headers of the model server, as probes, clients, manifests and the twin know them."""

from __future__ import annotations

from typing import Final

HTTP_PORT: Final = 8080
GRPC_PORT: Final = 9000

HEALTH_PATH: Final = "/health"
"""Readiness: 200 only after load and warm-up and before drain, else 503 with a reason."""
LIVENESS_PATH: Final = "/livez"
"""Liveness: 200 as long as the process can make progress, however loaded it is."""
METRICS_PATH: Final = "/metrics"

DEADLINE_HEADER: Final = "x-request-timeout-ms"
"""How long the caller is willing to wait for this request [milliseconds, > 0]."""
REQUEST_ID_HEADER: Final = "x-request-id"
TRACEPARENT_HEADER: Final = "traceparent"
BINARY_HEADER: Final = "inference-header-content-length"
"""Length of the JSON part of a body that carries binary tensors [bytes].

Source: Open Inference Protocol, binary tensor data extension.
"""
