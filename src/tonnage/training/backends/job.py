"""Back end ``job``: what every cluster has, an Indexed Job with two headless Services.

The Service ``<job>-workers`` gives each worker the name ``<job>-<index>.<job>-workers``; the Service
``<job>-0`` is worker 0 (see ``rendezvous``). Both answer for pods that are not ready, because workers meet
before any is. None has the job's own name, which is left to a ModelService that serves what was trained.

Restarts: ``backoffLimitPerIndex`` counts the pods of each worker by themselves, so that a failure which takes
all workers along counts once and not once for each; ``maxFailedIndexes`` ends the job with the first worker
that has none left. Pods that were evicted, preempted or lost with their node do not count. A pod is replaced
when the old one has ended, so that no two have one name. Where frameworks meet, worker 0 leaves last, and its
success is the job's.

Source: kubernetes v1.37.2 pkg/controller/job/job_controller.go, backoff_utils.go, pod_failure_policy.go.
"""

from __future__ import annotations

from typing import Any, Final

from tonnage.spec.training import TrainingJob
from tonnage.spec.training_body import GangName
from tonnage.training import names, rendezvous
from tonnage.training.gangs import GangParts, gang_parts
from tonnage.training.given import given
from tonnage.training.pod import Shape, pod_template

INDEX_LABEL: Final = "batch.kubernetes.io/job-completion-index"
INDEX_VARIABLE: Final = "JOB_COMPLETION_INDEX"
_KUEUE_MIN: Final = "kueue.x-k8s.io/job-min-parallelism"
_KUEUE_EQUAL: Final = "kueue.x-k8s.io/job-completions-equal-parallelism"


def leader(job: TrainingJob) -> str:
    """Host name of worker 0, and of its Service."""
    return f"{job.name}-0"


def subdomain(job: TrainingJob) -> str:
    """Name of the Service under which every worker has its name."""
    return f"{job.name}-workers"


def objects(job: TrainingJob, gang: GangName, namespace: str | None) -> list[dict[str, Any]]:
    """The objects, in the order in which to create them."""
    parts = gang_parts(job, gang, namespace)
    return [*_services(job, namespace), *parts.objects, _job(job, parts, namespace)]


def _services(job: TrainingJob, namespace: str | None) -> list[dict[str, Any]]:
    port = job.spec.network.port

    def headless(name: str, selector: dict[str, str]) -> dict[str, Any]:
        return {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": names.metadata(job, namespace, name),
            "spec": {
                "clusterIP": "None",
                "publishNotReadyAddresses": True,
                "selector": selector,
                "ports": [{"name": "rendezvous", "port": port, "targetPort": port}],
            },
        }

    every = {names.JOB_LABEL: job.name}
    return [headless(subdomain(job), every), headless(leader(job), {**every, INDEX_LABEL: "0"})]


def template(job: TrainingJob, parts: GangParts, *, claimed: bool = True) -> dict[str, Any]:
    """The template of a worker's pod.

    Args:
        job: The document.
        parts: What the gang adds.
        claimed: Whether devices of dynamic resource allocation are claimed.
    """
    hosts = [f"{job.name}-{index}.{subdomain(job)}" for index in range(job.spec.workers)]
    variables = [
        *index_variables(),
        *rendezvous.common_variables(job, leader=leader(job)),
        *rendezvous.framework_variables(job, leader=leader(job), hosts=hosts, index=INDEX_VARIABLE),
    ]
    return pod_template(
        job,
        Shape(
            resources=job.spec.resources,
            variables=variables,
            command=rendezvous.command(job),
            labels=parts.labels,
            annotations=parts.annotations,
            fields={"subdomain": subdomain(job), **parts.fields},
            claimed=claimed,
        ),
    )


def index_variables() -> list[dict[str, Any]]:
    """The worker's number, before what is made of it: only earlier variables can be referred to.

    Source: kubernetes v1.37.2 pkg/controller/job/indexed_job_utils.go (addCompletionIndexEnvVariable keeps a
        variable that is there).
    """
    return [
        rendezvous.from_field(INDEX_VARIABLE, f"metadata.labels['{INDEX_LABEL}']"),
        rendezvous.variable(names.INDEX_VARIABLE, f"$({INDEX_VARIABLE})"),
    ]


def _job(job: TrainingJob, parts: GangParts, namespace: str | None) -> dict[str, Any]:
    spec = job.spec
    metadata = names.metadata(job, namespace)
    annotations = {**metadata.get("annotations", {}), **_partial_admission(job, parts)}
    labels = {**metadata["labels"], **parts.job_labels}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": given({**metadata, "labels": labels, "annotations": annotations}),
        "spec": given(
            {
                "completionMode": "Indexed",
                "completions": spec.workers,
                "parallelism": spec.workers,
                "activeDeadlineSeconds": names.seconds(spec.deadline),
                "ttlSecondsAfterFinished": names.seconds(spec.cleanup.ttl),
                "suspend": True if parts.suspend else None,
                "successPolicy": success_policy(job),
                **_failure_policy(job),
                "template": template(job, parts),
            }
        ),
    }


def _partial_admission(job: TrainingJob, parts: GangParts) -> dict[str, str]:
    """Kueue may start an elastic job with fewer workers when its queue has no room for all."""
    if not parts.suspend or job.spec.workers_min == job.spec.workers:
        return {}
    return {_KUEUE_MIN: str(job.spec.workers_min), _KUEUE_EQUAL: "true"}


def success_policy(job: TrainingJob) -> dict[str, Any] | None:
    """Worker 0 leaves last where workers meet; the others, done as well, are not waited for."""
    if job.spec.framework == "plain" or job.spec.workers == 1:
        return None
    return {"rules": [{"succeededIndexes": "0"}]}


def fatal_rules(job: TrainingJob, container: str) -> list[dict[str, Any]]:
    """Rules of a podFailurePolicy for the exit codes that make restarts pointless."""
    codes = sorted(set(job.spec.restart.fatal_exit_codes))
    if not codes:
        return []
    found = {"containerName": container, "operator": "In", "values": codes}
    return [{"action": "FailJob", "onExitCodes": found}]


def disruption_rule(action: str) -> dict[str, Any]:
    """Rule of a podFailurePolicy for pods that were evicted, preempted or lost with their node."""
    return {"action": action, "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}


def _failure_policy(job: TrainingJob) -> dict[str, Any]:
    """Fields of the Job that say what a failed pod means."""
    spec = job.spec
    if not spec.restarts:
        return {"backoffLimit": 0}
    rules = [*fatal_rules(job, names.CONTAINER), disruption_rule("Ignore")]
    return {
        "backoffLimitPerIndex": spec.restart_limit,
        "maxFailedIndexes": spec.workers - spec.workers_min,
        "podFailurePolicy": {"rules": rules},
        "podReplacementPolicy": "Failed",
    }
