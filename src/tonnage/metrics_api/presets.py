"""How the metrics pages of well-known servers map to what autoscaling wants.

A preset says which of a server's own metrics hold latency, requests and work in flight; the answers then have
the same names and units for every server: ``inference_latency_p99`` in seconds, ``requests_per_second``,
``requests_in_flight``. A server that keeps a summary instead of a histogram gives its own quantile, which
cannot be merged over pods; the preset says so.

Pages of Triton, KServe, BentoML, MLServer and Ray Serve were read from those servers themselves
(``tests/integration/metrics_api/test_real_servers.py``); the others follow their sources.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from tonnage.contract import metrics as ours


@dataclass(frozen=True, slots=True)
class LatencySource:
    """Where latency is.

    Attributes:
        metric: Name of the family.
        form: ``histogram``: cumulative buckets; ``summary``: quantiles that the server made itself.
        to_seconds: Factor from its unit to seconds.
        labels: Labels that a series must have to count.
        without: A label, and values of it with which a series does not count, such as those of probes.
    """

    metric: str
    form: Literal["histogram", "summary"] = "histogram"
    to_seconds: float = 1.0
    labels: tuple[tuple[str, str], ...] = ()
    without: tuple[str, frozenset[str]] = ("", frozenset())

    @property
    def line(self) -> str:
        """How its lines begin."""
        return f"{self.metric}_bucket" if self.form == "histogram" else self.metric


@dataclass(frozen=True, slots=True)
class Preset:
    """One kind of server.

    Attributes:
        name: What an annotation names it.
        port: Where its page is unless the pod says otherwise.
        path: The page.
        latency: Where latency is; None where it tells none.
        requests: Counter of requests; None takes the latency's count.
        in_flight: Gauges whose sum is the work in flight.
        source: Where its names are documented.
        queue: Gauge of those of them that wait; None where it has none.
    """

    name: str
    port: int
    path: str
    latency: LatencySource | None
    requests: str | None
    in_flight: tuple[str, ...]
    source: str
    queue: str | None = None

    @property
    def wanted(self) -> tuple[str, ...]:
        """Names of the lines to read, with their suffixes."""
        names = [*self.in_flight]
        if self.latency is not None:
            names.append(self.latency.line)
        names += [name for name in (self.requests, self.queue) if name is not None]
        return tuple(dict.fromkeys(names))


PRESETS: Final = (
    Preset(
        "tonnage",
        8080,
        "/metrics",
        LatencySource(ours.REQUEST_SECONDS),
        None,
        (ours.IN_FLIGHT,),
        "docs/reference/metrics.md",
        ours.QUEUE_LENGTH,
    ),
    Preset(
        "triton",
        8002,
        "/metrics",
        LatencySource("nv_inference_request_summary_us", "summary", 1e-6),
        "nv_inference_request_success",
        ("nv_inference_pending_request_count",),
        "Triton, docs/user_guide/metrics.md; summaries need --metrics-config summary_latencies=true",
    ),
    Preset(
        "bentoml",
        3000,
        "/metrics",
        LatencySource(
            "bentoml_service_request_duration_seconds",
            without=("endpoint", frozenset({"/livez", "/readyz", "/healthz", "/metrics"})),
        ),
        None,
        ("bentoml_service_request_in_progress",),
        "BentoML, src/bentoml/_internal/server/http/instruments.py",
    ),
    Preset(
        "mlserver",
        8082,
        "/metrics",
        LatencySource("rest_server_request_duration_seconds", labels=(("method", "POST"),)),
        "model_infer_request_success_total",
        ("rest_server_requests_in_progress",),
        "MLServer, docs/user-guide/metrics.md; the latency is that of REST, the requests are of gRPC too",
    ),
    Preset(
        "vllm",
        8000,
        "/metrics",
        LatencySource("vllm:e2e_request_latency_seconds"),
        None,
        ("vllm:num_requests_running", "vllm:num_requests_waiting"),
        "vLLM, docs/design/metrics.md",
        "vllm:num_requests_waiting",
    ),
    Preset(
        "tgi",
        80,
        "/metrics",
        LatencySource("tgi_request_duration"),
        None,
        ("tgi_batch_current_size", "tgi_queue_size"),
        "Text Generation Inference, docs/source/reference/metrics.md; router/src/server.rs",
        "tgi_queue_size",
    ),
    Preset(
        "tfserving",
        8501,
        "/monitoring/prometheus/metrics",
        LatencySource(":tensorflow:serving:request_latency", "histogram", 1e-6),
        None,
        (),
        "TensorFlow Serving, servables/tensorflow/util.cc (microseconds), util/prometheus_exporter.cc;"
        " needs --monitoring_config_file with prometheus_config {enable: true}",
    ),
    Preset(
        "torchserve",
        8082,
        "/metrics",
        None,
        "ts_inference_requests_total",
        (),
        "TorchServe, docs/metrics.md; its latency is a counter, from which no percentile follows",
    ),
    Preset(
        "kserve",
        8080,
        "/metrics",
        LatencySource("request_predict_seconds"),
        None,
        (),
        "KServe, python/kserve/kserve/metrics.py",
    ),
    Preset(
        "ray",
        8080,
        "/metrics",
        LatencySource("ray_serve_deployment_processing_latency_ms", "histogram", 1e-3),
        None,
        ("ray_serve_replica_processing_queries",),
        "Ray Serve, doc/source/serve/monitoring.md",
    ),
)
"""All of them; the first is for pods that name none."""


def preset_named(name: str) -> Preset | None:
    """The preset of a name; None where there is none."""
    return next((one for one in PRESETS if one.name == name), None)
