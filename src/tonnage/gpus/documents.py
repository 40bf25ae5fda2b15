"""The pods of our own documents: a ModelService's replicas, a TrainingJob's workers."""

from __future__ import annotations

from collections.abc import Mapping
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
    """The workers of a training, which are placed together unless the document wants no gang.

    Raises:
        SpecError: Its manifests cannot be made.
    """
    pods = tuple(planned.pod for planned in pods_of(job))
    namespace = job.metadata.namespace or "default"
    beside = tuple(
        {**one, "metadata": {**one["metadata"], "namespace": namespace}}
        for one in render_job(job, backend="job", gang="none", namespace=namespace).objects
        if one["kind"] in ("Service", "ResourceClaimTemplate")
    )
    return Workload(
        kind=TRAINING_KIND,
        name=job.name,
        namespace=namespace,
        pods=pods,
        gang=job.spec.gang != "none",
        divisible=job.spec.framework != "plain" and len({planned.role for planned in pods_of(job)}) == 1,
        objects=beside,
        least=job.spec.workers_min,
    )
