"""Whether the cluster's ``custom.metrics.k8s.io`` is ours, nobody's, or another program's. Decides only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tonnage.metrics_api.api import GROUP


@dataclass(frozen=True, slots=True)
class Owner:
    """Who serves one version.

    Attributes:
        version: Of the API.
        whose: ``nobody``, ``ours``, or ``other``.
        service: ``namespace/name``, or where it is served; empty for nobody.
        available: What its APIService says of itself.
    """

    version: str
    whose: Literal["nobody", "ours", "other"]
    service: str = ""
    available: str = ""

    def __str__(self) -> str:
        what = f"{self.version}.{GROUP}"
        if self.whose == "nobody":
            return f"{what}: is served by nobody"
        state = f"; {self.available}" if self.available else ""
        if self.whose == "ours":
            return f"{what}: is served by {self.service}, as it should{state}"
        return f"{what}: belongs to {self.service}, which serves the HPA's custom metrics now{state}"


def owner_of(version: str, service: Mapping[str, Any] | None, ours: str) -> Owner:
    """Who serves a version.

    Args:
        version: Of the API.
        service: Its APIService as JSON; None where there is none.
        ours: ``namespace/name`` of our Service.
    """
    if service is None:
        return Owner(version, "nobody")
    reference = (service.get("spec") or {}).get("service")
    name = f"{reference['namespace']}/{reference['name']}" if reference else "the API server itself"
    conditions = (service.get("status") or {}).get("conditions") or ()
    state = next((one for one in conditions if one["type"] == "Available"), None)
    text = ""
    if state is not None:
        up = state["status"] == "True"
        text = "it is available" if up else f"it is not available: {state.get('message', '')}"
    return Owner(version, "ours" if name == ours else "other", name, text)
