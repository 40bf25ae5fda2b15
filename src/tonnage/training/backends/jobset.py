"""Back end ``jobset``: a Job for each role, which live and die together.

When any pod fails its Job fails, and all Jobs are made anew once the old pods are gone: the whole job begins
again from its checkpoint, at most ``restart.limit`` times. A disruption does the same and does not count.
Since nobody lives through it, torchrun's static rendezvous does: every agent knows its rank.

Source: jobset v0.12.0 api/jobset/v1alpha2/jobset_types.go (FailurePolicy, BlockingRecreate),
    pkg/controllers/failure_policy.go, pkg/util/placement (names of pods).
"""

from __future__ import annotations

from typing import Any, Final

from tonnage.spec.training import TrainingJob
from tonnage.spec.training_body import GangName
from tonnage.training import names, rendezvous
from tonnage.training.backends import job as core_job
from tonnage.training.gangs import GangParts, gang_parts
from tonnage.training.given import given
from tonnage.training.pod import Shape, pod_template
from tonnage.training.roles import Role, roles_of

API_VERSION: Final = "jobset.x-k8s.io/v1alpha2"
PORT_NAME: Final = "rendezvous"


def objects(job: TrainingJob, gang: GangName, namespace: str | None) -> list[dict[str, Any]]:
    """The objects, in the order in which to create them."""
    parts = gang_parts(job, gang, namespace)
    metadata = names.metadata(job, namespace)
    spec = {
        "network": {
            "enableDNSHostnames": True,
            "publishNotReadyAddresses": True,
            "subdomain": subdomain(job),
        },
        "successPolicy": {"operator": "All", "targetReplicatedJobs": [deciding_role(job).task]},
        "failurePolicy": failure_policy(job),
        "ttlSecondsAfterFinished": names.seconds(job.spec.cleanup.ttl),
        "suspend": True if parts.suspend else None,
        "replicatedJobs": [_replicated(job, role, parts) for role in roles_of(job)],
    }
    made = {
        "apiVersion": API_VERSION,
        "kind": "JobSet",
        "metadata": {**metadata, "labels": {**metadata["labels"], **parts.job_labels}},
        "spec": given(spec),
    }
    return [*parts.objects, made]


def subdomain(job: TrainingJob) -> str:
    """Name of the Service that JobSet makes for the pods; not the job's, which a ModelService may have."""
    return f"{job.name}-workers"


def deciding_role(job: TrainingJob) -> Role:
    """The role whose success is the job's: the chief, else the workers; parameter servers never end."""
    return roles_of(job)[0]


def host(job: TrainingJob, task: str, index: int) -> str:
    """Host name of a pod."""
    return f"{job.name}-{task}-0-{index}.{subdomain(job)}"


def failure_policy(job: TrainingJob, *, deadline: bool = True) -> dict[str, Any] | None:
    """What happens when a Job of the set fails; without a policy the set fails with it.

    Args:
        job: The document.
        deadline: Whether the Jobs have the document's deadline, after which they are not started again.
    """
    if not job.spec.restarts:
        return None
    rules: list[dict[str, Any]] = []
    if deadline and job.spec.deadline is not None:
        over = ["DeadlineExceeded"]
        rules.append({"name": "deadline", "action": "FailJobSet", "onJobFailureReasons": over})
    if job.spec.restart.fatal_exit_codes:
        rules.append(
            {
                "name": "fatalExitCode",
                "action": "FailJobSet",
                "onJobFailureReasons": ["PodFailurePolicy"],
                "onJobFailureMessagePatterns": ["failed with exit code"],
            }
        )
    rules.append(
        {
            "name": "disruption",
            "action": "RestartJobSetAndIgnoreMaxRestarts",
            "onJobFailureReasons": ["PodFailurePolicy"],
        }
    )
    return {
        "maxRestarts": job.spec.restart_limit,
        "restartStrategy": "BlockingRecreate",
        "rules": rules,
    }


def job_spec(
    job: TrainingJob, role: Role, container: str, template: dict[str, Any], *, deadline: bool = True
) -> dict[str, Any]:
    """The spec of a role's Job.

    Args:
        job: The document.
        role: The role.
        container: Name of the container whose exit codes count.
        template: Its pods.
        deadline: Whether it has the document's deadline.
    """
    rules = [*core_job.fatal_rules(job, container), core_job.disruption_rule("FailJob")]
    leads = role == deciding_role(job)
    return given(
        {
            "completionMode": "Indexed",
            "completions": role.count,
            "parallelism": role.count,
            "activeDeadlineSeconds": names.seconds(job.spec.deadline) if deadline else None,
            "backoffLimit": 0,
            "podFailurePolicy": {"rules": rules} if job.spec.restarts else None,
            "podReplacementPolicy": "Failed",
            "successPolicy": core_job.success_policy(job) if leads and role.count > 1 else None,
            "template": template,
        }
    )


def variables(job: TrainingJob, role: Role) -> list[dict[str, Any]]:
    """What the pods of a role are told."""
    lead = host(job, deciding_role(job).task, 0)
    found = [*core_job.index_variables(), *rendezvous.common_variables(job, leader=lead)]
    if job.spec.framework == "tensorflow":
        cluster = {
            one.task: [f"{host(job, one.task, index)}:{job.spec.network.port}" for index in range(one.count)]
            for one in roles_of(job)
        }
        return [*found, rendezvous.tensorflow_variable(cluster, role.task, core_job.INDEX_VARIABLE)]
    if job.spec.framework == "pytorch" and rendezvous.under_torchrun(job):
        return [*found, *rendezvous.static_variables(job, host=lead, index=core_job.INDEX_VARIABLE)]
    return found + rendezvous.framework_variables(job, leader=lead, hosts=[], index=core_job.INDEX_VARIABLE)


def _replicated(job: TrainingJob, role: Role, parts: GangParts) -> dict[str, Any]:
    template = pod_template(
        job,
        Shape(
            resources=role.resources,
            variables=variables(job, role),
            role=role.name,
            command=rendezvous.command(job),
            labels=parts.labels,
            annotations=parts.annotations,
            fields=parts.fields,
        ),
    )
    spec = job_spec(job, role, names.CONTAINER, template)
    metadata = {"labels": names.labels(job)}
    return {"name": role.task, "replicas": 1, "template": {"metadata": metadata, "spec": spec}}
