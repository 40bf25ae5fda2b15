"""A Deployment's template as a revision of the twin: its pod, its life and its server."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tonnage.contract.server_config import ServerConfig
from tonnage.errors import Problem, SpecError
from tonnage.kube.objects import KubeObject, plain
from tonnage.kube.shape import quantity_of
from tonnage.manifests.names import POD_TEMPLATE_HASH
from tonnage.profile import ModelProfile
from tonnage.scheduling import Pod
from tonnage.scheduling.objects import SYSTEM_PRIORITIES, pod_from_object
from tonnage.spec.experiment import PodBehavior, ServerBehavior
from tonnage.spec.service import ModelService
from tonnage.twin.inputs.life import LifeFacts, pod_life
from tonnage.twin.inputs.serving import ServingFacts, has_service_time, server_model
from tonnage.twin.requests import ServerModel
from tonnage.twin.workload import Revision

_HASH_DIGITS: Final = 10
CORES_WITHOUT_LIMIT: Final = 1.0
"""Cores that decide the workers of our server where the container has neither limit nor request."""


@dataclass(frozen=True, slots=True)
class RevisionFacts:
    """What is known beside the objects.

    Attributes:
        service: The ModelService; None for plain manifests.
        profile: What was measured; None for nothing.
        server: What the Simulation says of the server; None for nothing.
        pod: What it says of the pods.
        service_time_s: Time of a request in the model, from the command line [s]; None for nothing.
        container: Name of the container that serves; None to choose.
        priorities: Priority classes by name.
        config: Our server's settings among the objects; None where there are none.
    """

    service: ModelService | None
    profile: ModelProfile | None
    server: ServerBehavior | None
    pod: PodBehavior
    service_time_s: float | None
    container: str | None
    priorities: Mapping[str, int]
    config: ServerConfig | None = None


@dataclass(frozen=True, slots=True)
class MadeRevision:
    """A revision and its server, which gets its index later.

    Attributes:
        revision: With server index 0.
        server: Its server.
        serving: What the server was made of; equal facts make equal servers.
        container: The container that serves.
    """

    revision: Revision
    server: ServerModel
    serving: ServingFacts
    container: Mapping[str, Any]


def priorities_of(objects: Sequence[KubeObject]) -> dict[str, int]:
    """Priority classes of the input, and those that every cluster has."""
    own = {
        item.name: int(value)
        for item in objects
        if item.kind == "PriorityClass" and isinstance(value := item.at("value"), int)
    }
    return {**SYSTEM_PRIORITIES, **own}


def serving_container(
    deployment: KubeObject, wanted: str | None
) -> tuple[Mapping[str, Any] | None, list[Problem]]:
    """The container that serves: the one named, the only one, or the first that is probed or has a port."""
    path = ("spec", "template", "spec", "containers")
    containers = deployment.at(*path)
    containers = containers if isinstance(containers, list) else []
    if not containers:
        return None, [deployment.problem(path, "must hold at least one container")]
    if wanted is not None:
        for container in containers:
            if container.get("name") == wanted:
                return container, []
        names = ", ".join(str(container.get("name")) for container in containers)
        return None, [deployment.problem(path, f'must hold container "{wanted}", got {names}')]
    probed = [one for one in containers if one.get("readinessProbe") or one.get("startupProbe")]
    ported = [one for one in containers if one.get("ports")]
    return (probed or ported or containers)[0], []


def make_revision(
    deployment: KubeObject, facts: RevisionFacts, *, label: str = ""
) -> tuple[MadeRevision | None, list[Problem]]:
    """Reads a Deployment's template.

    Args:
        deployment: Of a sound shape.
        facts: What else is known.
        label: Of the revision, for people; empty takes the image.

    Returns:
        The revision, or None and what is wrong.
    """
    container, problems = serving_container(deployment, facts.container)
    if container is None:
        return None, problems
    pod = _pod(deployment, facts, problems)
    serving = ServingFacts(
        facts.server, facts.service, facts.profile, facts.service_time_s, _cores(container), facts.config
    )
    if not has_service_time(serving):
        problems.append(_no_time(deployment, facts))
    if pod is None or problems:
        return None, problems
    try:
        server = server_model(serving)
        life = pod_life(
            deployment.at("spec", "template"),
            container,
            LifeFacts(facts.pod, facts.service, facts.profile, server.workers, facts.config),
        )
    except SpecError as error:
        return None, [deployment.placed(Problem("spec.template", str(one))) for one in error.problems]
    except ValueError as error:
        return None, [deployment.problem(("spec", "template"), str(error))]
    revision = Revision(pod, life, 0, label or str(container.get("image") or ""))
    return MadeRevision(revision, server, serving, container), []


def _pod(deployment: KubeObject, facts: RevisionFacts, problems: list[Problem]) -> Pod | None:
    template = plain(deployment.at("spec", "template"))
    metadata = template.setdefault("metadata", {})
    metadata["namespace"] = deployment.namespace
    metadata.setdefault("name", deployment.name)
    metadata["labels"] = {**(metadata.get("labels") or {}), POD_TEMPLATE_HASH: template_hash(template)}
    try:
        return pod_from_object(template, priorities=facts.priorities, path="spec.template")
    except SpecError as error:
        problems += [deployment.placed(problem) for problem in error.problems]
        return None


def template_hash(template: Mapping[str, Any]) -> str:
    """A stand-in for the label by which a Deployment tells its revisions apart: equal for equal templates."""
    text = json.dumps(template, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:_HASH_DIGITS]


def _cores(container: Mapping[str, Any]) -> float:
    resources = container.get("resources") or {}
    for holder in ("limits", "requests"):
        amount = (resources.get(holder) or {}).get("cpu")
        if amount is not None:
            return max(float(quantity_of(amount)), 1e-3)
    return CORES_WITHOUT_LIMIT


def _no_time(deployment: KubeObject, facts: RevisionFacts) -> Problem:
    if facts.profile is not None:
        message = "must have a profile with batches; this one has only latencies by rate"
        return Problem("profile.batches", message, hint="give --service-time, such as 12ms, instead")
    message = f"must be known how long {deployment.reference} takes for a request"
    hint = "give --profile FILE (tonnage profile measures one), or --service-time 12ms"
    return deployment.problem((), message, hint)
