"""All objects of a service, and their text."""

from __future__ import annotations

from typing import Any

from tonnage.errors import Problem, SpecError
from tonnage.manifests.account import service_account
from tonnage.manifests.autoscaler import autoscaler, autoscaler_problems
from tonnage.manifests.budget import disruption_budget
from tonnage.manifests.claims import claim_template
from tonnage.manifests.deployment import deployment
from tonnage.manifests.monitor import pod_monitor
from tonnage.manifests.network import network_policy
from tonnage.manifests.order import ordered
from tonnage.manifests.placement import placement_problems
from tonnage.manifests.release import Release
from tonnage.manifests.service import headless_service, kube_service
from tonnage.manifests.settings import settings_map, settings_problems
from tonnage.manifests.text import dump_objects
from tonnage.profile import ModelProfile
from tonnage.spec.service import ModelService


def render(
    service: ModelService,
    profile: ModelProfile | None = None,
    *,
    image: str | None = None,
    release: Release | None = None,
) -> tuple[dict[str, Any], ...]:
    """Makes the Kubernetes objects of a service.

    Args:
        service: The document.
        profile: What was measured: the startup probe's budget and a ``load`` metric's target come from it.
        image: The image where the document names none.
        release: How it is deployed. None makes only what schedules and scales, for those who reckon with
            replicas and do not run them: Service, Deployment and HPA, with claimed devices as extended
            resources of their class.

    Returns:
        Objects as plain data, in the order in which to apply them. The same arguments give the same bytes.

    Raises:
        SpecError: The document lacks what a manifest needs; it holds every problem.
    """
    chosen = service.spec.image or image
    problems = [*placement_problems(service), *autoscaler_problems(service, profile)]
    problems += settings_problems(service, release) if release is not None else ()
    if chosen is None:
        problems.insert(0, Problem("spec.image", "must be given, because pods run an image"))
    if chosen is None or problems:
        raise SpecError(problems)
    core = (
        kube_service(service),
        deployment(service, profile, image=chosen, release=release),
        autoscaler(service, profile),
    )
    if release is None:
        return tuple(ordered(one.to_dict()) for one in core if one is not None)
    before = (
        service_account(service),
        settings_map(service, release),
        claim_template(service),
        network_policy(service),
    )
    made = [one.to_dict() for one in (*before, *core, disruption_budget(service)) if one is not None]
    made += [headless_service(service).to_dict()] if release.headless else []
    made += [pod_monitor(service)] if release.pod_monitor else []
    return tuple(map(ordered, made))


def render_text(
    service: ModelService,
    profile: ModelProfile | None = None,
    *,
    image: str | None = None,
    release: Release | None = None,
) -> str:
    """Makes the Kubernetes objects of a service as YAML; see ``render``."""
    return dump_objects(render(service, profile, image=image, release=release))
