"""Findings as text, JSON, SARIF and GitHub's workflow commands.

Source: docs.oasis-open.org/sarif/sarif/v2.1.0 (SARIF); docs.github.com, workflow commands for GitHub Actions.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

from tonnage.audit.finding import SEVERITIES, Finding
from tonnage.audit.rule import Rule
from tonnage.audit.run import Report

_SARIF_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
_SARIF_LEVELS: Final = {"error": "error", "warning": "warning", "info": "note"}
_GITHUB_COMMANDS: Final = {"error": "error", "warning": "warning", "info": "notice"}


def as_text(report: Report) -> str:
    """One line for each finding with its place, and one for what to do; a count at the end."""
    lines: list[str] = []
    for one in report.findings:
        lines.append(f"{one.file}:{one.line}:{one.column}: {one.severity} {one.code}: {one.message}")
        lines.append(f"    {one.object} {one.path}")
        lines.append(f"    fix: {one.remedy}{' (--fix does it)' if one.changes else ''}")
        if one.evidence is not None:
            lines += [f"    twin: {one.evidence.tried}", f"        as it is: {one.evidence.found}"]
            lines.append(f"        {one.evidence.repaired}")
    lines.append(_count(report))
    return "\n".join(lines) + "\n"


def _count(report: Report) -> str:
    counts = Counter(one.severity for one in report.findings)
    told = [f"{counts[name]} {name}{'s' if counts[name] != 1 else ''}" for name in SEVERITIES if counts[name]]
    found = ", ".join(told) if told else "no findings"
    excused = f", {len(report.suppressed)} excused" if report.suppressed else ""
    return f"{found} in {report.objects} object{'s' if report.objects != 1 else ''}{excused}"


def as_json(report: Report) -> str:
    """A document with every finding, and with every excused one beside its reason."""
    document = {
        "findings": [one.to_document() for one in report.findings],
        "suppressed": [{**one.to_document(), "reason": reason} for one, reason in report.suppressed],
        "objects": report.objects,
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def as_sarif(report: Report, rules: Sequence[Rule], version: str) -> str:
    """A SARIF 2.1.0 log with one run.

    Args:
        report: The findings.
        rules: The rules that ran.
        version: Ours.
    """
    results = [_sarif_result(one) for one in report.findings]
    for one, reason in report.suppressed:
        excuse = {"kind": "inSource", "justification": reason}
        results.append({**_sarif_result(one), "suppressions": [excuse]})
    driver = {
        "name": "tonnage",
        "version": version,
        "rules": [
            {
                "id": rule.code,
                "shortDescription": {"text": rule.title},
                "fullDescription": {"text": rule.sections["What it finds"]},
                "help": {"text": rule.remedy},
                "defaultConfiguration": {"level": _SARIF_LEVELS[rule.severity]},
            }
            for rule in rules
        ],
    }
    log = {
        "$schema": _SARIF_SCHEMA,
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": results}],
    }
    return json.dumps(log, indent=2, ensure_ascii=False) + "\n"


def _sarif_result(one: Finding) -> dict[str, Any]:
    region = {"startLine": one.line, "startColumn": one.column}
    return {
        "ruleId": one.code,
        "level": _SARIF_LEVELS[one.severity],
        "message": {"text": _told(one)},
        "locations": [
            {
                "physicalLocation": {"artifactLocation": {"uri": quote(one.file)}, "region": region},
                "logicalLocations": [{"fullyQualifiedName": f"{one.object}.{one.path}"}],
            }
        ],
    }


def as_github(report: Report) -> str:
    """Workflow commands that become annotations of a pull request."""
    lines = []
    for one in report.findings:
        place = f"file={_property(one.file)},line={one.line},col={one.column},title={one.code}"
        lines.append(f"::{_GITHUB_COMMANDS[one.severity]} {place}::{_data(_told(one))}")
    return "\n".join([*lines, _count(report)]) + "\n"


def _told(one: Finding) -> str:
    """A finding in one paragraph, with what the twin showed."""
    text = f"{one.message}. {one.remedy}"
    if one.evidence is None:
        return text
    shown = one.evidence
    return f"{text} Simulated: {shown.tried}. As it is: {shown.found}. Repaired, {shown.repaired}."


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
