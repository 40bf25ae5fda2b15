"""All objects of a training job."""

from __future__ import annotations

from tonnage.errors import Problem, SpecError
from tonnage.manifests.order import ordered
from tonnage.spec.training import TrainingJob
from tonnage.spec.training_body import BackendName, GangName
from tonnage.training.backends import job as core_job
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
        Objects in the order in which to create them. The same arguments give the same bytes.

    Raises:
        SpecError: The document asks for what the back end cannot do; it holds every problem.
    """
    if backend != "job":
        raise SpecError([Problem("spec.backend", f"must be job, got {backend}")])
    made = core_job.objects(job, gang, namespace)
    return Rendering(tuple(map(ordered, made)), ())
