"""The pods that a job will have, for those who reckon whether they can be placed."""

from __future__ import annotations

from tonnage.spec.training import TrainingJob
from tonnage.training.gangs import scheduler_of
from tonnage.training.given import given
from tonnage.training.names import WORKER
from tonnage.training.pod import Shape, pod_template
from tonnage.training.roles import roles_of
from tonnage.training.values import PlannedPod


def pods_of(job: TrainingJob) -> tuple[PlannedPod, ...]:
    """The pods of a job, which must be placed together; the same whichever back end makes them.

    Devices of dynamic resource allocation are asked for as extended resources of their class. An elastic job
    has as many workers here as it asks for, not as it can do with.

    Args:
        job: The document.
    """
    found = []
    for role in roles_of(job):
        shape = Shape(resources=role.resources, variables=[], role=role.name, claimed=False)
        template = pod_template(job, shape)
        spec = given({**template["spec"], "schedulerName": scheduler_of(job, "none")})
        for index in range(role.count):
            name = f"{job.name}-{index}" if role.name == WORKER else f"{job.name}-{role.task}-{index}"
            place = {"name": name, "namespace": job.metadata.namespace or "default"}
            metadata = {**place, **template["metadata"]}
            pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
            found.append(PlannedPod(name, role.name, index, pod))
    return tuple(found)
