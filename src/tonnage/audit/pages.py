"""Pages of the reference, from the rules' texts; ``python -m tonnage.audit.pages --write`` renews them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tonnage.audit.registry import RULES
from tonnage.audit.rule import GIVEN, SECTIONS, Rule

_YAML: Final = ("Bad", "Good")
_GROUPS: Final = (
    ("TNG00", "Requests, limits and devices"),
    ("TNG01", "Requests, limits and devices"),
    ("TNG02", "GPUs and nodes"),
    ("TNG03", "Probes"),
    ("TNG04", "Rollouts and ends"),
    ("TNG05", "Spread and disruption"),
    ("TNG06", "Autoscaling"),
    ("TNG07", "Autoscaling"),
    ("TNG08", "Services and objects"),
    ("TNG09", "Images and security"),
    ("TNG1", "Training jobs"),
    ("TNG90", "Excuses"),
)


def page_name(rule: Rule) -> str:
    """The file of a rule's page."""
    return f"{rule.code}.md"


def rule_page(rule: Rule) -> str:
    """The page of a rule, as Markdown."""
    parts = [f"# {rule.code}: {rule.title}", f"Severity: {rule.severity}. Looks at: {rule.subject}."]
    for name in SECTIONS:
        body = rule.sections[name]
        parts.append(f"## {name}")
        if name == "Bad" and rule.sections.get(GIVEN):
            parts.append(f"Where this was measured: `{rule.sections[GIVEN]}`.")
        parts.append(f"```yaml\n{body}\n```" if name in _YAML else body)
    return "\n\n".join(parts) + "\n"


def index_page(rules: Sequence[Rule]) -> str:
    """The list of all rules, as Markdown."""
    lines = [
        "# Rules of `tonnage audit`",
        "",
        "Made from the rules' own texts; `tonnage explain CODE` prints one.",
    ]
    group = ""
    for rule in rules:
        named = next(title for prefix, title in _GROUPS if rule.code.startswith(prefix))
        if named != group:
            lines += [
                "",
                f"## {named}",
                "",
                "| code | severity | what it finds | `--fix` |",
                "| --- | --- | --- | --- |",
            ]
            group = named
        fixes = "yes" if _fixes(rule) else ""
        lines.append(f"| [{rule.code}]({page_name(rule)}) | {rule.severity} | {rule.title} | {fixes} |")
    return "\n".join(lines) + "\n"


def _fixes(rule: Rule) -> bool:
    """Whether the rule's bad example comes with a change."""
    from tonnage.audit.measured import Measured
    from tonnage.audit.run import audit
    from tonnage.kube.objects import read_objects

    objects, _ = read_objects(rule.sections["Bad"], source="example")
    given = dict(pair.split("=") for pair in rule.sections.get(GIVEN, "").split())
    measured = Measured(**{name: float(value) for name, value in given.items()})
    return any(one.changes for one in audit(objects, measured=measured, rules=(rule,)).findings)


def _main() -> int:
    folder = Path(__file__).parents[3] / "docs" / "rules"
    wanted = {page_name(rule): rule_page(rule) for rule in RULES} | {"README.md": index_page(RULES)}
    stale = [name for name, text in wanted.items() if not _same(folder / name, text)]
    if "--write" in sys.argv:
        for name in stale:
            (folder / name).write_text(wanted[name], encoding="utf-8")
        return 0
    return 1 if stale else 0


def _same(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    sys.exit(_main())
