"""The words of ``custom.metrics.k8s.io``: requests read from paths, answers as Kubernetes' objects. Pure.

Source: k8s.io/metrics pkg/apis/custom_metrics (v1beta1, v1beta2); the paths of
k8s.io/apiserver's RequestInfo and of kubernetes-sigs/custom-metrics-apiserver's storage.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import orjson

GROUP: Final = "custom.metrics.k8s.io"
VERSIONS: Final = ("v1beta2", "v1beta1")
"""The first is preferred."""
SEGMENT_MAX: Final = 253


class NotFound(Exception):
    """There is no such thing; the message names it."""


class BadRequest(Exception):
    """The request is not understood; the message says what must hold."""


@dataclass(frozen=True, slots=True)
class MetricRequest:
    """What is asked.

    Attributes:
        version: Of the API.
        namespace: Of the objects.
        resource: ``pods``, ``services`` or ``deployments.apps``.
        name: One object; ``*`` for those that ``selector`` selects.
        metric: Its name.
        selector: Label selector in its text form; empty for all.
    """

    version: str
    namespace: str
    resource: str
    name: str
    metric: str
    selector: str = ""


@dataclass(frozen=True, slots=True)
class Discovery:
    """A question for what there is: ``groups``, ``group`` or the ``resources`` of a version."""

    what: Literal["groups", "group", "resources"]
    version: str = ""


KINDS: Final[Mapping[str, tuple[str, str]]] = {
    "pods": ("Pod", "v1"),
    "services": ("Service", "v1"),
    "deployments.apps": ("Deployment", "apps/v1"),
}
"""Resource to kind and API version of what it describes."""


def parse(path: str, query: Mapping[str, str]) -> MetricRequest | Discovery:
    """Read a request.

    Args:
        path: Decoded path, without query.
        query: Parameters.

    Raises:
        NotFound: No such path.
        BadRequest: A segment is not one that Kubernetes allows.
    """
    segments = [segment for segment in path.split("/") if segment]
    if any(len(segment) > SEGMENT_MAX for segment in segments):
        raise BadRequest(f"path: must have segments of at most {SEGMENT_MAX} characters")
    match segments:
        case ["apis"]:
            return Discovery("groups")
        case ["apis", group] if group == GROUP:
            return Discovery("group")
        case ["apis", group, version] if group == GROUP and version in VERSIONS:
            return Discovery("resources", version)
        case ["apis", group, version, "namespaces", namespace, resource, name, metric] if (
            group == GROUP and version in VERSIONS
        ):
            if resource not in KINDS:
                raise NotFound(f"resource {resource}: must be one of {', '.join(KINDS)}")
            if query.get("metricLabelSelector"):
                raise BadRequest("metricLabelSelector: must be empty, since metrics here have no labels")
            return MetricRequest(version, namespace, resource, name, metric, query.get("labelSelector", ""))
    raise NotFound(f"path: there is nothing at {path[:200]}")


def groups() -> dict[str, Any]:
    """The answer to ``/apis``."""
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group()]}


def group() -> dict[str, Any]:
    """The answer to ``/apis/custom.metrics.k8s.io``."""
    return {"kind": "APIGroup", "apiVersion": "v1", **_group()}


def resources(version: str, metrics: Sequence[str]) -> dict[str, Any]:
    """What a version offers: every metric of every resource."""
    entries = [
        {
            "name": f"{resource}/{metric}",
            "singularName": "",
            "namespaced": True,
            "kind": "MetricValueList",
            "verbs": ["get"],
        }
        for resource in KINDS
        for metric in sorted(metrics)
    ]
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": f"{GROUP}/{version}",
        "resources": entries,
    }


class Wording:
    """Words items of one metric of one kind of object: what they share is worded once.

    Args:
        version: Of the API.
        resource: Of the objects.
        namespace: Of the objects.
        metric: Its name.
    """

    __slots__ = ("_after_name", "_before_name", "_second", "_time")

    def __init__(self, version: str, resource: str, namespace: str, metric: str) -> None:
        kind, of = KINDS[resource]
        described = {"kind": kind, "namespace": namespace, "apiVersion": f"/{of}" if of == "v1" else of}
        if version == "v1beta1":
            named: dict[str, Any] = {"metricName": metric, "selector": None}
        else:
            named = {"metric": {"name": metric, "selector": None}}
        self._before_name = b'{"describedObject":%b,"name":' % orjson.dumps(described)[:-1]
        self._after_name = b"},%b" % orjson.dumps(named)[1:-1]
        self._second, self._time = 0, _time(0)

    def item(self, name: str, value: float, at_s: float, window_s: float) -> bytes:
        """One object's answer, as JSON.

        Args:
            name: Of the object.
            value: In the metric's unit.
            at_s: When it was measured [s since 1970].
            window_s: Which time it covers [s].
        """
        if int(at_s) != self._second:  # hundreds of pods are read in one second
            self._second = int(at_s)
            self._time = _time(self._second)
        return b'%b%b%b,"timestamp":"%b","windowSeconds":%d,"value":"%b"}' % (
            self._before_name,
            orjson.dumps(name),
            self._after_name,
            self._time,
            round(window_s),
            milli(value).encode(),
        )


def value_list(version: str, items: Sequence[bytes]) -> bytes:
    """Items as a ``MetricValueList`` of a version of the API, as JSON."""
    head = {"kind": "MetricValueList", "apiVersion": f"{GROUP}/{version}", "metadata": {}}
    return b"".join((orjson.dumps(head)[:-1], b',"items":[', b",".join(items), b"]}"))


def status(code: int, reason: str, message: str) -> dict[str, Any]:
    """An error as Kubernetes words it."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    }


def milli(value: float) -> str:
    """A value as a quantity in thousandths, rounded up as the HPA would round it.

    Source: the HPA reads ``Quantity.MilliValue``, which rounds up (kubernetes v1.37.2,
    pkg/controller/podautoscaler/metrics/client.go).
    """
    # a float just above a whole number of thousandths is that number, not the next
    thousandths = math.ceil(round(value * 1000, 6))
    whole, rest = divmod(thousandths, 1000)
    return str(whole) if rest == 0 else f"{thousandths}m"


def _group() -> dict[str, Any]:
    versions = [{"groupVersion": f"{GROUP}/{version}", "version": version} for version in VERSIONS]
    return {"name": GROUP, "versions": versions, "preferredVersion": versions[0]}


def _time(second: int) -> bytes:
    return dt.datetime.fromtimestamp(second, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ").encode()
