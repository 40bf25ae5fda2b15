"""The Deployment."""

from __future__ import annotations

import math
from typing import Final

from lightkube.models import apps_v1, meta_v1

from tonnage.manifests.names import metadata, selector_labels
from tonnage.manifests.pod import pod_template
from tonnage.manifests.probes import startup_budget_s
from tonnage.manifests.release import Release
from tonnage.profile import ModelProfile
from tonnage.spec.service import ModelService

API_VERSION: Final = "apps/v1"
SURGE_MAX: Final = "25%"
UNAVAILABLE_MAX: Final = 0
"""A rolling update takes no replica away before its successor is ready: the load would not wait for it."""
PROGRESS_S_MIN: Final = 600
"""Kubernetes' own patience with a rollout, which only a slower model needs to be longer than."""


def deployment(
    service: ModelService, profile: ModelProfile | None, *, image: str, release: Release | None
) -> apps_v1.Deployment:
    """The Deployment of a service.

    Without ``scaling`` it says how many replicas there are. With it the HPA owns that number, and a
    manifest that said it too would throw the service back to it whenever it is applied.

    Args:
        service: The document.
        profile: What was measured; None for nothing.
        image: The container image.
        release: How it is deployed; None leaves out what neither schedules nor scales.
    """
    budget_s = startup_budget_s(service.spec.probes, profile)
    progress_s = max(PROGRESS_S_MIN, math.ceil(budget_s) + PROGRESS_S_MIN // 2)
    return apps_v1.Deployment(
        apiVersion=API_VERSION,
        kind="Deployment",
        metadata=metadata(service),
        spec=apps_v1.DeploymentSpec(
            replicas=service.spec.replicas if service.spec.scaling is None else None,
            selector=meta_v1.LabelSelector(matchLabels=selector_labels(service)),
            strategy=apps_v1.DeploymentStrategy(
                type="RollingUpdate",
                rollingUpdate=apps_v1.RollingUpdateDeployment(
                    maxSurge=SURGE_MAX, maxUnavailable=UNAVAILABLE_MAX
                ),
            ),
            progressDeadlineSeconds=progress_s,
            template=pod_template(service, profile, image=image, release=release),
        ),
    )
