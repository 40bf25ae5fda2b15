"""The pods that a job will have, for those who reckon whether they can be placed."""

from __future__ import annotations

from tonnage.spec.training import TrainingJob
from tonnage.training import names
from tonnage.training.backends import job as core_job
from tonnage.training.gangs import GangParts
from tonnage.training.values import PlannedPod


def pods_of(job: TrainingJob) -> tuple[PlannedPod, ...]:
    """The pods of a job, which must be placed together.

    Args:
        job: The document.
    """
    template = core_job.template(job, GangParts())
    found = []
    for index in range(job.spec.workers):
        name = f"{job.name}-{index}"
        metadata = {**template["metadata"], "name": name, "namespace": job.metadata.namespace or "default"}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}
        found.append(PlannedPod(name, names.WORKER, index, pod))
    return tuple(found)
