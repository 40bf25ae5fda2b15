"""What the metrics API says of itself, in Prometheus' form."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest


class Telemetry:
    """Its own metrics, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        prefix = "tonnage_metrics_api"
        self.scrapes = Counter(
            f"{prefix}_scrapes", "Pages of pods asked for.", ["result"], registry=self._registry
        )
        self.scrape_seconds = Histogram(
            f"{prefix}_scrape_duration_seconds",
            "Time to get and read one page.",
            buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0),
            registry=self._registry,
        )
        self.requests = Counter(f"{prefix}_requests", "Requests answered.", ["code"], registry=self._registry)
        self.request_seconds = Histogram(
            f"{prefix}_request_duration_seconds",
            "Time to answer one request.",
            buckets=(0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0),
            registry=self._registry,
        )
        self.targets = Gauge(f"{prefix}_targets", "Pods that are asked.", registry=self._registry)
        self.relists = Counter(
            f"{prefix}_relists", "Watches begun anew after an error.", ["resource"], registry=self._registry
        )
        self.owned = Gauge(
            f"{prefix}_owned",
            "Whether the cluster sends a version of the API here: 1, else 0.",
            ["version"],
            registry=self._registry,
        )
        self.certificate = Gauge(
            f"{prefix}_certificate_expiry_timestamp_seconds",
            "When the serving certificate ends to hold.",
            registry=self._registry,
        )

    def page(self) -> bytes:
        """The metrics page."""
        return generate_latest(self._registry)
