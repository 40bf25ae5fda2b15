"""Every rule: its text is whole, its bad YAML gives exactly its finding, its good YAML none."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tonnage.audit import RULES, Measured, audit
from tonnage.audit.pages import index_page, page_name, rule_page
from tonnage.audit.rule import GIVEN, SECTIONS
from tonnage.kube.objects import read_objects

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "src" / "tonnage" / "audit" / "rules"
DOCS = ROOT / "docs" / "rules"
FILES = sorted(FOLDER.glob("tng*.py"))
BY_CODE = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)


def examined(rule, section):
    """The findings of the rule in one of its examples; the rules about excuses need the others."""
    objects, problems = read_objects(rule.sections[section], source="example.yaml")
    assert problems == []
    given = dict(pair.split("=") for pair in rule.sections.get(GIVEN, "").split())
    measured = Measured(**{name: float(value) for name, value in given.items()})
    rules = RULES if rule.code.startswith("TNG9") else (rule,)
    return [one for one in audit(objects, measured=measured, rules=rules).findings if one.code == rule.code]


@BY_CODE
def test_the_bad_example_gives_exactly_this_finding(rule):
    """Bad YAML gives one finding, with a file, a line, a document and a path."""
    findings = examined(rule, "Bad")
    assert [one.code for one in findings] == [rule.code]
    (finding,) = findings
    assert finding.file == "example.yaml"
    assert 1 <= finding.line <= len(rule.sections["Bad"].splitlines())
    assert finding.path
    assert finding.object.name


@BY_CODE
def test_the_good_example_gives_none(rule):
    """Good YAML gives no finding of the rule."""
    assert [str(one.message) for one in examined(rule, "Good")] == []


@BY_CODE
def test_every_text_is_whole(rule):
    """Sections are complete and in order, a source is named, and what to do is a sentence."""
    present = [name for name in rule.sections if name != GIVEN]
    assert present == list(SECTIONS)
    assert "Source:" in rule.sections["Why it matters"]
    assert rule.remedy.endswith(".")
    assert rule.sections["Limits"].endswith(".")
    assert rule.text.strip().splitlines()[0].endswith(".")


def test_files_and_registry_agree():
    """Each file is one entry, named by its code; codes are unique and in order."""
    assert [file.name[:6].upper() for file in FILES] == [rule.code for rule in RULES]
    assert len({rule.code for rule in RULES}) == len(RULES)
    assert len({rule.title for rule in RULES}) == len(RULES)


def test_there_are_enough_rules():
    """The issue asks for forty."""
    assert len(RULES) >= 40


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_rule_knows_no_other_rule(file):
    """A rule's file is short and imports only what rules may."""
    text = file.read_text()
    assert len(text.splitlines()) <= 110
    allowed = re.compile(r"tonnage\.(audit\.(context|finding|rule)|kube\.\w+|units|contract\.\w+)")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("tonnage"):
            assert allowed.fullmatch(node.module), node.module


@BY_CODE
def test_the_page_is_the_text(rule):
    """The page in docs/rules is what the rule's text gives; `./dev generate` writes it."""
    assert (DOCS / page_name(rule)).read_text() == rule_page(rule)


def test_the_index_is_the_registry():
    """The index names every rule, and no page is left over."""
    assert (DOCS / "README.md").read_text() == index_page(RULES)
    assert {file.name for file in DOCS.glob("*.md")} == {"README.md", *(page_name(rule) for rule in RULES)}
