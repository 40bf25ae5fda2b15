"""Which Deployment is simulated, which HPA scales it, and whether selectors and references meet anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tonnage.errors import Problem, SpecError
from tonnage.kube.objects import KubeObject
from tonnage.kube.paths import Path
from tonnage.kube.shape import near
from tonnage.scheduling import Selector
from tonnage.scheduling.objects import selector_from_object

POD_OWNERS: Final = ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job")
"""Kinds whose template makes pods."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is simulated.

    Attributes:
        deployment: The Deployment; None when none could be chosen, which is a problem.
        hpa: Its HPA; None for none.
    """

    deployment: KubeObject | None
    hpa: KubeObject | None = None


def choose(objects: Sequence[KubeObject], wanted: str | None) -> tuple[Chosen, list[Problem]]:
    """Chooses the Deployment: the one named, the only one, or the only one with an HPA.

    Args:
        objects: Kubernetes objects.
        wanted: The Deployment's name; None to choose.

    Returns:
        What was chosen, and every reference of an HPA that meets nothing.
    """
    deployments = [item for item in objects if item.kind == "Deployment"]
    hpas = [item for item in objects if item.kind == "HorizontalPodAutoscaler"]
    problems = [problem for hpa in hpas for problem in _target_problems(hpa, objects)]
    scaled = [item for item in deployments if any(_scales(hpa, item) for hpa in hpas)]
    if wanted is not None:
        named = [item for item in deployments if item.name == wanted]
        if len(named) != 1:
            problems.append(_unnamed(wanted, deployments))
            return Chosen(None), problems
        chosen = named[0]
    elif len(deployments) == 1:
        chosen = deployments[0]
    elif len(scaled) == 1:
        chosen = scaled[0]
    else:
        problems.append(_undecided(deployments, objects))
        return Chosen(None), problems
    mine = [hpa for hpa in hpas if _scales(hpa, chosen)]
    for hpa in mine[1:]:
        message = f"must be the only autoscaler of {chosen.reference}, got {mine[0].reference} beside it"
        problems.append(hpa.problem(("spec", "scaleTargetRef"), message, "with two, none of them acts"))
    return Chosen(chosen, mine[0] if mine else None), problems


def _scales(hpa: KubeObject, item: KubeObject) -> bool:
    target = hpa.at("spec", "scaleTargetRef") or {}
    return (
        isinstance(target, Mapping)
        and hpa.namespace == item.namespace
        and target.get("kind") == item.kind
        and target.get("name") == item.name
    )


def _target_problems(hpa: KubeObject, objects: Sequence[KubeObject]) -> list[Problem]:
    target = hpa.at("spec", "scaleTargetRef")
    if not isinstance(target, Mapping) or any(_scales(hpa, item) for item in objects):
        return []
    kind, name = target.get("kind"), target.get("name")
    if not isinstance(kind, str) or not isinstance(name, str):
        return []  # The shape's problem.
    if kind not in ("Deployment", "ReplicaSet", "StatefulSet"):
        return []  # Said among what is not modelled.
    known = [str(item.reference) for item in objects if item.kind in POD_OWNERS]
    elsewhere = next(
        (item for item in objects if item.kind == kind and item.name == name), None
    )
    path: Path = ("spec", "scaleTargetRef", "name")
    if elsewhere is not None:
        message = f"must be in the namespace of {elsewhere.reference} ({elsewhere.namespace})"
        return [hpa.problem(("metadata", "namespace"), f"{message}, got {hpa.namespace}")]
    meant = near(f"{kind}/{name}", known)
    hint = f'did you mean "{meant}"?' if meant else f"there are {', '.join(known)}" if known else None
    return [hpa.problem(path, f'must name a workload that there is, got "{kind}/{name}"', hint)]


def _unnamed(wanted: str, deployments: Sequence[KubeObject]) -> Problem:
    names = [item.name for item in deployments]
    hint = f"there are {', '.join(names)}" if names else None
    return Problem("--workload", f'must name one Deployment, got "{wanted}"', hint=hint)


def _undecided(deployments: Sequence[KubeObject], objects: Sequence[KubeObject]) -> Problem:
    if deployments:
        names = ", ".join(item.name for item in deployments)
        message = f"must be one Deployment, or one with a HorizontalPodAutoscaler, got {names}"
        return Problem("", message, hint="choose one with --workload NAME")
    others = ", ".join(str(item.reference) for item in objects if item.kind in POD_OWNERS)
    message = "must hold a ModelService or a Deployment"
    return Problem("", f"{message}, got {others or 'none'}")


def pod_labels(item: KubeObject) -> dict[str, str] | None:
    """Labels of the pods that an object is or makes; None for an object without pods."""
    if item.kind == "Pod":
        labels = item.at("metadata", "labels")
    elif item.kind in POD_OWNERS:
        labels = item.at("spec", "template", "metadata", "labels")
    elif item.kind == "CronJob":
        labels = item.at("spec", "jobTemplate", "spec", "template", "metadata", "labels")
    else:
        return None
    return {str(key): str(value) for key, value in labels.items()} if isinstance(labels, Mapping) else {}


def selector_problems(objects: Sequence[KubeObject], *, with_others: bool = True) -> list[Problem]:
    """Selectors of workloads, Services and disruption budgets that match no pod of the input.

    Args:
        objects: Kubernetes objects.
        with_others: Whether Services and disruption budgets are looked at, and not only workloads.
    """
    problems: list[Problem] = []
    pods = [(item.namespace, labels) for item in objects if (labels := pod_labels(item)) is not None]
    for item in objects:
        selector = selector_of(item)
        if selector is None:
            continue
        path: Path = ("spec", "selector")
        if isinstance(selector, list):
            problems += selector
        elif item.kind in POD_OWNERS:
            labels = pod_labels(item) or {}
            if not selector.matches(labels):
                message = f"must match the labels of its own template ({_shown(labels)})"
                problems.append(item.problem(path, f"{message}, got {_shown(item.at(*path))}"))
        elif not with_others:
            continue
        elif not any(item.namespace == space and selector.matches(labels) for space, labels in pods):
            known = "; ".join(dict.fromkeys(_shown(labels) for _, labels in pods)) or "none"
            message = f"must match the labels of some pod, got {_shown(item.at(*path))}"
            problems.append(item.problem(path, message, f"there are pods with {known}"))
    return problems


def selector_of(item: KubeObject) -> Selector | list[Problem] | None:
    """The pods that an object selects; None when it selects none, and problems when it cannot be read."""
    said = item.at("spec", "selector")
    if item.kind == "Service":
        if not isinstance(said, Mapping) or not said:
            return None
        labels = {str(key): str(value) for key, value in said.items()}
        value: dict[str, Any] = {"spec": {"selector": {"matchLabels": labels}}}
    elif item.kind == "PodDisruptionBudget" or (item.kind in POD_OWNERS and item.kind != "Job"):
        value = item.plain()
    else:
        return None
    try:
        return selector_from_object(value)
    except SpecError as error:
        return [item.placed(problem) for problem in error.problems]


def _shown(labels: Any) -> str:
    """Labels, or a selector, on one line."""
    if not isinstance(labels, Mapping):
        return "none"
    matched = labels.get("matchLabels")
    pairs = matched if isinstance(matched, Mapping) and matched else labels
    return ", ".join(f"{key}={value}" for key, value in pairs.items()) or "none"
