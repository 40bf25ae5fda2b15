"""All objects of a training job, and what its user should know of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tonnage.errors import SpecError
from tonnage.manifests.order import ordered
from tonnage.spec.training import TrainingJob
from tonnage.spec.training_body import BackendName, GangName
from tonnage.training.backends import job as core_job
from tonnage.training.backends import jobset, kubeflow, trainjob
from tonnage.training.claims import claim_templates
from tonnage.training.gangs import COSCHEDULING_SCHEDULER
from tonnage.training.limits import KIND_OF, backend_problems, gang_problems
from tonnage.training.roles import pods_min
from tonnage.training.values import Rendering


def render(
    job: TrainingJob,
    *,
    backend: BackendName = "job",
    gang: GangName = "none",
    namespace: str | None = None,
) -> Rendering:
    """Makes the Kubernetes objects of a job.

    Args:
        job: The document.
        backend: The kind of object that runs it.
        gang: Who sees to it that all workers start or none.
        namespace: Where they go; None takes the document's, and where that has none leaves it open.

    Returns:
        Objects in the order in which to create them, and notes. The same arguments give the same bytes.

    Raises:
        SpecError: The document asks for what the back end or the gang cannot do; it holds every problem.
    """
    problems = [*backend_problems(job, backend), *gang_problems(job, backend, gang)]
    if problems:
        raise SpecError(problems)
    made = [*claim_templates(job, namespace), *_objects(job, backend, gang, namespace)]
    return Rendering(tuple(map(ordered, made)), tuple(_notes(job, backend, gang)))


def _objects(
    job: TrainingJob, backend: BackendName, gang: GangName, namespace: str | None
) -> list[dict[str, Any]]:
    match backend:
        case "job":
            return core_job.objects(job, gang, namespace)
        case "jobset":
            return jobset.objects(job, gang, namespace)
        case "trainjob":
            return trainjob.objects(job, gang, namespace)
        case "pytorchjob":
            return kubeflow.pytorch_objects(job, gang, namespace)
        case "tfjob":
            return kubeflow.tensorflow_objects(job, gang, namespace)


def _notes(job: TrainingJob, backend: BackendName, gang: GangName) -> Iterator[str]:
    spec = job.spec
    if backend in ("pytorchjob", "tfjob"):
        yield (
            f"{KIND_OF[backend]} (kubeflow.org/v1) is no longer maintained by its project; "
            "TrainJob, JobSet or a plain Job take its place"
        )
    if backend == "jobset" and spec.deadline is not None and spec.restarts:
        yield f"the deadline of {spec.deadline} begins anew with each restart of the JobSet"
    if backend == "trainjob":
        yield (
            f"the Service of the pods is named {job.name}, after the TrainJob: a ModelService of that name "
            "belongs into another namespace"
        )
    if gang == "none" and pods_min(job) > 1:
        yield (
            f"nothing sees to it that all {pods_min(job)} pods start or none: "
            "some may hold their nodes and wait for the others"
        )
    if gang == "coscheduling" and spec.scheduling.scheduler_name is None:
        yield f"the scheduler with the coscheduling plug-in is taken to be named {COSCHEDULING_SCHEDULER}"
    if "pods" in spec.cleanup.model_fields_set and backend not in ("pytorchjob", "tfjob"):
        yield f"spec.cleanup.pods is not used: a {KIND_OF[backend]} keeps its ended pods until it is deleted"
    gpu = spec.resources.gpu
    if gpu is not None and gpu.mig_profile is not None and gpu.count > 1:
        yield f"a process sees one of the {gpu.count} MIG slices of its worker; more workers use more slices"
    yield from _security_notes(job)


def _security_notes(job: TrainingJob) -> Iterator[str]:
    spec = job.spec
    refused = []
    if spec.network.host_network:
        refused.append("the node's network")
    if spec.network.rdma is not None:
        refused.append("the capability IPC_LOCK, which RDMA needs")
    if any(volume.type == "hostPath" for volume in spec.volumes):
        refused.append("folders of the node")
    if any(volume.type == "nfs" for volume in spec.volumes):
        refused.append("NFS volumes, which a PersistentVolumeClaim can stand for")
    if refused:
        yield f"a namespace of the Pod Security Standard restricted refuses the pods: {', '.join(refused)}"
    if spec.network.host_network:
        yield f"with the node's network no two pods share a node: each takes its port {spec.network.port}"
