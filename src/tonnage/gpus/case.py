"""A placing that failed, and small edits of pods and nodes with which it can be tried again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tonnage.gpus.answer import Change, ChangeKind
from tonnage.gpus.placing import edited, tried
from tonnage.gpus.vendors import gpu_resource
from tonnage.manifests.gpu import DEVICE_CLASS_PREFIX
from tonnage.scheduling import Cluster, Node, Placement, Pod, PodSpec


def _same_spec(spec: PodSpec) -> PodSpec:
    return spec


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of the pods, of nodes, or of both.

    Attributes:
        kind: Of what kind it is.
        text: What to do, without the full stop.
        how: Lines of YAML or commands.
        spec: Changes a pod's spec.
        nodes: The nodes as they are with it, by name; those that stay as they are left out.
    """

    kind: ChangeKind
    text: str
    how: tuple[str, ...] = ()
    spec: Callable[[PodSpec], PodSpec] = _same_spec
    nodes: Mapping[str, Callable[[Node], Node]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Case:
    """A placing in which some pod found no node.

    Attributes:
        cluster: The cluster without the pods; every trial leaves it as it was.
        pods: The pods.
        placements: What the scheduler said of each.
        divisible: Whether the work could be split over more pods with fewer GPUs each.
        least: With how many pods it works too; None for all of them.
    """

    cluster: Cluster
    pods: tuple[Pod, ...]
    placements: tuple[Placement, ...]
    divisible: bool = False
    least: int | None = None

    @property
    def nodes(self) -> list[Node]:
        """The cluster's nodes, in order."""
        return [self.cluster.node(name) for name in self.cluster.node_names]

    @property
    def specs(self) -> list[PodSpec]:
        """The different specs among the pods that found no node."""
        return list(dict.fromkeys(one.pod.spec for one in self.placements if one.node is None))

    @property
    def stuck(self) -> Placement:
        """What the scheduler said of the first pod that found no node."""
        return next(one for one in self.placements if one.node is None)

    @property
    def gpus(self) -> tuple[str, ...]:
        """The GPU resources that pods without a node ask for."""
        names = {
            name
            for spec in self.specs
            for name, amount in spec.requests.scalars
            if amount and (gpu_resource(name) is not None or name.startswith(DEVICE_CLASS_PREFIX))
        }
        return tuple(sorted(names))

    def with_edits(self, edits: Sequence[Edit]) -> dict[str, str] | None:
        """Where the pods go with edits made; None when not all of them fit then."""
        pods = self.pods
        before: dict[str, Node] = {}
        try:
            for edit in edits:
                pods = edited(pods, edit.spec)
                for name, change in edit.nodes.items():
                    before.setdefault(name, self.cluster.node(name))
                    self.cluster.update_node(change(self.cluster.node(name)))
            return tried(pods, self.cluster)
        finally:
            for node in before.values():
                self.cluster.update_node(node)

    def change(self, edits: Sequence[Edit]) -> Change | None:
        """Edits as a change; None when they do not help."""
        placed = self.with_edits(edits)
        if placed is None:
            return None
        text = " and ".join(edit.text for edit in edits)
        how = tuple(line for edit in edits for line in edit.how)
        return Change(edits[-1].kind, text, how, placed)
