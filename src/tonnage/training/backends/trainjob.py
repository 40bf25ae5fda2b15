"""Back end ``trainjob``: Kubeflow Trainer's TrainJob, and a TrainingRuntime of its own in the namespace.

The runtime holds what does not change with the number of workers: the pods and what happens when one fails,
as a JobSet (see ``jobset``). The TrainJob says image, command and numbers. Trainer itself tells torchrun and
JAX where worker 0 is, at its own port 29500 and under the Service that JobSet names after the job.

Source: trainer v2.3.0 pkg/apis/trainer/v1alpha1, pkg/runtime/framework/plugins/{torch,jax,plainml,jobset,
    coscheduling,volcano}, pkg/webhooks/trainingruntime_webhook.go, pkg/constants/constants.go.
"""

from __future__ import annotations

from typing import Any, Final

from tonnage.spec.training import TrainingJob
from tonnage.spec.training_body import GangName
from tonnage.training import names, rendezvous
from tonnage.training.backends import job as core_job
from tonnage.training.backends import jobset
from tonnage.training.gangs import (
    SCHEDULE_TIMEOUT_S,
    VOLCANO_QUEUE,
    GangParts,
    gang_parts,
    scheduler_of,
)
from tonnage.training.given import given
from tonnage.training.pod import Shape, pod_template
from tonnage.training.roles import Role, roles_of

API_VERSION: Final = "trainer.kubeflow.org/v1alpha1"
NODE: Final = "node"
"""Trainer's name of the replicated Job that trains, and of its container."""
PORT: Final = 29500
"""Trainer's own port of the rendezvous."""
_STEP_LABEL: Final = "trainer.kubeflow.org/trainjob-ancestor-step"


def objects(job: TrainingJob, gang: GangName, namespace: str | None) -> list[dict[str, Any]]:
    """The objects, in the order in which to create them."""
    parts = gang_parts(job, gang, namespace)
    if gang in ("volcano", "coscheduling"):
        # Trainer makes the group itself, and its pods belong to it.
        parts = GangParts(fields={"schedulerName": scheduler_of(job, gang)})
    runtime = {
        "apiVersion": API_VERSION,
        "kind": "TrainingRuntime",
        "metadata": names.metadata(job, namespace),
        "spec": given(
            {
                "mlPolicy": _ml_policy(job),
                "podGroupPolicy": _group_policy(gang),
                "template": _template(job, gang, parts),
            }
        ),
    }
    return [*parts.objects, runtime, _train_job(job, parts, namespace)]


def _ml_policy(job: TrainingJob) -> dict[str, Any]:
    source: dict[str, Any] = {}
    if _by_torch_plugin(job):
        source = {"torch": {}}
    elif job.spec.framework == "jax":
        source = {"jax": {}}
    return {"numNodes": job.spec.workers, **source}


def _by_torch_plugin(job: TrainingJob) -> bool:
    return job.spec.framework == "pytorch" and rendezvous.under_torchrun(job)


def _group_policy(gang: GangName) -> dict[str, Any] | None:
    if gang == "volcano":
        return {"volcano": {}}
    if gang == "coscheduling":
        return {"coscheduling": {"scheduleTimeoutSeconds": SCHEDULE_TIMEOUT_S}}
    return None


def _template(job: TrainingJob, gang: GangName, parts: GangParts) -> dict[str, Any]:
    """The JobSet that Trainer makes."""
    (role,) = roles_of(job)
    queue = {VOLCANO_QUEUE: job.spec.queue} if gang == "volcano" and job.spec.queue is not None else {}
    template = pod_template(
        job,
        Shape(
            resources=job.spec.resources,
            variables=_variables(job, role),
            container=NODE,
            labels=parts.labels,
            annotations=parts.annotations,
            fields=parts.fields,
        ),
    )
    # Image and command are the TrainJob's.
    del template["spec"]["containers"][0]["image"]
    replicated = {
        "name": NODE,
        "replicas": 1,
        "template": {
            "metadata": {"labels": {**names.labels(job), _STEP_LABEL: "trainer"}},
            "spec": jobset.job_spec(job, role, NODE, template, deadline=False),
        },
    }
    policy = jobset.failure_policy(job, deadline=False)  # the deadline is the TrainJob's
    return {
        "metadata": given({"labels": names.labels(job), "annotations": queue}),
        "spec": given({"failurePolicy": policy, "replicatedJobs": [replicated]}),
    }


def _variables(job: TrainingJob, role: Role) -> list[dict[str, Any]]:
    """What Trainer does not tell pods itself."""
    hosts = [f"{job.name}-{NODE}-0-{index}.{job.name}" for index in range(role.count)]
    lead, port = hosts[0], job.spec.network.port
    found = [*core_job.index_variables(), *rendezvous.common_variables(job, leader=lead)]
    if _by_torch_plugin(job):
        return [*found, rendezvous.static_timeout()]
    if job.spec.framework == "jax":
        return found
    if job.spec.framework == "tensorflow":
        cluster = {role.task: [f"{one}:{port}" for one in hosts]}
        return [*found, rendezvous.tensorflow_variable(cluster, role.task, core_job.INDEX_VARIABLE)]
    return found + rendezvous.framework_variables(
        job, leader=lead, hosts=hosts, index=core_job.INDEX_VARIABLE
    )


def _train_job(job: TrainingJob, parts: GangParts, namespace: str | None) -> dict[str, Any]:
    metadata = names.metadata(job, namespace)
    trainer = {
        "image": job.spec.image,
        "command": rendezvous.command(job),
        "numNodes": job.spec.workers,
        "numProcPerNode": job.spec.processes if _by_torch_plugin(job) else None,
    }
    return {
        "apiVersion": API_VERSION,
        "kind": "TrainJob",
        "metadata": {**metadata, "labels": {**metadata["labels"], **parts.job_labels}},
        "spec": given(
            {
                "runtimeRef": {
                    "apiGroup": API_VERSION.partition("/")[0],
                    "kind": "TrainingRuntime",
                    "name": job.name,
                },
                "trainer": given(trainer),
                "suspend": True if parts.suspend else None,
                "activeDeadlineSeconds": names.seconds(job.spec.deadline),
            }
        ),
    }
