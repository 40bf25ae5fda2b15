"""Runs rules over objects: every subject to every rule of its kind, then what annotations excuse."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tonnage.audit.context import Context, context_of
from tonnage.audit.finding import Finding, at_least
from tonnage.audit.ignoring import excuses_of
from tonnage.audit.measured import Measured
from tonnage.audit.registry import RULES
from tonnage.audit.rule import Hit, Rule
from tonnage.kube.objects import KubeObject
from tonnage.kube.quantity import Quantity
from tonnage.scheduling import Node

UNREASONED: Final = "TNG901"
UNUSED: Final = "TNG902"


@dataclass(frozen=True, slots=True)
class Report:
    """The answer.

    Attributes:
        findings: In the order of file and line.
        suppressed: Findings that an annotation excuses, each with the reason.
        objects: How many objects were looked at.
    """

    findings: tuple[Finding, ...]
    suppressed: tuple[tuple[Finding, str], ...] = ()
    objects: int = 0


def audit(
    objects: Sequence[KubeObject],
    *,
    measured: Measured | None = None,
    nodes: Sequence[Node] = (),
    quotas: Sequence[tuple[str, Mapping[str, Quantity]]] = (),
    images_replaced: Collection[str] = (),
    rules: Sequence[Rule] = RULES,
) -> Report:
    """Finds what is wrong with objects.

    Args:
        objects: All objects that belong together; they may be of several files.
        measured: What is known of the model that they serve.
        nodes: The nodes that there are, beside Node objects among ``objects``.
        quotas: Namespace, and what a quota leaves to it by resource, beside ResourceQuota objects.
        images_replaced: Names of images for which a kustomization puts in others.
        rules: The rules to run.
    """
    context = context_of(
        objects, measured=measured, nodes=nodes, quotas=quotas, images_replaced=images_replaced
    )
    found = [
        (item, finding)
        for rule in rules
        for item, subject in _subjects(rule, context)
        for finding in _findings(rule, item, rule.check(subject))
    ]
    kept, suppressed = _excused(context.items, found, {rule.code for rule in rules})
    return Report(
        tuple(sorted(kept, key=lambda one: one.rank)),
        tuple(sorted(suppressed, key=lambda pair: pair[0].rank)),
        len(context.items),
    )


def _subjects(rule: Rule, context: Context) -> Iterator[tuple[KubeObject, Any]]:
    match rule.subject:
        case "object":
            yield from ((view.item, view) for view in context.objects)
        case "workload":
            yield from ((view.item, view) for view in context.workloads)
        case "container":
            yield from ((one.workload.item, one) for view in context.workloads for one in view.containers)
        case "autoscaler":
            yield from ((view.item, view) for view in context.autoscalers)
        case "budget":
            yield from ((view.item, view) for view in context.budgets)
        case "training":
            yield from ((view.item, view) for view in context.trainings)
        case "service":
            yield from ((view.item, view) for view in context.services)


def _findings(rule: Rule, item: KubeObject, hits: Iterable[Hit]) -> Iterator[Finding]:
    for hit in hits:
        severity = hit.severity or rule.severity
        assert at_least(rule.severity, severity), "a hit is never worse than its rule"
        problem = item.problem(hit.path, hit.message)
        yield Finding(
            code=rule.code,
            severity=severity,
            message=problem.message,
            file=item.source,
            line=problem.line or 1,
            column=problem.column or 1,
            path=problem.path,
            object=item.reference,
            document=item.index,
            prefix=item.prefix,
            remedy=rule.remedy,
            changes=hit.changes,
        )


def _excused(
    items: Sequence[KubeObject], found: Sequence[tuple[KubeObject, Finding]], codes: set[str]
) -> tuple[list[Finding], list[tuple[Finding, str]]]:
    """Splits findings into those that stand and those that are excused; bad excuses are findings too."""
    excuses = {id(item): tuple(excuses_of(item)) for item in items}
    kept: list[Finding] = []
    suppressed: list[tuple[Finding, str]] = []
    used: set[tuple[int, str]] = set()
    for item, finding in found:
        reason = next((one.reason for one in excuses[id(item)] if one.code == finding.code), None)
        if reason is not None:
            used.add((id(item), finding.code))
        if reason:
            suppressed.append((finding, reason))
        else:
            kept.append(finding)
    by_code = {rule.code: rule for rule in RULES}
    for item in items:
        for excuse in excuses[id(item)]:
            if UNREASONED in codes and not excuse.reason:
                hit = Hit(excuse.path, f"{excuse.code} is excused without a reason, so it stands")
                kept += _findings(by_code[UNREASONED], item, [hit])
            elif UNUSED in codes and excuse.code in codes and (id(item), excuse.code) not in used:
                hit = Hit(excuse.path, f"{excuse.code} is excused, and is not found here")
                kept += _findings(by_code[UNUSED], item, [hit])
    return kept, suppressed
