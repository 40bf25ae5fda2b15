"""Whether the cluster's ``custom.metrics.k8s.io`` is ours, nobody's, or another program's. Decides only.

One program serves a version, and of two versions the HPA asks the one that the API server prefers. So to
register ``v1beta2`` beside an adapter that has only ``v1beta1`` takes the HPA from it just the same.

Source: kubernetes v1.37.2, k8s.io/metrics pkg/client/custom_metrics/discovery.go (chooseVersion).
"""

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
        installed: Who put its APIService there, as far as that can be seen; empty where it cannot.
    """

    version: str
    whose: Literal["nobody", "ours", "other"]
    service: str = ""
    available: str = ""
    installed: str = ""

    def __str__(self) -> str:
        what = f"{self.version}.{GROUP}"
        if self.whose == "nobody":
            return f"{what}: is served by nobody"
        state = f"; {self.available}" if self.available else ""
        if self.whose == "ours":
            return f"{what}: is served by {self.service}, as it should{state}"
        by = f" ({self.installed})" if self.installed else ""
        return f"{what}: belongs to {self.service}{by}, which serves the HPA's custom metrics now{state}"


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
    return Owner(version, "ours" if name == ours else "other", name, text, _installed(service))


def _installed(service: Mapping[str, Any]) -> str:
    """Helm's release, or the last who wrote its spec."""
    metadata = service.get("metadata") or {}
    annotations = metadata.get("annotations") or {}
    release = annotations.get("meta.helm.sh/release-name")
    if release:
        return f"Helm release {annotations.get('meta.helm.sh/release-namespace', '')}/{release}"
    writers = [
        one.get("manager", "")
        for one in metadata.get("managedFields") or ()
        if "f:spec" in (one.get("fieldsV1") or {})
    ]
    return f"written by {writers[-1]}" if writers and writers[-1] else ""
