"""The pod that a worker is: one container with what it asks for, its volumes, and what it may not do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tonnage.manifests import security
from tonnage.manifests.claims import CLAIM, claim_name
from tonnage.manifests.gpu import resource_name
from tonnage.manifests.placement import node_selector, tolerations
from tonnage.spec.placement import Resources
from tonnage.spec.training import TrainingJob
from tonnage.training import names, placement, rendezvous, storage
from tonnage.training.claims import claims_devices
from tonnage.training.given import given


@dataclass(frozen=True, slots=True)
class Shape:
    """What back ends and gangs add to a pod.

    Attributes:
        role: Of the pod.
        resources: What it asks for.
        variables: Its variables, besides the document's own.
        container: Name of its container.
        restart_policy: What its kubelet does when the container ends.
        labels: Further labels.
        annotations: Further annotations.
        fields: Further fields of its spec.
        port_name: Name of the port of the rendezvous.
        command: What the container runs; None leaves it to another object.
        claimed: Whether devices of dynamic resource allocation are claimed, or are asked for by the name of
            an extended resource.
    """

    resources: Resources
    variables: list[dict[str, Any]]
    role: str = names.WORKER
    container: str = names.CONTAINER
    restart_policy: str | None = "Never"
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)
    port_name: str = "rendezvous"
    command: list[str] | None = None
    claimed: bool = True


def pod_template(job: TrainingJob, shape: Shape) -> dict[str, Any]:
    """The template of a pod."""
    spec, gpu = job.spec, shape.resources.gpu
    pod: dict[str, Any] = {
        "containers": [_container(job, shape)],
        "restartPolicy": shape.restart_policy,
        "affinity": placement.affinity(job, gpu),
        "nodeSelector": node_selector(spec.scheduling.node_selector, gpu),
        "tolerations": [one.to_dict() for one in tolerations(spec.scheduling.tolerations, gpu) or ()],
        "priorityClassName": spec.scheduling.priority_class_name,
        "runtimeClassName": spec.scheduling.runtime_class_name,
        "schedulerName": spec.scheduling.scheduler_name,
        "serviceAccountName": spec.scheduling.service_account_name,
        "automountServiceAccountToken": None if spec.scheduling.service_account_name else False,
        "enableServiceLinks": False,
        "imagePullSecrets": [{"name": name} for name in spec.image_pull_secrets],
        "securityContext": _pod_security(job),
        "resourceClaims": _claims(job, shape),
        "volumes": storage.volumes(job, shape.resources),
        "terminationGracePeriodSeconds": round(spec.grace_period.seconds) if spec.grace_period else None,
    }
    if spec.network.host_network:
        pod |= {"hostNetwork": True, "dnsPolicy": "ClusterFirstWithHostNet"}
    pod |= shape.fields
    annotations = {**job.metadata.annotations, **shape.annotations}
    metadata = {"labels": {**names.pod_labels(job, shape.role), **shape.labels}, "annotations": annotations}
    return {"metadata": given(metadata), "spec": given(pod)}


def _container(job: TrainingJob, shape: Shape) -> dict[str, Any]:
    spec = job.spec
    own = [rendezvous.variable(name, value) for name, value in spec.env.items()]
    ours = [one for one in (security.home().to_dict(), *shape.variables) if one["name"] not in spec.env]
    port = {"name": shape.port_name, "containerPort": spec.network.port}
    if spec.network.host_network:
        port["hostPort"] = spec.network.port  # what Kubernetes makes of it anyway
    return given(
        {
            "name": shape.container,
            "image": spec.image,
            "command": shape.command,
            "env": [*ours, *own],
            "envFrom": _env_from(job),
            "ports": [port],
            "resources": _resources(job, shape),
            "securityContext": _container_security(job),
            "volumeMounts": storage.mounts(job, shape.resources),
        }
    )


def _env_from(job: TrainingJob) -> list[dict[str, Any]]:
    return [
        {"secretRef": {"name": one.secret}} if one.secret else {"configMapRef": {"name": one.config_map}}
        for one in job.spec.env_from
    ]


def _claims(job: TrainingJob, shape: Shape) -> list[dict[str, Any]]:
    gpu = shape.resources.gpu
    if gpu is None or not shape.claimed or not claims_devices(shape.resources):
        return []
    return [{"name": CLAIM, "resourceClaimTemplateName": claim_name(job.name, gpu)}]


def _resources(job: TrainingJob, shape: Shape) -> dict[str, Any]:
    wanted, rdma = shape.resources, job.spec.network.rdma
    by_claim = shape.claimed and claims_devices(wanted)
    devices = {}
    if wanted.gpu is not None and not by_claim:
        devices[resource_name(wanted.gpu)] = str(wanted.gpu.count)
    if rdma is not None:
        devices[rdma.resource] = str(rdma.count)
    return given(
        {
            "claims": [{"name": CLAIM}] if by_claim else None,
            "requests": {"cpu": str(wanted.cpu), "memory": str(wanted.memory), **devices},
            "limits": {"cpu": str(wanted.cpu_limit), "memory": str(wanted.memory_limit), **devices},
        }
    )


def _pod_security(job: TrainingJob) -> dict[str, Any]:
    wanted = job.spec.security
    found = security.pod_security().to_dict()
    if wanted.user is not None:
        found["runAsUser"] = wanted.user
    if wanted.group is not None:
        found |= {"runAsGroup": wanted.group, "fsGroup": wanted.group}
        found["fsGroupChangePolicy"] = "OnRootMismatch"  # volumes of millions of files start at once
    return dict(found)


def _container_security(job: TrainingJob) -> dict[str, Any]:
    found = dict(security.container_security().to_dict())
    if job.spec.security.writable_root:
        del found["readOnlyRootFilesystem"]
    if job.spec.network.rdma is not None:
        found["capabilities"] = {**found["capabilities"], "add": ["IPC_LOCK"]}
    return found
