"""The pods of our own documents: a ModelService's replicas, a TrainingJob's workers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from tonnage.errors import SpecError
from tonnage.gpus.workloads import Workload, workload_of
from tonnage.manifests import Release, render
from tonnage.spec.service import KIND, ModelService
from tonnage.spec.training import TRAINING_KIND, TrainingJob
from tonnage.training import pods_of
from tonnage.training import render as render_job

_IMAGE: Final = "example.com/model:asked"
"""Stands in the pods where the document names no image; nothing is pulled."""


def workload_of_service(service: ModelService, replicas: int | None = None) -> Workload:
    """The replicas of a service.

    Args:
        service: The document.
        replicas: How many; None takes the document's number, and with autoscaling the smallest.

    Raises:
        SpecError: Its manifests cannot be made.
    """
    objects = _rendered(service)
    value = next(dict(one) for one in objects if one["kind"] == "Deployment")
    scaling = service.spec.scaling
    wanted = scaling.min_replicas if scaling is not None else service.spec.replicas
    value["spec"] = {**value["spec"], "replicas": wanted if replicas is None else replicas}
    namespace = service.metadata.namespace or "default"
    value["metadata"] = {**value["metadata"], "namespace": namespace}
    made = workload_of(value)
    assert made is not None
    beside = [
        {**one, "metadata": {**one["metadata"], "namespace": namespace}}
        for one in objects
        if one["kind"] in ("Service", "ResourceClaimTemplate")
    ]
    return replace(made, kind=KIND, objects=(*made.objects, *beside))


def _rendered(service: ModelService) -> tuple[Mapping[str, Any], ...]:
    """With claims as they will be; what only a release or the autoscaler needs does not matter here."""
    service = service.model_copy(update={"spec": service.spec.model_copy(update={"scaling": None})})
    try:
        return render(service, image=_IMAGE, release=Release())
    except SpecError:
        return render(service, image=_IMAGE)


def workload_of_job(job: TrainingJob) -> Workload:
    """The pods of a training, which are placed together unless the document wants no gang.

    Raises:
        SpecError: Its manifests cannot be made.
    """
    planned = pods_of(job)
    namespace = job.metadata.namespace or "default"
    return Workload(
        kind=TRAINING_KIND,
        name=job.name,
        namespace=namespace,
        pods=tuple(one.pod for one in planned),
        gang=job.spec.gang != "none",
        divisible=job.spec.framework != "plain" and len({one.role for one in planned}) == 1,
        objects=tuple(_beside(job, namespace)),
        least=job.spec.workers_min,
    )


def _beside(job: TrainingJob, namespace: str) -> Iterator[Mapping[str, Any]]:
    """What of a job's objects the scheduler reads: the Service, by which it spreads pods, and claims.

    They are those of the back end ``job``; where it cannot run the job, another one will, and makes its own.
    """
    try:
        objects = render_job(job, backend="job", gang="none", namespace=namespace).objects
    except SpecError:
        return
    for one in objects:
        if one["kind"] in ("Service", "ResourceClaimTemplate"):
            yield {**one, "metadata": {**one["metadata"], "namespace": namespace}}
