"""Sorts what the texts hold: our documents by kind, Kubernetes objects as they are, every fault found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from tonnage.errors import Problem, SpecError
from tonnage.kube.objects import KubeObject, plain, read_objects
from tonnage.kube.shape import shape_problems
from tonnage.profile import ModelProfile, parse_profile
from tonnage.profile.parts import KIND as PROFILE_KIND
from tonnage.spec.documents import P, read_part, unknown_kind
from tonnage.spec.nodepools import NODE_POOLS_KIND, NodePools
from tonnage.spec.service import KIND as SERVICE_KIND
from tonnage.spec.service import ModelService
from tonnage.spec.simulation import SIMULATION_KIND, Simulation
from tonnage.twin.inputs.texts import InputTexts

_KNOWN: Final = (SERVICE_KIND, NODE_POOLS_KIND, SIMULATION_KIND, PROFILE_KIND)


@dataclass(frozen=True, slots=True)
class Collected:
    """What the texts hold.

    Attributes:
        service: The ModelService.
        simulation: The Simulation.
        pools: The NodePools.
        profile: The ModelProfile.
        objects: Kubernetes objects.
        service_item: Where the ModelService stands.
        simulation_item: Where the Simulation stands.
        pools_item: Where the NodePools stand.
        shapes_are_sound: Whether every Kubernetes object has the fields and types of its kind.
    """

    service: ModelService | None = None
    simulation: Simulation | None = None
    pools: NodePools | None = None
    profile: ModelProfile | None = None
    objects: tuple[KubeObject, ...] = ()
    service_item: KubeObject | None = None
    simulation_item: KubeObject | None = None
    pools_item: KubeObject | None = None
    shapes_are_sound: bool = True


def collect(texts: InputTexts, *, places: bool = True) -> tuple[Collected, list[Problem]]:
    """Reads the texts.

    Args:
        texts: What was loaded.
        places: Whether problems must have lines and columns.

    Returns:
        What could be read, and everything that is wrong.
    """
    items, problems = _items(texts, places)
    ours = [item for item in items if item.is_ours]
    problems += [unknown_kind(item, _KNOWN) for item in ours if item.kind not in _KNOWN]
    service_item = _only(ours, SERVICE_KIND, problems)
    simulation_item = _only(ours, SIMULATION_KIND, problems)
    pools_item = _only(ours, NODE_POOLS_KIND, problems)
    objects = tuple(item for item in items if not item.is_ours)
    wrong = [problem for item in objects for problem in shape_problems(item)]
    problems += [*wrong, *_repeated(objects)]
    return (
        Collected(
            _part(service_item, ModelService, problems),
            _part(simulation_item, Simulation, problems),
            _part(pools_item, NodePools, problems),
            _profile(texts, _only(ours, PROFILE_KIND, problems), problems),
            objects,
            service_item,
            simulation_item,
            pools_item,
            not wrong,
        ),
        problems,
    )


def _items(texts: InputTexts, places: bool) -> tuple[list[KubeObject], list[Problem]]:
    items: list[KubeObject] = []
    problems: list[Problem] = []
    for file in texts.inputs:
        try:
            found, wrong = read_objects(file.text, source=file.name, places=places)
        except SpecError as error:
            problems += error.problems
            continue
        if not found and not wrong:
            problems.append(Problem("", "must hold a document, got none", file.name, 1, 1))
        items += found
        problems += wrong
    return items, problems


def _only(items: Iterable[KubeObject], kind: str, problems: list[Problem]) -> KubeObject | None:
    of_kind = [item for item in items if item.kind == kind]
    problems += [
        item.problem(("kind",), f"must be given once, got a second {kind}") for item in of_kind[1:]
    ]
    return of_kind[0] if of_kind else None


def _part(item: KubeObject | None, root: type[P], problems: list[Problem]) -> P | None:
    if item is None:
        return None
    value, wrong = read_part(item, root)
    problems += wrong
    return value


def _profile(texts: InputTexts, item: KubeObject | None, problems: list[Problem]) -> ModelProfile | None:
    """The profile of the file that was named for it, else the one among the documents."""
    if texts.profile is not None:
        try:
            return parse_profile(texts.profile.text, source=texts.profile.name)
        except SpecError as error:
            problems += error.problems
            return None
    if item is None:
        return None
    value: Any = plain(item.value)
    try:
        return ModelProfile.model_validate(value, by_alias=True, by_name=False)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            path = tuple(step for step in detail["loc"] if step != "[key]")
            problems.append(item.problem(path, f"must be right in a {PROFILE_KIND}: {detail['msg']}"))
    return None


def _repeated(objects: Iterable[KubeObject]) -> list[Problem]:
    seen: dict[tuple[str, str, str], KubeObject] = {}
    problems = []
    for item in objects:
        key = (item.kind, item.namespace, item.name)
        first = seen.setdefault(key, item)
        if first is not item:
            message = f"must be given once, got a second {item.reference} (the first is in {first.source})"
            problems.append(item.problem(("metadata", "name"), message))
    return problems
