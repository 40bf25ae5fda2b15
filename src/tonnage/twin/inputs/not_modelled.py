"""What the objects ask for and the twin does not do, in sentences: silence would be agreement."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from tonnage.kube.objects import KubeObject
from tonnage.scheduling.not_modelled import not_modelled as scheduling_not_modelled
from tonnage.twin.inputs.life import pre_stop_sleep_s

_MODELLED_KINDS: Final = frozenset(
    {
        "Deployment", "ReplicaSet", "StatefulSet", "Pod", "HorizontalPodAutoscaler", "Service", "Node",
        "PodDisruptionBudget", "PriorityClass",
    }
)  # fmt: skip
_WITHOUT_EFFECT: Final = frozenset(
    {
        "ConfigMap", "Secret", "ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding",
        "NetworkPolicy", "Namespace", "ServiceMonitor", "PodMonitor", "PrometheusRule", "EndpointSlice",
        "CustomResourceDefinition", "APIService", "Lease", "Event", "ControllerRevision", "RuntimeClass",
        "StorageClass", "Endpoints",
    }
)  # fmt: skip
"""Kinds that change nothing of what is simulated."""

_POD_FIELDS: Final[Mapping[str, str]] = {
    "volumes": "the time to attach and mount volumes",
    "readinessGates": "readiness gates; a pod is ready when its containers are",
    "ephemeralContainers": "ephemeral containers",
    "activeDeadlineSeconds": "the deadline of the pod",
    "resourceClaims": "preparing of claimed devices; they are only counted",
}
_CONTAINER_FIELDS: Final[Mapping[str, str]] = {
    "resizePolicy": "resizing in place",
    "restartPolicy": "restart policies of single containers",
    "restartPolicyRules": "restart policies of single containers",
}


def workload_not_modelled(deployment: KubeObject, container: Mapping[str, Any]) -> list[str]:
    """What of a Deployment the twin does not do.

    Args:
        deployment: The workload.
        container: The container that serves, out of it.
    """
    template = deployment.at("spec", "template") or {}
    found = list(_of_pod(template, container))
    found += scheduling_not_modelled(template)
    if deployment.at("spec", "paused"):
        found.append("spec.paused: the Deployment is rolled out all the same")
    return [f"{deployment.reference}: {one}" for one in dict.fromkeys(found)]


def _of_pod(template: Mapping[str, Any], container: Mapping[str, Any]) -> Iterator[str]:
    spec = template.get("spec") or {}
    for name, what in _POD_FIELDS.items():
        if spec.get(name):
            yield f"{name}: {what}"
    for one in spec.get("initContainers") or []:
        yield f"initContainers {one.get('name')}: its run time; its requests count"
    for one in spec.get("containers") or []:
        name = one.get("name")
        if name != container.get("name"):
            yield f"container {name}: what it does; its requests count"
        for field, what in _CONTAINER_FIELDS.items():
            if one.get(field):
                yield f"container {name}: {what}"
        if (one.get("lifecycle") or {}).get("postStart"):
            yield f"container {name}: the postStart hook"
    if pre_stop_sleep_s(container) is None:
        yield f"container {container.get('name')}: a preStop hook that is no sleep; it takes no time"
    for name in ("startupProbe", "readinessProbe", "livenessProbe"):
        if "exec" in (container.get(name) or {}):
            yield f"{name}: the command; it answers as the server would"
    for name in ("startupProbe", "livenessProbe"):
        if (container.get(name) or {}).get("terminationGracePeriodSeconds") is not None:
            yield f"{name}: its own terminationGracePeriodSeconds"


def service_not_modelled(service: KubeObject) -> list[str]:
    """What of a Service the twin does not do."""
    found = []
    if service.at("spec", "sessionAffinity") not in (None, "None"):
        found.append("sessionAffinity; the client's balancing says how requests find a pod")
    policies = ("internalTrafficPolicy", "externalTrafficPolicy")
    found += [f"{name}: Local" for name in policies if service.at("spec", name) == "Local"]
    if service.at("spec", "trafficDistribution") is not None:
        found.append("trafficDistribution; zones make no difference to requests")
    if service.at("spec", "publishNotReadyAddresses"):
        found.append("publishNotReadyAddresses; only ready pods get requests")
    return [f"{service.reference}: {one}" for one in found]


def kinds_not_modelled(objects: Iterable[KubeObject]) -> list[str]:
    """Objects of kinds that the twin does not know, some of which would act on the workload."""
    return [
        f"{item.reference}: objects of this kind"
        for item in objects
        if item.kind not in _MODELLED_KINDS and item.kind not in _WITHOUT_EFFECT
    ]
