"""Auditors as programs: each gives the set of its complaints about a text, as (check, about what)."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from tonnage.audit import RULES, audit, measured_of
from tonnage.audit.rule import Rule
from tonnage.kube.objects import read_objects
from tonnage.profile import parse_profile
from tonnage.scheduling import Node
from tonnage.scheduling.objects import node_from_object

Complaints = frozenset[tuple[str, str]]
Auditor = Callable[[str], Complaints]
_TIMEOUT_S: Final = 300
_KUBE_SCORE_FINE: Final = 10
"""Grade of a check without complaint in kube-score's JSON."""


def ours(facts: dict[str, Any] | None = None, rules: tuple[Rule, ...] = RULES) -> Auditor:
    """Tonnage's audit, with a profile and nodes where they are given."""
    given = facts or {}
    profile = parse_profile(given["profile"], source="profile") if "profile" in given else None
    nodes: tuple[Node, ...] = tuple(node_from_object(one) for one in given.get("nodes", ()))
    measured = measured_of(profile) if profile is not None else None

    def run(text: str) -> Complaints:
        objects, problems = read_objects(text, source="in.yaml")
        if problems:
            raise ValueError(str(problems[0]))
        found = audit(objects, measured=measured, nodes=nodes, rules=rules).findings
        return frozenset((one.code, str(one.object)) for one in found)

    return run


def kube_score(program: Path) -> Auditor:
    """kube-score with all of its checks, the optional ones too."""

    def run(text: str) -> Complaints:
        report = _json([program, "score", "--output-format", "json", *_optional(program), "-"], text)
        return frozenset(
            (check["check"]["id"], f"{one['object_name']} {comment['path']} {comment['summary']}")
            for one in report
            for check in one["checks"]
            if not check["skipped"] and check["grade"] < _KUBE_SCORE_FINE
            for comment in check["comments"] or ()
        )

    return run


def _optional(program: Path) -> list[str]:
    listed = subprocess.run(
        [program, "list"], capture_output=True, text=True, check=True, timeout=_TIMEOUT_S
    ).stdout
    names = [line.split(",")[0] for line in listed.splitlines() if line.rstrip().endswith("optional")]
    return [word for name in names for word in ("--enable-optional-test", name)]


def checkov(program: Path) -> Auditor:
    """checkov's Kubernetes checks, without its services."""

    def run(text: str) -> Complaints:
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "in.yaml").write_text(text, encoding="utf-8")
            options = ["--framework", "kubernetes", "-o", "json", "--quiet", "--compact", "--skip-download"]
            report = _json([program, "-d", folder, *options], "")
        failed = report.get("results", {}).get("failed_checks", [])
        return frozenset((check["check_id"], check["resource"]) for check in failed)

    return run


def _json(command: list[Any], text: str) -> Any:
    done = subprocess.run(
        command, input=text, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S
    )
    if done.returncode not in (0, 1) or not done.stdout.strip():
        raise OSError(f"{command[0]} ended with {done.returncode}: {done.stderr[-300:]}")
    return json.loads(done.stdout)
