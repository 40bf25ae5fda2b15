"""Puts what the twin shows beside findings; deterministic, and bounded in number."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tonnage.audit.context import Autoscaler, Context, Workload, context_of
from tonnage.audit.finding import Evidence, Finding
from tonnage.audit.measured import measured_of
from tonnage.audit.run import Report
from tonnage.audit.trials.case import Case, Maker, Trial
from tonnage.audit.trials.ends import all_at_once, blocked_drain, killed_early, leaves_at_once, spare_gpu
from tonnage.audit.trials.growth import (
    applied_again,
    beyond_stock,
    divided,
    out_of_reach,
    swings,
    waits_to_grow,
)
from tonnage.audit.trials.known import Known
from tonnage.audit.trials.stage import obstacle, played
from tonnage.audit.trials.starts import impatient, killed_while_loading, not_tolerated, one_replica
from tonnage.errors import SpecError
from tonnage.kube.objects import KubeObject
from tonnage.twin.wording import counted, show_latency, show_span

TRIALS: Final[Mapping[str, Maker]] = {
    "TNG020": not_tolerated,
    "TNG024": beyond_stock,
    "TNG033": killed_while_loading,
    "TNG034": killed_while_loading,
    "TNG036": impatient,
    "TNG040": spare_gpu,
    "TNG041": killed_early,
    "TNG042": leaves_at_once,
    "TNG045": all_at_once,
    "TNG054": blocked_drain,
    "TNG060": applied_again,
    "TNG062": out_of_reach,
    "TNG065": swings,
    "TNG066": one_replica,
    "TNG067": beyond_stock,
    "TNG074": waits_to_grow,
    "TNG076": divided,
}
"""By code of the rule: what shows its fault."""
TRIALS_MAX: Final = 20
"""Findings that are tried in one audit; each takes two runs of about half a second."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A report with what the twin showed.

    Attributes:
        report: It.
        notes: Why findings that have a trial were not tried, as sentences.
    """

    report: Report
    notes: tuple[str, ...] = ()


def proved(report: Report, objects: Sequence[KubeObject], known: Known) -> Proof:
    """Tries every finding that can be tried.

    Args:
        report: What ``audit`` found.
        objects: What it was given.
        known: What is known beside them.
    """
    measured = measured_of(known.profile) if known.profile is not None else None
    context = context_of(objects, measured=measured, nodes=known.nodes)
    known = dataclasses.replace(known, nodes=context.nodes)
    places = {_place(one): one for one in context.items}
    findings: list[Finding] = []
    notes: list[str] = []
    tried = 0
    for finding in report.findings:
        if finding.code in TRIALS:
            tried += 1
            made = _tried(finding, places.get(_place(finding)), context, known) if tried <= TRIALS_MAX else ""
            if isinstance(made, Evidence):
                finding = dataclasses.replace(finding, evidence=made)
            elif made:
                notes.append(f"{finding.code} of {finding.object} was not simulated: {made}")
        findings.append(finding)
    if tried > TRIALS_MAX:
        more = counted(tried - TRIALS_MAX, "finding")
        notes.append(f"{more} more were not simulated; fewer files or --select bring them")
    return Proof(dataclasses.replace(report, findings=tuple(findings)), tuple(notes))


def _place(one: Finding | KubeObject) -> tuple[Any, ...]:
    if isinstance(one, Finding):
        return one.file, one.document, one.prefix
    return one.source, one.index, one.prefix


def _tried(
    finding: Finding, item: KubeObject | None, context: Context, known: Known
) -> Evidence | str:
    case = _case(finding, item, context, known)
    if case is None:
        return "no workload among the objects is meant"
    trial = obstacle(case) or TRIALS[finding.code](case)
    if isinstance(trial, str):
        return trial
    try:
        found, assumed = played(case, trial, repaired=False)
        repaired, _ = played(case, trial, repaired=True)
    except SpecError as error:
        return f"the twin cannot run it: {error.problems[0].path} {error.problems[0].message}"
    (found_text, found_numbers), (text, numbers) = trial.tell(found), trial.tell(repaired)
    return Evidence(
        trial.tried,
        found_text,
        f"{trial.repair}: {text}",
        found_numbers,
        numbers,
        known.seed,
        (*_assumptions(case, trial), *assumed),
    )


def _case(finding: Finding, item: KubeObject | None, context: Context, known: Known) -> Case | None:
    workload: Workload | None = next((one for one in context.workloads if one.item is item), None)
    autoscaler: Autoscaler | None = next((one for one in context.autoscalers if one.item is item), None)
    budget = next((one for one in context.budgets if one.item is item), None)
    if autoscaler is not None:
        workload = autoscaler.target
    elif budget is not None:
        workload = next(iter(budget.targets), None)
    if workload is None:
        return None
    return Case(finding, workload, autoscaler or workload.autoscaler, known)


def _assumptions(case: Case, trial: Trial) -> tuple[str, ...]:
    """What was taken where nothing was said and nothing was measured."""
    known = case.known
    found = [*trial.assumed]
    if known.traffic is not None:
        found.append(f"traffic is {known.traffic_text}")
    if not known.is_measured and known.service_time_s is None:
        found.append(f"a request takes {show_latency(known.request_s)}, one after the other")
    if not known.is_start_measured:
        found.append(f"a start takes {show_span(case.ready_s)}")
    if not (trial.knows_nodes and known.nodes):
        found.append(f"{counted(trial.nodes, 'node')}, each with the devices of one replica")
    return tuple(found)
