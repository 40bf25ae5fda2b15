"""Back ends ``pytorchjob`` and ``tfjob``: the Training Operator's kinds, which upstream no longer maintains.

A PyTorchJob has workers and no master: a master would bring an init container of its own image with it,
which a namespace of standard ``restricted`` refuses. torchrun's agents meet at worker 0, whose Service the
operator makes. Only an elastic job has an ``elasticPolicy``: with one, the operator takes the job to have
succeeded with the first worker that has, and deletes the others, while an agent that is done waits only five
minutes for them.

A worker's container is started again in its pod, while the operator counts the restarts of all pods together:
hence a limit of so many for each.

Source: training-operator v1.9.3 pkg/apis/kubeflow.org/v1, pkg/controller.v1/{common,pytorch,tensorflow}
    (UpdateJobStatus, setPodEnv), pkg/core/job.go (PastBackoffLimit), pkg/webhooks.
Source: pytorch torch/distributed/elastic/agent/server/api.py (SimpleElasticAgent._exit_barrier).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tonnage.spec.training import TrainingJob
from tonnage.spec.training_body import GangName
from tonnage.training import names, rendezvous
from tonnage.training.gangs import GangParts, gang_parts
from tonnage.training.given import given
from tonnage.training.pod import Shape, pod_template
from tonnage.training.roles import Role, pods_min, roles_of

API_VERSION: Final = "kubeflow.org/v1"
PYTORCH_CONTAINER: Final = "pytorch"
PYTORCH_PORT: Final = "pytorchjob-port"
TENSORFLOW_CONTAINER: Final = "tensorflow"
TENSORFLOW_PORT: Final = "tfjob-port"
_OPERATORS_OWN: Final = (rendezvous.UNBUFFERED, "PET_NNODES", "PET_NPROC_PER_NODE")
"""Variables that the operator tells the pods of a PyTorchJob itself."""
_REPLICA_TYPES: Final[Mapping[str, str]] = {"worker": "Worker", "chief": "Chief", "ps": "PS"}


def pytorch_objects(job: TrainingJob, gang: GangName, namespace: str | None) -> list[dict[str, Any]]:
    """The objects of a PyTorchJob, in the order in which to create them."""
    parts = gang_parts(job, gang, namespace)
    (role,) = roles_of(job)
    lead, elastic = host(job, role, 0), job.spec.elastic is not None
    told = _variables(job, lead)
    if not elastic:
        told += rendezvous.torchrun_variables(job, endpoint=f"{lead}:{job.spec.network.port}")
    told = [one for one in told if one["name"] not in _OPERATORS_OWN]
    spec = {
        "runPolicy": _run_policy(job, parts),
        "nprocPerNode": str(job.spec.processes),
        "elasticPolicy": _elastic_policy(job) if elastic else None,
        "pytorchReplicaSpecs": {
            "Worker": _replicas(job, role, parts, PYTORCH_CONTAINER, PYTORCH_PORT, told)
        },
    }
    return [*parts.objects, _made(job, "PyTorchJob", parts, namespace, spec)]


def tensorflow_objects(job: TrainingJob, gang: GangName, namespace: str | None) -> list[dict[str, Any]]:
    """The objects of a TFJob, in the order in which to create them; ``TF_CONFIG`` is the operator's."""
    parts = gang_parts(job, gang, namespace)
    roles = roles_of(job)
    told = _variables(job, host(job, roles[0], 0))
    spec = {
        "runPolicy": _run_policy(job, parts),
        "tfReplicaSpecs": {
            _REPLICA_TYPES[role.task]: _replicas(
                job, role, parts, TENSORFLOW_CONTAINER, TENSORFLOW_PORT, told
            )
            for role in roles
        },
    }
    return [*parts.objects, _made(job, "TFJob", parts, namespace, spec)]


def host(job: TrainingJob, role: Role, index: int) -> str:
    """Name of a pod and of its Service."""
    return f"{job.name}-{role.task}-{index}"


def _made(
    job: TrainingJob, kind: str, parts: GangParts, namespace: str | None, spec: Mapping[str, Any]
) -> dict[str, Any]:
    metadata = names.metadata(job, namespace)
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {**metadata, "labels": {**metadata["labels"], **parts.job_labels}},
        "spec": given(spec),
    }


def _variables(job: TrainingJob, lead: str) -> list[dict[str, Any]]:
    number = rendezvous.from_field(
        names.INDEX_VARIABLE, "metadata.labels['training.kubeflow.org/replica-index']"
    )
    return [number, *rendezvous.common_variables(job, leader=lead)]


def _elastic_policy(job: TrainingJob) -> dict[str, Any]:
    conf = {"join_timeout": rendezvous.JOIN_TIMEOUT_S, "read_timeout": rendezvous.STORE_TIMEOUT_S}
    return {
        "minReplicas": job.spec.workers_min,
        "maxReplicas": job.spec.workers_max,
        "rdzvBackend": "c10d",
        "rdzvId": job.name,
        "rdzvConf": [{"key": key, "value": str(value)} for key, value in conf.items()],
        "maxRestarts": job.spec.restart_limit,
    }


def _run_policy(job: TrainingJob, parts: GangParts) -> dict[str, Any]:
    spec = job.spec
    pods = sum(role.count for role in roles_of(job))
    return given(
        {
            "activeDeadlineSeconds": names.seconds(spec.deadline),
            # The job fails when so many restarts are reached.
            "backoffLimit": spec.restart_limit * pods + 1 if spec.restarts else None,
            "cleanPodPolicy": spec.cleanup.pods,
            "ttlSecondsAfterFinished": names.seconds(spec.cleanup.ttl),
            "suspend": True if parts.suspend else None,
            "schedulingPolicy": _scheduling_policy(job, parts),
        }
    )


def _scheduling_policy(job: TrainingJob, parts: GangParts) -> dict[str, Any] | None:
    """The same group for an operator that is set up to make it itself, which it names like ours."""
    if not parts.objects:
        return None
    return given(
        {
            "minAvailable": pods_min(job),
            "queue": job.spec.queue,
            "priorityClass": job.spec.scheduling.priority_class_name,
        }
    )


def _replicas(
    job: TrainingJob, role: Role, parts: GangParts, container: str, port: str, told: list[dict[str, Any]]
) -> dict[str, Any]:
    template = pod_template(
        job,
        Shape(
            resources=role.resources,
            variables=told,
            role=role.name,
            container=container,
            port_name=port,
            command=rendezvous.command(job),
            restart_policy=None,  # the replicas' is put into the pods
            labels=parts.labels,
            annotations=parts.annotations,
            fields=parts.fields,
        ),
    )
    return {
        "replicas": role.count,
        "restartPolicy": "OnFailure" if job.spec.restarts else "Never",
        "template": template,
    }
