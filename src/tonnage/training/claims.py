"""GPUs by dynamic resource allocation: a claim for each pod of a role, from a template that never changes.

Source: kubernetes v1.37.2 pkg/apis/resource/validation (ValidateResourceClaimTemplateUpdate: immutable).
"""

from __future__ import annotations

from typing import Any

from tonnage.manifests.claims import API_VERSION, claim_name, claim_spec
from tonnage.spec.placement import Resources
from tonnage.spec.training import TrainingJob
from tonnage.training import names
from tonnage.training.roles import roles_of


def claims_devices(resources: Resources) -> bool:
    """Whether GPUs are claimed and not asked for as a resource."""
    return resources.gpu is not None and resources.gpu.allocation == "dra"


def claim_templates(job: TrainingJob, namespace: str | None) -> list[dict[str, Any]]:
    """The templates that the pods' claims are made of, each once."""
    found = {}
    for role in roles_of(job):
        gpu = role.resources.gpu
        if gpu is not None and gpu.allocation == "dra":
            name = claim_name(job.name, gpu)
            found[name] = {
                "apiVersion": API_VERSION,
                "kind": "ResourceClaimTemplate",
                "metadata": names.metadata(job, namespace, name),
                "spec": claim_spec(gpu).to_dict(),
            }
    return list(found.values())
