"""What is needed of a Pod, a Service and a Deployment, read from their JSON. Pure.

A pod is asked for its metrics when it carries Tonnage's label or an annotation that names a preset. Where it
is asked is its own address and nothing else: an annotation chooses a port and a path, never a host.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tonnage.contract import autoscaling as marks
from tonnage.metrics_api import custom
from tonnage.metrics_api.presets import PRESETS, Preset, preset_named
from tonnage.metrics_api.selectors import Selector, equalities, selector_of

OFF: Final = "off"
_COMPONENT: Final = "app.kubernetes.io/component"
_OWN_COMPONENT: Final = "metrics-api"
"""Our own replicas are Tonnage's too, and serve no model."""
_PATH: Final = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]{0,1023}")


@dataclass(frozen=True, slots=True)
class Target:
    """Where a pod's page is.

    Attributes:
        ip: The pod's address.
        port: Its port.
        path: Path, with query.
        preset: How its server words it.
    """

    ip: str
    port: int
    path: str
    preset: Preset

    @property
    def url(self) -> str:
        """The page's address."""
        host = f"[{self.ip}]" if ":" in self.ip else self.ip
        return f"http://{host}:{self.port}{self.path}"


@dataclass(frozen=True, slots=True)
class PodInfo:
    """A pod as the API server has it.

    Attributes:
        namespace: Of the pod.
        name: Of the pod.
        uid: Tells it from an earlier pod of its name.
        labels: Of the pod.
        ready: Its Ready condition.
        ending: It is being deleted.
        over: Its phase is Succeeded or Failed.
        target: Where its page is; None for a pod that is not asked, or has no address yet.
        sustainable: Requests in flight that it sustains; None where it does not say.
        problem: What is wrong with its annotations; empty for nothing.
    """

    namespace: str
    name: str
    uid: str
    labels: Mapping[str, str]
    ready: bool = False
    ending: bool = False
    over: bool = False
    target: Target | None = None
    sustainable: float | None = None
    problem: str = ""


def pod_info(pod: Mapping[str, Any]) -> PodInfo:
    """Read a Pod.

    Args:
        pod: As JSON.
    """
    metadata, status = pod["metadata"], pod.get("status") or {}
    labels = metadata.get("labels") or {}
    annotations = metadata.get("annotations") or {}
    conditions = {one["type"]: one["status"] for one in status.get("conditions") or ()}
    over = status.get("phase") in ("Succeeded", "Failed")
    problem = ""
    target = sustainable = None
    try:
        sustainable = _sustainable(annotations.get(marks.SUSTAINABLE_ANNOTATION))
        target = _target(labels, annotations, "" if over else status.get("podIP") or "")
    except ValueError as error:
        problem = str(error)
    return PodInfo(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata.get("uid") or "",
        labels=labels,
        ready=conditions.get("Ready") == "True",
        ending=metadata.get("deletionTimestamp") is not None,
        over=over,
        target=target,
        sustainable=sustainable,
        problem=problem,
    )


def scope_of(resource: str, value: Mapping[str, Any]) -> Selector | None:
    """Which pods a Service or Deployment means; None for a Service that selects none itself.

    Args:
        resource: ``services`` or ``deployments.apps``.
        value: As JSON.
    """
    selector = (value.get("spec") or {}).get("selector") or {}
    if not selector:
        return None
    return equalities(selector) if resource == "services" else selector_of(selector)


def _target(labels: Mapping[str, str], annotations: Mapping[str, str], ip: str) -> Target | None:
    name = annotations.get(marks.PRESET_ANNOTATION)
    ours = labels.get(marks.MANAGED_BY_LABEL) == marks.MANAGED_BY and labels.get(_COMPONENT) != _OWN_COMPONENT
    if name == OFF or (name is None and not ours):
        return None
    if name == custom.NAME:
        preset: Preset | None = custom.custom_preset(annotations)
    else:
        preset = PRESETS[0] if name is None else preset_named(name)
    if preset is None:
        known = ", ".join([*(one.name for one in PRESETS), custom.NAME])
        raise ValueError(f'{marks.PRESET_ANNOTATION}: must be one of {known} or {OFF}, got "{name}"')
    port = annotations.get(marks.PORT_ANNOTATION, str(preset.port))
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) < 65536):
        raise ValueError(f'{marks.PORT_ANNOTATION}: must be a port from 1 to 65535, got "{port[:40]}"')
    path = annotations.get(marks.PATH_ANNOTATION, preset.path)
    if _PATH.fullmatch(path) is None:
        raise ValueError(f'{marks.PATH_ANNOTATION}: must be a path such as /metrics, got "{path[:40]}"')
    return Target(ip, int(port), path, preset) if ip else None


def _sustainable(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise ValueError(f'{marks.SUSTAINABLE_ANNOTATION}: must be a number > 0, got "{text[:40]}"')
    return value
