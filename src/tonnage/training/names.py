"""Names, labels and variables that the objects of a training job share."""

from __future__ import annotations

from typing import Any, Final

from tonnage.contract import autoscaling
from tonnage.spec.training import TrainingJob
from tonnage.units import Duration

INSTANCE_LABEL: Final = "app.kubernetes.io/instance"
"""Not ``app.kubernetes.io/name``, by which a ModelService of the same name selects its own pods."""
COMPONENT_LABEL: Final = "app.kubernetes.io/component"
JOB_LABEL: Final = "tonnage.dev/training-job"
"""On every object and pod of a job; its value is the job's name."""
ROLE_LABEL: Final = "tonnage.dev/training-role"
"""On every pod: worker, chief or parameter-server."""
CONTAINER: Final = "trainer"
"""Name of the container that trains, where an operator demands no other."""
WORKER: Final = "worker"
CHIEF: Final = "chief"
PARAMETER_SERVER: Final = "parameter-server"
CHECKPOINT_VARIABLE: Final = "TONNAGE_CHECKPOINT_DIR"
INDEX_VARIABLE: Final = "TONNAGE_WORKER_INDEX"
WORKERS_VARIABLE: Final = "TONNAGE_WORKERS"
LEADER_VARIABLE: Final = "TONNAGE_LEADER"
PORT_VARIABLE: Final = "TONNAGE_PORT"


def seconds(duration: Duration | None) -> int | None:
    """A time in whole seconds, as Kubernetes counts them; None for None."""
    return None if duration is None else round(duration.seconds)


def labels(job: TrainingJob) -> dict[str, str]:
    """Labels of every object: the document's own, then ours, which the document cannot take away."""
    return {
        **job.metadata.labels,
        INSTANCE_LABEL: job.name,
        COMPONENT_LABEL: "training",
        JOB_LABEL: job.name,
        autoscaling.MANAGED_BY_LABEL: autoscaling.MANAGED_BY,
    }


def pod_labels(job: TrainingJob, role: str = WORKER) -> dict[str, str]:
    """Labels of the pods of a role."""
    return {**labels(job), ROLE_LABEL: role}


def metadata(job: TrainingJob, namespace: str | None, name: str | None = None) -> dict[str, Any]:
    """Metadata of every object; it has the job's name unless another is given."""
    found: dict[str, Any] = {"name": name or job.name, "labels": labels(job)}
    where = namespace or job.metadata.namespace
    if where is not None:
        found["namespace"] = where
    if job.metadata.annotations:
        found["annotations"] = dict(job.metadata.annotations)
    return found
