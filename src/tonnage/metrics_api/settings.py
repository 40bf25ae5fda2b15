"""The metrics API's settings: a JSON file or the command line's options, checked once. Pure."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

SERVICE: Final = "tonnage-system/tonnage-metrics-api"
"""Where it is installed unless somebody says otherwise."""


class MetricsApiSettings(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"
):
    """Everything that one replica needs to know.

    Attributes:
        certificate: PEM file with the chain by which callers know it.
        key: PEM file of its key.
        host: Address to listen on.
        port: Port for all: the API, probes, its own metrics; 0 lets the kernel choose.
        namespace: Whose pods it reads; None for all namespaces.
        scrape_period_s: Between two readings of a pod [s, > 0].
        scrape_timeout_s: For one reading [s, > 0].
        scrapes_max: Readings under way at a time [>= 1].
        window_s: How far back values reach where a server does not tell its own window [s, > 0].
        stale_s: Age of a reading beyond which a pod is silent [s, > 0].
        idle: What a ready pod without requests says of its latency.
        warming: Whether a pod that is not ready is silent.
        authorization_s: How long an answer of the API server about who may do what is used [s, >= 0].
        service: Namespace and name of its Service, by which its APIServices are known as its own.
        grace_s: From SIGTERM to exit at the latest [s].
        log_format: Of the lines on standard error.
    """

    certificate: str
    key: str
    host: str = "0.0.0.0"  # noqa: S104  the API server comes from outside the pod
    port: int = 6443
    namespace: str | None = None
    scrape_period_s: float = 5.0
    scrape_timeout_s: float = 3.0
    scrapes_max: int = 64
    window_s: float = 30.0
    stale_s: float = 20.0
    idle: Literal["zero", "silent", "last"] = "zero"
    warming: Literal["silent", "counted"] = "silent"
    authorization_s: float = 10.0
    service: str = SERVICE
    grace_s: float = 15.0
    log_format: Literal["text", "json"] = "json"

    def problems(self) -> list[str]:
        """What must be otherwise."""
        found = [
            f"{name}: must be > 0, got {value:g}"
            for name, value in (
                ("scrapePeriodS", self.scrape_period_s),
                ("scrapeTimeoutS", self.scrape_timeout_s),
                ("windowS", self.window_s),
                ("scrapesMax", self.scrapes_max),
            )
            if not value > 0
        ]
        if not 0 <= self.port < 65536:
            found.append(f"port: must be from 0 to 65535, got {self.port}")
        if not self.authorization_s >= 0:
            found.append(f"authorizationS: must be >= 0, got {self.authorization_s:g}")
        if not self.stale_s > self.scrape_period_s:
            found.append(f"staleS: must be > scrapePeriodS = {self.scrape_period_s:g}, got {self.stale_s:g}")
        return found
