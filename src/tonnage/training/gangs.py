"""All workers or none: what each gang scheduler wants on the pods, and the group that it counts by.

``kueue`` is not about nodes but about quota: the job is created suspended, and Kueue starts it when all of it
fits into its queue. The others place pods: they wait until as many as the group needs can be placed together.

Source: kubernetes v1.37.2 k8s.io/api/scheduling/v1beta1/types.go (PodGroup; behind the feature gate
    GenericWorkload, which is off by default), core/v1/types.go (PodSchedulingGroup).
Source: kueue v0.19.0 pkg/controller/constants/constants.go (QueueLabel), pkg/controller/jobs/job
    (job-min-parallelism, job-completions-equal-parallelism).
Source: volcano-sh/apis v1.14.0 pkg/apis/scheduling/v1beta1 (PodGroup, KubeGroupNameAnnotationKey).
Source: scheduler-plugins v0.34.7 apis/scheduling/v1alpha1 (PodGroup, PodGroupLabel), and its chart
    as-a-second-scheduler (name of the scheduler).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tonnage.spec.training import TrainingJob
from tonnage.spec.training_body import GangName
from tonnage.training import names
from tonnage.training.given import given
from tonnage.training.roles import pods_min, requests_min

CORE_VERSION: Final = "scheduling.k8s.io/v1beta1"
VOLCANO_VERSION: Final = "scheduling.volcano.sh/v1beta1"
COSCHEDULING_VERSION: Final = "scheduling.x-k8s.io/v1alpha1"
QUEUE_LABEL: Final = "kueue.x-k8s.io/queue-name"
VOLCANO_GROUP: Final = "scheduling.k8s.io/group-name"
VOLCANO_QUEUE: Final = "scheduling.volcano.sh/queue-name"
COSCHEDULING_GROUP: Final = "scheduling.x-k8s.io/pod-group"
VOLCANO_SCHEDULER: Final = "volcano"
COSCHEDULING_SCHEDULER: Final = "scheduler-plugins-scheduler"
SCHEDULE_TIMEOUT_S: Final = 60
"""How long coscheduling lets pods hold what they were given while the others cannot be placed."""


@dataclass(frozen=True, slots=True)
class GangParts:
    """What a gang adds.

    Attributes:
        objects: Objects beside the job.
        labels: Labels of the pods.
        annotations: Annotations of the pods.
        fields: Fields of the pods' spec.
        job_labels: Labels of the object that runs the job.
        suspend: Whether it is created suspended, for somebody else to start it.
    """

    objects: tuple[dict[str, Any], ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)
    job_labels: Mapping[str, str] = field(default_factory=dict)
    suspend: bool = False


def gang_parts(job: TrainingJob, gang: GangName, namespace: str | None) -> GangParts:
    """What a gang adds to a job's objects.

    Args:
        job: The document.
        gang: The gang.
        namespace: Where the objects go.
    """
    if gang == "core":
        return _core(job, namespace)
    if gang == "kueue":
        assert job.spec.queue is not None, "checked before: Kueue is asked for by a queue"
        return GangParts(job_labels={QUEUE_LABEL: job.spec.queue}, suspend=True)
    if gang == "volcano":
        return _volcano(job, namespace)
    return _coscheduling(job, namespace) if gang == "coscheduling" else GangParts()


def scheduler_of(job: TrainingJob, gang: GangName) -> str | None:
    """Name of the scheduler that places the pods; None for the cluster's default."""
    usual = {"volcano": VOLCANO_SCHEDULER, "coscheduling": COSCHEDULING_SCHEDULER}.get(gang)
    return job.spec.scheduling.scheduler_name or usual


def _group(job: TrainingJob, namespace: str | None, version: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": version,
        "kind": "PodGroup",
        "metadata": names.metadata(job, namespace),
        "spec": given(spec),
    }


def _core(job: TrainingJob, namespace: str | None) -> GangParts:
    """Its pods are also preempted together, because none goes on without the others."""
    spec = {
        "schedulingPolicy": {"gang": {"minCount": pods_min(job)}},
        "disruptionMode": {"all": {}},
        "priorityClassName": job.spec.scheduling.priority_class_name,
    }
    group = _group(job, namespace, CORE_VERSION, spec)
    return GangParts(objects=(group,), fields={"schedulingGroup": {"podGroupName": job.name}})


def _volcano(job: TrainingJob, namespace: str | None) -> GangParts:
    spec = {
        "minMember": pods_min(job),
        "minResources": requests_min(job),
        "queue": job.spec.queue,
        "priorityClassName": job.spec.scheduling.priority_class_name,
    }
    return GangParts(
        objects=(_group(job, namespace, VOLCANO_VERSION, spec),),
        annotations={VOLCANO_GROUP: job.name},
        fields={"schedulerName": scheduler_of(job, "volcano")},
    )


def _coscheduling(job: TrainingJob, namespace: str | None) -> GangParts:
    spec = {
        "minMember": pods_min(job),
        "minResources": requests_min(job),
        "scheduleTimeoutSeconds": SCHEDULE_TIMEOUT_S,
    }
    return GangParts(
        objects=(_group(job, namespace, COSCHEDULING_VERSION, spec),),
        labels={COSCHEDULING_GROUP: job.name},
        fields={"schedulerName": scheduler_of(job, "coscheduling")},
    )
