"""What the metrics API serves beyond the server's own metrics, and how a pod says how it is read."""

from __future__ import annotations

from typing import Final

REQUESTS_PER_SECOND: Final = "requests_per_second"
"""Inferences answered over the window; served by the metrics API only."""
REQUESTS_IN_FLIGHT: Final = "requests_in_flight"
"""Mean over the window, of any server; of ours also as ``IN_FLIGHT``. Served by the metrics API only."""
LOAD_UTILIZATION: Final = "load_utilization"
"""Requests in flight as a share of the sustainable concurrency [>= 0]; served by the metrics API only."""

MANAGED_BY_LABEL: Final = "app.kubernetes.io/managed-by"
MANAGED_BY: Final = "tonnage"
"""Value of ``MANAGED_BY_LABEL`` on what is ours; such a pod is asked for metrics without an annotation."""
PRESET_ANNOTATION: Final = "tonnage.dev/metrics"
"""On a pod: which kind of metrics page it has, such as ``vllm``; ``off`` for none."""
PORT_ANNOTATION: Final = "tonnage.dev/metrics-port"
PATH_ANNOTATION: Final = "tonnage.dev/metrics-path"
SUSTAINABLE_ANNOTATION: Final = "tonnage.dev/sustainable-concurrency"
"""On a pod: requests in flight that it was measured to sustain [> 0], for ``LOAD_UTILIZATION``."""
