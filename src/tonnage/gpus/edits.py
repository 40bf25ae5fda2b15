"""Which small edits there are to try: tolerations, labels, cordons, GPU types, selectors, spreading.

They are read off the pods and the nodes, whichever filter was the first to reject a node: behind a taint
there may be a label that does not match.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from tonnage.gpus.case import Case, Edit
from tonnage.gpus.inventory import is_lifecycle, written
from tonnage.gpus.labels import LABEL_KEYS, TYPE_LABEL, identify
from tonnage.scheduling import Node, NodeTerm, PodSpec, Requirement, Taint, Toleration
from tonnage.scheduling.node import UNSCHEDULABLE_TAINT

EDITS_MAX: Final = 24
"""Edits of one kind that are tried at most; large clusters have more cordoned nodes than anybody reads of."""


def edits_for(case: Case) -> list[Edit]:
    """All edits to try, those that are the least to do first."""
    kinds = (_tolerating, _labelling, _uncordoning, _retyping, _unselecting, _unspreading)
    return [edit for make in kinds for edit in _first(make(case))]


def _first(edits: Iterator[Edit]) -> Iterator[Edit]:
    for _, edit in zip(range(EDITS_MAX), edits, strict=False):
        yield edit


def _tolerating(case: Case) -> Iterator[Edit]:
    """Tolerations for the taints of a node, the smallest sets first, and the most frequent of equal ones."""
    sets = Counter(
        taints
        for spec in case.specs
        for node in case.nodes
        if (taints := _untolerated(spec, node)) and not any(map(is_lifecycle, taints))
    )
    for taints, _ in sorted(sets.items(), key=lambda item: (len(item[0]), -item[1], _texts(item[0]))):
        tolerations = tuple(_toleration(taint) for taint in sorted(taints, key=written))
        yield Edit(
            "tolerate",
            f"tolerate {' and '.join(_texts(taints))}",
            ("tolerations:", *(line for one in tolerations for line in _toleration_lines(one))),
            spec=_adding_tolerations(tolerations),
        )


def _untolerated(spec: PodSpec, node: Node) -> frozenset[Taint]:
    """Taints that keep the pod off; that of a cordon goes with the cordon."""
    keeping = (taint for taint in node.taints if taint.effect != "PreferNoSchedule")
    return frozenset(
        taint for taint in keeping if not spec.tolerates(taint) and taint.key != UNSCHEDULABLE_TAINT
    )


def _texts(taints: frozenset[Taint]) -> list[str]:
    return sorted(written(taint) for taint in taints)


def _toleration(taint: Taint) -> Toleration:
    operator: Final = "Equal" if taint.value else "Exists"
    return Toleration(taint.key, operator, taint.value, taint.effect)


def _toleration_lines(toleration: Toleration) -> Iterator[str]:
    yield f"  - key: {toleration.key}"
    yield f"    operator: {toleration.operator}"
    if toleration.value:
        yield f'    value: "{toleration.value}"'
    yield f"    effect: {toleration.effect}"


def _adding_tolerations(tolerations: tuple[Toleration, ...]) -> Callable[[PodSpec], PodSpec]:
    return lambda spec: replace(spec, tolerations=(*spec.tolerations, *tolerations))


def _labelling(case: Case) -> Iterator[Edit]:
    """Nodes that lack a label which the pods ask for, and whose other labels name the wanted GPU."""
    for key, wanted in _wanted_values(case.specs).items():
        by_value: dict[str, list[str]] = {}
        for node in case.nodes:
            identity = identify(node.labels)
            value = identity.short if identity.short in wanted else identity.product
            if key not in node.labels and value in wanted and value:
                by_value.setdefault(value, []).append(node.name)
        for value, names in sorted(by_value.items()):
            have = "has" if len(names) == 1 else "have"
            yield Edit(
                "label",
                f"label {_listed(names)} with {key}={value}, which {have} it",
                tuple(shlex.join(("kubectl", "label", "node", name, f"{key}={value}")) for name in names),
                nodes=dict.fromkeys(names, _with_label(key, value)),
            )


def _with_label(key: str, value: str) -> Callable[[Node], Node]:
    return lambda node: replace(node, labels={**node.labels, key: value})


def _uncordoning(case: Case) -> Iterator[Edit]:
    cordoned = [node.name for node in case.nodes if node.unschedulable]
    for name in cordoned:
        yield _uncordon([name])
    if len(cordoned) > 1:
        yield _uncordon(cordoned)


def _uncordon(names: Sequence[str]) -> Edit:
    return Edit(
        "uncordon",
        f"uncordon {_listed(names)}",
        tuple(shlex.join(("kubectl", "uncordon", name)) for name in names),
        nodes=dict.fromkeys(names, _uncordoned),
    )


def _uncordoned(node: Node) -> Node:
    taints = tuple(taint for taint in node.taints if taint.key != UNSCHEDULABLE_TAINT)
    return replace(node, unschedulable=False, taints=taints)


def _retyping(case: Case) -> Iterator[Edit]:
    """Other types than the one that was asked for; then all that there are."""
    for key, wanted in _wanted_values(case.specs).items():
        if not _is_type(key):
            continue
        has = {
            node.labels[key]
            for node in case.nodes
            if key in node.labels and any(dict(node.allocatable.scalars).get(gpu) for gpu in case.gpus)
        }
        for value in sorted(has - set(wanted)):
            yield _retype(key, (value,), f"take {key}={value} instead of {_either(wanted)}")
        together = tuple(sorted(has | set(wanted)))
        if len(together) > 1 and set(together) != set(wanted):
            yield _retype(key, together, f"accept any of {key}={', '.join(together)}")


def _is_type(key: str) -> bool:
    return key in (TYPE_LABEL, *LABEL_KEYS) or key.rpartition("/")[2] in ("gpu-type", "accelerator")


def _retype(key: str, values: tuple[str, ...], text: str) -> Edit:
    how: tuple[str, ...] = (
        "affinity:",
        "  nodeAffinity:",
        "    requiredDuringSchedulingIgnoredDuringExecution:",
        "      nodeSelectorTerms:",
        f"        - matchExpressions: [{{key: {key}, operator: In, values: [{', '.join(values)}]}}]",
    )
    if len(values) == 1:
        how = ("nodeSelector:", f"  {key}: {values[0]}")

    def edit(spec: PodSpec) -> PodSpec:
        requirement = Requirement(key, "In", values)
        bare = _without_key(spec, key)
        terms = bare.node_terms or (NodeTerm(()),)
        return replace(bare, node_terms=tuple(_with(term, requirement) for term in terms))

    return Edit("type", text, how, spec=edit)


def _with(term: NodeTerm, requirement: Requirement) -> NodeTerm:
    return replace(term, labels=(*term.labels, requirement))


def _unselecting(case: Case) -> Iterator[Edit]:
    """Without one of the labels that the pods ask for; a GPU's type is another matter."""
    for key in _keys(case.specs):
        if not _is_type(key):
            yield Edit(
                "selector",
                f"do not ask for the node label {key}",
                spec=lambda spec, key=key: _without_key(spec, key),  # type: ignore[misc]
            )


def _keys(specs: Sequence[PodSpec]) -> list[str]:
    found: dict[str, None] = {}
    for spec in specs:
        found.update(dict.fromkeys(key for key, _ in spec.node_selector))
        for term in spec.node_terms or ():
            found.update(dict.fromkeys(one.key for one in term.labels))
    return list(found)


def _wanted_values(specs: Sequence[PodSpec]) -> dict[str, tuple[str, ...]]:
    """The values of labels that the specs ask for by name."""
    found: dict[str, dict[str, None]] = {}
    for spec in specs:
        for key, value in spec.node_selector:
            found.setdefault(key, {})[value] = None
        for term in spec.node_terms or ():
            for one in term.labels:
                if one.operator == "In":
                    found.setdefault(one.key, {}).update(dict.fromkeys(one.values))
    return {key: tuple(values) for key, values in found.items()}


def _without_key(spec: PodSpec, key: str) -> PodSpec:
    terms = spec.node_terms
    if terms is not None:
        kept = tuple(
            replace(term, labels=tuple(one for one in term.labels if one.key != key))
            for term in terms
        )
        # a term without any condition matches nothing, so that the whole affinity goes with its last one
        terms = kept if all(term.labels or term.names for term in kept) else None
    selector = tuple((name, value) for name, value in spec.node_selector if name != key)
    return replace(spec, node_selector=selector, node_terms=terms)


def _unspreading(case: Case) -> Iterator[Edit]:
    if any(spec.anti_affinity for spec in case.specs):
        yield Edit(
            "spread",
            "prefer to keep the pods apart instead of requiring it (podAntiAffinity)",
            spec=lambda spec: replace(spec, anti_affinity=()),
        )
    if any(spec.affinity for spec in case.specs):
        yield Edit(
            "spread",
            "prefer to keep the pods together instead of requiring it (podAffinity)",
            spec=lambda spec: replace(spec, affinity=()),
        )
    if any(constraint.required for spec in case.specs for constraint in spec.spread):
        yield Edit(
            "spread",
            "let the pods lie unevenly when need be (whenUnsatisfiable: ScheduleAnyway)",
            spec=lambda spec: replace(
                spec, spread=tuple(replace(one, required=False) for one in spec.spread)
            ),
        )


def _either(values: Sequence[str]) -> str:
    return values[0] if len(values) == 1 else f"{', '.join(values[:-1])} or {values[-1]}"


def _listed(names: Sequence[str]) -> str:
    shown = list(names[:4])
    if len(names) > 4:
        return f"{', '.join(shown)} and {len(names) - 4} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else shown[0]
