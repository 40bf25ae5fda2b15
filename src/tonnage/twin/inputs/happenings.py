"""What a Simulation says happens during the run, as happenings of the twin.

Edits are applied one after the other to the objects as they then are, so that two edits of one object add
up; each gives what the control plane would see: a new template, another number of replicas, another HPA.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tonnage.errors import Problem, SpecError
from tonnage.hpa import Hpa, hpa_from_object
from tonnage.kube.objects import KubeObject
from tonnage.kube.paths import Path
from tonnage.kube.shape import near
from tonnage.scheduling.node import ZONE
from tonnage.spec import simulation as parts
from tonnage.spec.simulation import HappeningPart
from tonnage.twin import happenings as twin
from tonnage.twin.cluster_plan import ClusterPlan
from tonnage.twin.happenings import Controller, Happening
from tonnage.twin.inputs.patches import apply_edit, edited, find_target
from tonnage.twin.inputs.revision import RevisionFacts, make_revision
from tonnage.twin.inputs.serving import ServingFacts
from tonnage.twin.requests import ServerModel

RESTARTED_AT: Final = "kubectl.kubernetes.io/restartedAt"
"""The annotation that ``kubectl rollout restart`` writes into a template."""
_CONTROLLERS: Final[Mapping[str, Controller]] = {
    "hpa": "hpa",
    "scheduler": "scheduler",
    "deployment": "deployment",
    "nodeLifecycle": "node-lifecycle",
}


@dataclass(slots=True)
class Course:
    """The objects as the run goes on, and what has come of it so far.

    Attributes:
        document: The Simulation, for positions.
        deployment: The Deployment as it is now.
        hpa: Its HPA as it is now; None for none.
        facts: What is known of its replicas.
        cluster: The cluster, whose nodes are named.
        servers: Model servers so far, by what they were made of; new revisions add theirs.
        hpas: The HPA in every form that it takes.
        happenings: What happens.
        problems: What is wrong.
        not_modelled: What the twin does not do.
    """

    document: KubeObject
    deployment: KubeObject
    hpa: KubeObject | None
    facts: RevisionFacts
    cluster: ClusterPlan | None
    servers: list[tuple[ServingFacts, ServerModel]]
    hpas: list[KubeObject] = field(default_factory=list)
    happenings: list[Happening] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    not_modelled: list[str] = field(default_factory=list)

    def play(self, said: Sequence[HappeningPart]) -> None:
        """Takes all happenings in order of time; equal times keep the document's order."""
        for index, one in sorted(enumerate(said), key=lambda pair: pair[1].at.nanoseconds):
            self._take(one, ("spec", "happenings", index))

    def _take(self, one: HappeningPart, path: Path) -> None:
        at_s = one.at.seconds
        match one:
            case parts.NodeFailure():
                self._node_failure(one, path)
            case parts.NodeDrain():
                away_s = one.uncordon_after.seconds if one.uncordon_after is not None else None
                if self._is_node(one.node, path):
                    self.happenings.append(twin.NodeDrained(at_s, one.node, away_s))
            case parts.SpotLoss():
                if one.node is None or self._is_node(one.node, path):
                    self.happenings.append(twin.SpotInterruption(at_s, one.node, one.notice.seconds))
            case parts.PodKill():
                self.happenings.append(twin.PodKilled(at_s, one.pod, one.by))
            case parts.Edit():
                self._edit(one, path)
            case parts.Restart():
                stamp = {"metadata": {"annotations": {RESTARTED_AT: f"t+{one.at}"}}}
                after = edited(self.deployment, {"spec": {"template": stamp}})
                self._new_deployment(after, at_s, path, f"restart at {one.at}")
            case parts.AutoscalerDeletion():
                if self.hpa is None:
                    self.problems.append(self.document.problem(path, "must have an HPA to delete, got none"))
                self.hpa = None
                self.happenings.append(twin.HpaEdited(at_s, None))
            case parts.ControllerRestart():
                controller = _CONTROLLERS[one.controller]
                self.happenings.append(twin.ControllerRestarted(at_s, controller, one.away.seconds))
            case parts.MetricsFailure():
                self.happenings.append(twin.MetricsOutage(at_s, at_s + one.lasts.seconds, one.which))
            case parts.Note():
                self.happenings.append(twin.Annotated(at_s, one.text))

    def _node_failure(self, one: parts.NodeFailure, path: Path) -> None:
        at_s = one.at.seconds
        if one.node is not None:
            names = [one.node] if self._is_node(one.node, path) else []
        else:
            zones = nodes_at_start(self.cluster)
            names = [name for name, zone in zones.items() if zone == one.zone]
            if not names and self.cluster is not None:
                known = ", ".join(sorted({zone for zone in zones.values() if zone})) or "none"
                message = f'must be a zone that has nodes, got "{one.zone}"'
                self.problems.append(self.document.problem((*path, "zone"), message, f"there are {known}"))
        for name in names:
            self.happenings.append(twin.NodeFails(at_s, name))
            if one.recovers_after is not None:
                self.happenings.append(twin.NodeRecovers(at_s + one.recovers_after.seconds, name))

    def _is_node(self, name: str, path: Path) -> bool:
        """Whether there is such a node, or a pool may make one; noted when not."""
        if self.cluster is None:
            return False  # The cluster's own problem.
        known = nodes_at_start(self.cluster)
        pool, _, number = name.rpartition("-")
        may_come = any(
            one.name == pool and number.isdigit() and 1 <= int(number) <= one.size_max
            for one in self.cluster.pools
        )
        if name in known or may_come:
            return True
        meant = near(name, known)
        shown = ", ".join(list(known)[:5])
        hint = f'did you mean "{meant}"?' if meant else f"there are {shown}"
        message = f'must be a node of the cluster, got "{name}"'
        self.problems.append(self.document.problem((*path, "node"), message, hint))
        return False

    def _edit(self, one: parts.Edit, path: Path) -> None:
        objects = [self.deployment, *([self.hpa] if self.hpa is not None else [])]
        target, problems = find_target(objects, one.target, self.document, (*path, "target"))
        self.problems += problems
        if target is None:
            return
        after, wrong = apply_edit(target, one, self.document, path)
        self.problems += wrong
        if wrong:
            return
        where: Path = (*path, "patch" if one.patch else "set")
        if target is self.deployment:
            if one.server is not None:
                self.facts = dataclasses.replace(self.facts, server=one.server)
            if one.pod is not None:
                self.facts = dataclasses.replace(self.facts, pod=one.pod)
            behaves = one.server is not None or one.pod is not None
            self._new_deployment(after, one.at.seconds, where, f"edit at {one.at}", behaves)
        else:
            self._new_hpa(after, one.at.seconds, where)

    def _new_deployment(
        self, after: KubeObject, at_s: float, path: Path, label: str, behaves: bool = False
    ) -> None:
        before, self.deployment = self.deployment, after
        replicas = after.at("spec", "replicas")
        if replicas != before.at("spec", "replicas") and isinstance(replicas, int):
            self.happenings.append(twin.ReplicasEdited(at_s, replicas))
        for name in ("strategy", "minReadySeconds", "progressDeadlineSeconds", "paused", "selector"):
            if after.at("spec", name) != before.at("spec", name):
                self.not_modelled.append(f"{after.reference}: a change of spec.{name} during the run")
        if after.at("spec", "template") == before.at("spec", "template") and not behaves:
            return
        made, problems = make_revision(after, self.facts, label=label)
        self.problems += [
            self.document.problem(path, f"{one.path}: {one.message}", one.hint) for one in problems
        ]
        if made is None:
            return
        known = [serving for serving, _ in self.servers]
        if made.serving not in known:
            known.append(made.serving)
            self.servers.append((made.serving, made.server))
        revision = dataclasses.replace(made.revision, server=known.index(made.serving))
        self.happenings.append(twin.Rollout(at_s, revision))

    def _new_hpa(self, after: KubeObject, at_s: float, path: Path) -> None:
        self.hpa = after
        self.hpas.append(after)
        hpa, problems = read_hpa(after)
        self.problems += [
            self.document.problem(path, f"{one.path}: {one.message}", one.hint) for one in problems
        ]
        if hpa is not None:
            self.happenings.append(twin.HpaEdited(at_s, hpa))


def read_hpa(item: KubeObject) -> tuple[Hpa | None, list[Problem]]:
    """Reads an HPA as the API server would."""
    value: dict[str, Any] = item.plain()
    try:
        return hpa_from_object(value), []
    except SpecError as error:
        return None, [item.placed(problem) for problem in error.problems]


def nodes_at_start(cluster: ClusterPlan | None) -> dict[str, str]:
    """Names of the nodes at the start, and their zones."""
    if cluster is None:
        return {}
    found = {plan.node.name: plan.node.labels.get(ZONE, "") for plan in cluster.nodes}
    for pool in cluster.pools:
        zone = pool.template.node.labels.get(ZONE, "")
        found |= {f"{pool.name}-{number}": zone for number in range(1, pool.start + 1)}
    return found
