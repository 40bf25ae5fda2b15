"""All workers or none: what each gang scheduler wants on the pods, and the group that it counts by.

Source: kubernetes v1.37.2 k8s.io/api/scheduling/v1beta1/types.go (PodGroup), core/v1/types.go
    (PodSchedulingGroup).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tonnage.spec.training import TrainingJob
from tonnage.spec.training_body import GangName
from tonnage.training import names
from tonnage.training.pod import given

CORE_VERSION: Final = "scheduling.k8s.io/v1beta1"


@dataclass(frozen=True, slots=True)
class GangParts:
    """What a gang adds.

    Attributes:
        objects: Objects beside the job.
        labels: Labels of the pods.
        annotations: Annotations of the pods.
        fields: Fields of the pods' spec.
        job_labels: Labels of the object that runs the job.
        job_annotations: Annotations of it.
        suspend: Whether it is created suspended, for somebody else to start it.
        by_pods: Whether nearness is still asked for as affinity between pods.
    """

    objects: tuple[dict[str, Any], ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)
    job_labels: Mapping[str, str] = field(default_factory=dict)
    job_annotations: Mapping[str, str] = field(default_factory=dict)
    suspend: bool = False
    by_pods: bool = True


def gang_parts(job: TrainingJob, gang: GangName, namespace: str | None) -> GangParts:
    """What a gang adds to a job's objects."""
    if gang == "core":
        return _core(job, namespace)
    return GangParts()


def _core(job: TrainingJob, namespace: str | None) -> GangParts:
    group = {
        "apiVersion": CORE_VERSION,
        "kind": "PodGroup",
        "metadata": names.metadata(job, namespace),
        "spec": given(
            {
                "schedulingPolicy": {"gang": {"minCount": job.spec.workers_min}},
                "disruptionMode": {"all": {}},
                "priorityClassName": job.spec.scheduling.priority_class_name,
            }
        ),
    }
    return GangParts(objects=(group,), fields={"schedulingGroup": {"podGroupName": job.name}})
