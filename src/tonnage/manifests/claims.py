"""The ResourceClaimTemplate: GPUs by dynamic resource allocation, a claim for each replica.

What is claimed cannot be changed in place, so the template's name ends in a digest of it: another claim is
another template, and the Deployment rolls from one to the other.

Source: kubernetes v1.37.2 pkg/apis/resource/validation (ValidateResourceClaimTemplateUpdate: immutable).
Source: kubernetes-sigs/dra-driver-nvidia-gpu, demo/specs/quickstart (class ``mig.nvidia.com``, attribute
    ``profile`` of domain ``gpu.nvidia.com``).
"""

from __future__ import annotations

import hashlib
import json
from typing import Final

from lightkube.models import core_v1, resource_v1

from tonnage.manifests.gpu import device_class
from tonnage.manifests.names import metadata
from tonnage.spec.placement import Gpu
from tonnage.spec.service import ModelService

API_VERSION: Final = "resource.k8s.io/v1"
CLAIM: Final = "gpu"
"""Name of the claim in the pod, and of its one request."""
_DIGEST_DIGITS: Final = 8


def claim_template(service: ModelService) -> resource_v1.ResourceClaimTemplate | None:
    """The template of the replicas' claims; None where no GPU is allocated so."""
    gpu = service.spec.resources.gpu
    if gpu is None or gpu.allocation != "dra":
        return None
    return resource_v1.ResourceClaimTemplate(
        apiVersion=API_VERSION,
        kind="ResourceClaimTemplate",
        metadata=metadata(service, claim_name(service.name, gpu)),
        spec=claim_spec(gpu),
    )


def pod_claims(service: ModelService) -> list[core_v1.PodResourceClaim] | None:
    """What the pod says of its claims."""
    gpu = service.spec.resources.gpu
    if gpu is None or gpu.allocation != "dra":
        return None
    return [core_v1.PodResourceClaim(name=CLAIM, resourceClaimTemplateName=claim_name(service.name, gpu))]


def claim_name(owner: str, gpu: Gpu) -> str:
    """Name of the template: another claim is another template.

    Args:
        owner: Name of the document that it is made for.
        gpu: What is claimed.
    """
    text = json.dumps(claim_spec(gpu).to_dict(), sort_keys=True)
    return f"{owner}-{CLAIM}-{hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_DIGITS]}"


def claim_spec(gpu: Gpu) -> resource_v1.ResourceClaimTemplateSpec:
    """What each pod claims."""
    exactly = resource_v1.ExactDeviceRequest(
        deviceClassName=device_class(gpu),
        allocationMode="ExactCount",
        count=gpu.count,
        selectors=_selectors(gpu),
    )
    request = resource_v1.DeviceRequest(name=CLAIM, exactly=exactly)
    return resource_v1.ResourceClaimTemplateSpec(
        spec=resource_v1.ResourceClaimSpec(devices=resource_v1.DeviceClaim(requests=[request]))
    )


def _selectors(gpu: Gpu) -> list[resource_v1.DeviceSelector] | None:
    """The MIG profile; a class that the document names is taken to select it itself."""
    if gpu.mig_profile is None or gpu.device_class is not None:
        return None
    expression = f"device.attributes['gpu.nvidia.com'].profile == '{gpu.mig_profile}'"
    return [resource_v1.DeviceSelector(cel=resource_v1.CELDeviceSelector(expression=expression))]
