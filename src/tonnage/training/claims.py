"""GPUs by dynamic resource allocation: a claim for each pod of a role, from a template that never changes.

Source: kubernetes v1.37.2 pkg/apis/resource/validation (ValidateResourceClaimTemplateUpdate: immutable).
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

from tonnage.manifests.claims import API_VERSION, CLAIM
from tonnage.manifests.gpu import device_class
from tonnage.spec.placement import Gpu, Resources
from tonnage.spec.training import TrainingJob
from tonnage.training import names
from tonnage.training.given import given
from tonnage.training.roles import roles_of

_DIGEST_DIGITS: Final = 8


def claims_devices(resources: Resources) -> bool:
    """Whether GPUs are claimed and not asked for as a resource."""
    return resources.gpu is not None and resources.gpu.allocation == "dra"


def claim_templates(job: TrainingJob, namespace: str | None) -> list[dict[str, Any]]:
    """The templates that the pods' claims are made of, each once."""
    found = {}
    for role in roles_of(job):
        gpu = role.resources.gpu
        if gpu is not None and gpu.allocation == "dra":
            name = template_name(job, gpu)
            found[name] = {
                "apiVersion": API_VERSION,
                "kind": "ResourceClaimTemplate",
                "metadata": names.metadata(job, namespace, name),
                "spec": _spec(gpu),
            }
    return list(found.values())


def template_name(job: TrainingJob, gpu: Gpu) -> str:
    """Name of the template: another claim is another template."""
    text = json.dumps(_spec(gpu), sort_keys=True)
    return f"{job.name}-{CLAIM}-{hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_DIGITS]}"


def _spec(gpu: Gpu) -> dict[str, Any]:
    exactly = {
        "deviceClassName": device_class(gpu),
        "allocationMode": "ExactCount",
        "count": gpu.count,
        "selectors": _selectors(gpu),
    }
    return {"spec": {"devices": {"requests": [{"name": CLAIM, "exactly": given(exactly)}]}}}


def _selectors(gpu: Gpu) -> list[dict[str, Any]]:
    """The MIG profile; a class that the document names is taken to select it itself."""
    if gpu.mig_profile is None or gpu.device_class is not None:
        return []
    return [{"cel": {"expression": f"device.attributes['gpu.nvidia.com'].profile == '{gpu.mig_profile}'"}}]
