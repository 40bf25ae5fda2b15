"""Names of the metrics that the server exposes and that autoscaling, plots and the twin read.

Prometheus' habits hold: base units, plural units, ``_total`` for counters.
"""

from __future__ import annotations

from typing import Final

INFERENCE_LATENCY_P50: Final = "inference_latency_p50"
INFERENCE_LATENCY_P95: Final = "inference_latency_p95"
INFERENCE_LATENCY_P99: Final = "inference_latency_p99"
"""p99 over the sliding window [seconds]; the HPA's Pods metric of the founding text."""
LATENCY_WINDOW_SECONDS: Final = "tonnage_latency_window_seconds"
"""A summary: p50, p95 and p99 of the sliding window by ``quantile``; sum and count of all time [seconds]."""

REQUESTS_TOTAL: Final = "tonnage_requests_total"
REQUEST_SECONDS: Final = "tonnage_request_duration_seconds"
QUEUE_SECONDS: Final = "tonnage_queue_wait_seconds"
COMPUTE_SECONDS: Final = "tonnage_batch_compute_seconds"
BATCH_SIZE: Final = "tonnage_batch_size_items"
IN_FLIGHT: Final = "tonnage_requests_in_flight"
QUEUE_LENGTH: Final = "tonnage_queue_length_requests"
CONNECTIONS: Final = "tonnage_connections"
READY: Final = "tonnage_ready"
LOAD_SECONDS: Final = "tonnage_model_load_seconds"
WARMUP_SECONDS: Final = "tonnage_model_warmup_seconds"
WORKERS: Final = "tonnage_workers"
WORKER_RESTARTS_TOTAL: Final = "tonnage_worker_restarts_total"
LOG_LINES_DROPPED_TOTAL: Final = "tonnage_log_lines_dropped_total"
