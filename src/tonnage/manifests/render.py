"""All objects of a service, and their text."""

from __future__ import annotations

from typing import Any, Final

from tonnage.errors import Problem, SpecError
from tonnage.kube.dump import dump_documents
from tonnage.manifests.autoscaler import autoscaler, autoscaler_problems
from tonnage.manifests.deployment import deployment
from tonnage.manifests.gpu import gpu_problems
from tonnage.manifests.placement import placement_problems
from tonnage.manifests.service import kube_service
from tonnage.profile import ModelProfile
from tonnage.spec.service import ModelService

_FIRST: Final = ("apiVersion", "kind", "metadata", "type", "name", "image", "topologyKey")
"""Keys that people look for first; the others follow in order of their names."""


def render(
    service: ModelService, profile: ModelProfile | None = None, *, image: str | None = None
) -> tuple[dict[str, Any], ...]:
    """Makes the Kubernetes objects of a service.

    Args:
        service: The document.
        profile: What was measured: the startup probe's budget and a ``load`` metric's target come from it.
        image: The image where the document names none.

    Returns:
        Objects as plain data, in the order in which to apply them. The same arguments give the same bytes.

    Raises:
        SpecError: The document lacks what a manifest needs; it holds every problem.
    """
    chosen = service.spec.image or image
    problems = [*gpu_problems(service.spec.resources.gpu), *placement_problems(service)]
    problems += autoscaler_problems(service, profile)
    if chosen is None:
        problems.insert(0, Problem("spec.image", "must be given, because pods run an image"))
    if chosen is None or problems:
        raise SpecError(problems)
    made = (
        kube_service(service),
        deployment(service, profile, image=chosen),
        autoscaler(service, profile),
    )
    return tuple(_ordered(one.to_dict()) for one in made if one is not None)


def render_text(
    service: ModelService, profile: ModelProfile | None = None, *, image: str | None = None
) -> str:
    """Makes the Kubernetes objects of a service as YAML; see ``render``."""
    return dump_documents(render(service, profile, image=image))


def _ordered(value: Any) -> Any:
    """The same data with every mapping in one order, whatever order it was made or written in."""
    if isinstance(value, list):
        return [_ordered(item) for item in value]
    if not isinstance(value, dict):
        return value
    rank = {name: place for place, name in enumerate(_FIRST)}
    keys = sorted(value, key=lambda key: (rank.get(key, len(rank)), key))
    return {key: _ordered(value[key]) for key in keys}
