"""The Kubernetes objects that are simulated: those given, those made of a ModelService, and edits of both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tonnage.errors import Problem, SpecError
from tonnage.kube.objects import KubeObject, Reference
from tonnage.kube.text import Document
from tonnage.manifests import render
from tonnage.twin.inputs.collect import Collected
from tonnage.twin.inputs.patches import apply_edit, find_target

HELM_HOOK: Final = "helm.sh/hook"
"""Annotation of objects that Helm makes for a moment, such as a test's pod; they are no part of a release."""


@dataclass(slots=True)
class Gathered:
    """Objects, and what is to be said of them.

    Attributes:
        objects: What is simulated.
        problems: What is wrong.
        assumed: What was taken where nothing was said.
        not_modelled: What is left out.
    """

    objects: list[KubeObject] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    assumed: list[str] = field(default_factory=list)
    not_modelled: list[str] = field(default_factory=list)


def gather(collected: Collected, document: KubeObject) -> Gathered:
    """Brings the objects together.

    Args:
        collected: What the texts hold.
        document: The Simulation, for positions.
    """
    found = Gathered()
    for item in collected.objects:
        if _is_hook(item):
            found.not_modelled.append(f"{item.reference}: it is a Helm hook, and no part of the release")
        else:
            found.objects.append(item)
    found.objects = _made(collected, found) + found.objects
    changes = collected.simulation.spec.changes if collected.simulation is not None else ()
    for index, change in enumerate(changes):
        path = ("spec", "changes", index)
        target, problems = find_target(found.objects, change.target, document, (*path, "target"))
        found.problems += problems
        if target is not None:
            after, problems = apply_edit(target, change, document, path)
            found.problems += problems
            found.objects = [after if one is target else one for one in found.objects]
    return found


def _is_hook(item: KubeObject) -> bool:
    annotations = item.at("metadata", "annotations")
    return isinstance(annotations, Mapping) and HELM_HOOK in annotations


def _made(collected: Collected, found: Gathered) -> list[KubeObject]:
    """Objects made of the ModelService, but for those that were given."""
    service, item = collected.service, collected.service_item
    if service is None or item is None:
        return []
    try:
        image = service.spec.image or f"{service.name}:unnamed"
        made = [_rendered(value, item) for value in render(service, collected.profile, image=image)]
    except SpecError as error:
        found.problems += [item.placed(problem) for problem in error.problems]
        return []
    taken = {one.reference for one in found.objects}
    replaced = [one for one in made if one.reference in taken]
    told = "is the one given, not the one made of the ModelService"
    found.assumed += [f"{one.reference} {told}" for one in replaced]
    if any(one.kind == "Deployment" for one in replaced):
        made = [one for one in made if one.kind != "Service"]  # Its labels may be others.
    return [one for one in made if one not in replaced]


def _rendered(value: dict[str, Any], service: KubeObject) -> KubeObject:
    """An object that was made of a ModelService; what is wrong with it is told of that document."""
    metadata = value["metadata"]
    reference = Reference(
        value["kind"], metadata["name"], metadata.get("namespace") or "default", value["apiVersion"]
    )
    document = Document(value)
    if () in service.document.places:
        document.places[()] = service.document.places[()]
    return KubeObject(reference, value, service.source, document)
