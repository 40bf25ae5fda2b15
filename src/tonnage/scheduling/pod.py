"""A pod as the scheduler sees it: what it asks for, where it may run, and where it would rather run.

A pod is its names, labels and state; what its template says about scheduling is a ``PodSpec``, which the pods
of one ReplicaSet share as one object. The cluster remembers what it found out per spec, so sharing is speed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from tonnage.scheduling.node import Effect, Taint
from tonnage.scheduling.resources import Amounts
from tonnage.scheduling.selectors import NOTHING, NodeTerm, Requirement, Selector

TolerationOperator = Literal["Equal", "Exists", "Lt", "Gt"]
Policy = Literal["Honor", "Ignore"]
PREEMPT_LOWER: Final = "PreemptLowerPriority"
PREEMPT_NEVER: Final = "Never"


@dataclass(frozen=True, slots=True)
class Toleration:
    """Which taints a pod bears.

    Attributes:
        key: The taint's key; empty for every key.
        operator: ``Equal`` compares the value, ``Exists`` does not; ``Lt`` and ``Gt`` tolerate nothing, as
            the feature gate TaintTolerationComparisonOperators is off by default.
        value: The taint's value.
        effect: The taint's effect; None for every effect.
        seconds: How long a ``NoExecute`` taint is borne [s]; None for ever. Scheduling does not read it.
    """

    key: str = ""
    operator: TolerationOperator = "Equal"
    value: str = ""
    effect: Effect | None = None
    seconds: int | None = None

    def tolerates(self, taint: Taint) -> bool:
        """Whether the taint is borne.

        Source: k8s.io/api v0.37.2, core/v1/toleration.go, ToleratesTaint.
        """
        if self.effect is not None and self.effect != taint.effect:
            return False
        if self.key and self.key != taint.key:
            return False
        return self.operator == "Exists" or (self.operator == "Equal" and self.value == taint.value)


@dataclass(frozen=True, slots=True)
class PreferredNodeTerm:
    """A node term that earns score; a weight of 0 earns none."""

    weight: int
    term: NodeTerm


@dataclass(frozen=True, slots=True)
class AffinityTerm:
    """Which pods a pod wants near (affinity) or far (anti-affinity), and what near means.

    Attributes:
        topology_key: Nodes with the same value of this label are near each other.
        selector: Labels of the pods; ``matchLabelKeys`` and ``mismatchLabelKeys`` are merged into it, as the
            API server does.
        namespaces: Namespaces of the pods, the pod's own when the term names none.
        namespace_selector: Further namespaces, by their labels.
    """

    topology_key: str
    selector: Selector
    namespaces: frozenset[str]
    namespace_selector: Selector = NOTHING
    _hash: int = field(init=False, repr=False, compare=False, default=0)

    def __post_init__(self) -> None:
        parts = (self.topology_key, self.selector, self.namespaces, self.namespace_selector)
        object.__setattr__(self, "_hash", hash(parts))

    def __hash__(self) -> int:
        return self._hash

    def matches(self, namespace: str, labels: Mapping[str, str], of_namespace: Mapping[str, str]) -> bool:
        """Whether a pod is meant.

        Args:
            namespace: The pod's namespace.
            labels: The pod's labels.
            of_namespace: The labels of that namespace.
        """
        there = namespace in self.namespaces or self.namespace_selector.matches(of_namespace)
        return there and self.selector.matches(labels)


@dataclass(frozen=True, slots=True)
class WeightedTerm:
    """An affinity term that is preferred, not required; the weight is 1 to 100."""

    weight: int
    term: AffinityTerm


@dataclass(frozen=True, slots=True)
class SpreadConstraint:
    """How evenly the pods of a selector must, or should, lie over the values of a node label.

    Attributes:
        topology_key: The node label; nodes with one value of it are one domain.
        skew_max: By how many pods a domain may exceed the emptiest one [>= 1].
        required: True for ``DoNotSchedule``, False for ``ScheduleAnyway``.
        selector: Which pods are counted, in the pod's namespace; ``matchLabelKeys`` are merged into it.
        domains_min: With fewer domains than this, the emptiest one counts as holding 0 pods [>= 1].
        node_affinity: Whether nodes that the pod's node affinity rejects are left out.
        node_taints: Whether nodes with a taint that the pod does not tolerate are left out.
    """

    topology_key: str
    skew_max: int
    required: bool
    selector: Selector
    domains_min: int = 1
    node_affinity: Policy = "Honor"
    node_taints: Policy = "Ignore"


@dataclass(frozen=True, slots=True)
class HostPort:
    """A port of the node that a pod takes; the address ``0.0.0.0`` is every address."""

    address: str
    protocol: str
    port: int


@dataclass(frozen=True, slots=True)
class PodSpec:
    """What a pod's template says about scheduling.

    Attributes:
        requests: What it takes of a node: the larger of its containers together and any init container with
            the sidecars before it, or the pod-level request; plus overhead.
        accounted: CPU [millicores] and memory [bytes] that a *placed* pod counts for when nodes are scored:
            containers that request none count as 100m and 200Mi.
        scored: The same of the pod being placed. Pod-level requests do not enter here, as in upstream.
        node_selector: Labels that a node must have, sorted.
        node_terms: Node affinity; one of the terms must match. None when there is no such affinity.
        preferred_nodes: Node terms that earn score.
        tolerations: Taints that it bears.
        affinity: Pods that must be near.
        anti_affinity: Pods that must not be near.
        preferred_affinity: Pods that should be near.
        preferred_anti_affinity: Pods that should not be near.
        spread: Its spread constraints; when empty, the scheduler's defaults apply.
        host_ports: Ports of the node that it takes.
        images: Images of its containers and init containers, with repetitions.
        priority: Higher preempts lower.
        preempts: Whether it may preempt.
        gates: Scheduling gates that hold it back.
        node_name: A node that it names itself.
        devices: How many devices it claims per DRA device class, sorted.
    """

    requests: Amounts = field(default_factory=Amounts)
    accounted: tuple[int, int] = (0, 0)
    scored: tuple[int, int] = (0, 0)
    node_selector: tuple[tuple[str, str], ...] = ()
    node_terms: tuple[NodeTerm, ...] | None = None
    preferred_nodes: tuple[PreferredNodeTerm, ...] = ()
    tolerations: tuple[Toleration, ...] = ()
    affinity: tuple[AffinityTerm, ...] = ()
    anti_affinity: tuple[AffinityTerm, ...] = ()
    preferred_affinity: tuple[WeightedTerm, ...] = ()
    preferred_anti_affinity: tuple[WeightedTerm, ...] = ()
    spread: tuple[SpreadConstraint, ...] = ()
    host_ports: tuple[HostPort, ...] = ()
    images: tuple[str, ...] = ()
    priority: int = 0
    preempts: bool = True
    gates: tuple[str, ...] = ()
    node_name: str | None = None
    devices: tuple[tuple[str, int], ...] = ()
    _hash: int = field(init=False, repr=False, compare=False, default=0)

    def __post_init__(self) -> None:
        parts = tuple(getattr(self, name) for name in _HASHED)
        object.__setattr__(self, "_hash", hash(parts))

    def __hash__(self) -> int:
        return self._hash

    def tolerates(self, taint: Taint) -> bool:
        """Whether any toleration bears the taint."""
        return any(toleration.tolerates(taint) for toleration in self.tolerations)


_HASHED: Final = (
    "requests", "scored", "node_selector", "node_terms", "preferred_nodes", "tolerations", "affinity",
    "anti_affinity", "preferred_affinity", "preferred_anti_affinity", "spread", "images", "priority",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Owner:
    """The controller of a pod, by which default spreading finds its selector."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod.

    Attributes:
        namespace: Its namespace.
        name: Its name.
        uid: What tells it apart from every other pod, also from a former one of the same name.
        labels: Its labels.
        spec: What its template says; pods of one template share the object.
        owner: Its controller, if any.
        node: The node that it is bound to.
        nominated: The node on which others were preempted for it.
        started_s: When it started [s]; None when it has not.
        terminating: Whether it is being deleted.
        preempted: Whether it is being deleted because the scheduler preempted it.
    """

    namespace: str
    name: str
    uid: str
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    spec: PodSpec = field(default_factory=PodSpec)
    owner: Owner | None = None
    node: str | None = None
    nominated: str | None = None
    started_s: float | None = None
    terminating: bool = False
    preempted: bool = False


@dataclass(frozen=True, slots=True)
class Budget:
    """A PodDisruptionBudget.

    Attributes:
        namespace: Its namespace.
        name: Its name.
        selector: Its pods; an empty selector has none here, other than for the eviction API.
        allowed: How many more disruptions it allows now (``status.disruptionsAllowed``).
        disrupted: Names of pods whose eviction is already counted (``status.disruptedPods``).
    """

    namespace: str
    name: str
    selector: Selector
    allowed: int = 0
    disrupted: frozenset[str] = frozenset()


def narrowed(
    selector: Selector, keys: tuple[str, ...], labels: Mapping[str, str], *, equal: bool
) -> Selector:
    """Merges ``matchLabelKeys`` (or with ``equal=False`` ``mismatchLabelKeys``) into a selector.

    Args:
        selector: The term's or constraint's selector.
        keys: Label keys.
        labels: The pod's own labels, which give the values; a key that it lacks is left out.
        equal: Whether matching pods must have the same value, or must not.

    Source: k8s.io/kubernetes v1.37.2, pkg/registry/core/pod/strategy.go, applyLabelKeysToLabelSelector.
    """
    operator: Literal["In", "NotIn"] = "In" if equal else "NotIn"
    return selector.with_requirements(
        tuple(Requirement(key, operator, (labels[key],)) for key in keys if key in labels)
    )
