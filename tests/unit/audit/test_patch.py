"""`--fix` edits the text where the fault is, and leaves everything else as it was."""

from __future__ import annotations

import difflib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonnage.audit import RULES, Change, Finding, Measured, audit
from tonnage.audit.patch import patched
from tonnage.audit.rule import GIVEN
from tonnage.kube.objects import Reference, read_objects

WELL_MADE = (Path(__file__).parent / "well_made.yaml").read_text()


def finding(path, value=None, *, remove=False, document=0):
    change = Change(path, value, remove)
    return Finding("TNG001", "error", "", "f", 1, 1, "", Reference("Pod", "p"), document, changes=(change,))


def edited(text, *args, **options):
    return patched(text, [finding(*args, **options)])[0]


BLOCK = """\
# head
kind: Pod   # kind
spec:
  replicas: 3   # three
  containers:
  - name: a
    image: b  # image

  # about the end
  grace: 30
"""


@pytest.mark.parametrize(
    ("change", "before", "after"),
    [
        ((("spec", "grace"), 60), "  grace: 30\n", "  grace: 60\n"),
        ((("spec", "token"), False), "  grace: 30\n", "  grace: 30\n  token: false\n"),
        (
            (("spec", "containers", 0, "limits", "x.com/gpu"), 1),
            "    image: b  # image\n",
            "    image: b  # image\n    limits:\n      x.com/gpu: 1\n",
        ),
        (
            (("spec", "containers", 1), {"name": "c", "args": ["-v"]}),
            "    image: b  # image\n",
            "    image: b  # image\n  - name: c\n    args:\n    - -v\n",
        ),
    ],
)
def test_a_change_is_one_edit(change, before, after):
    """Values are replaced, entries are added behind the last one, comments stay."""
    assert edited(BLOCK, *change) == BLOCK.replace(before, after).replace("- -v", '- "-v"')


def test_a_removed_field_takes_its_line():
    """The line goes, with the comment on it."""
    assert edited(BLOCK, ("spec", "replicas"), remove=True) == BLOCK.replace("  replicas: 3   # three\n", "")


def test_flow_layout_stays_flow():
    """An entry of a flow mapping stands in its line."""
    text = "kind: Pod\nspec: {a: 1, b: {c: 2}, d: {}}\n"
    assert edited(text, ("spec", "b", "e"), "x") == "kind: Pod\nspec: {a: 1, b: {c: 2, e: x}, d: {}}\n"
    assert edited(text, ("spec", "d", "e"), 1) == "kind: Pod\nspec: {a: 1, b: {c: 2}, d: {e: 1}}\n"


def test_windows_line_ends_stay():
    """A text with carriage returns keeps them."""
    text = "kind: Pod\r\nspec:\r\n  a: 1\r\n"
    assert edited(text, ("spec", "b"), 2) == "kind: Pod\r\nspec:\r\n  a: 1\r\n  b: 2\r\n"


def test_the_right_document_is_edited():
    """Only the document of the finding changes; empty documents do not count."""
    text = "---\n# nothing\n---\na: 1\n---\na: 1\n"
    assert edited(text, ("a",), 2, document=1) == "---\n# nothing\n---\na: 1\n---\na: 2\n"


@pytest.mark.parametrize(
    ("text", "change"),
    [
        ("a: &x {b: 1}\nc: *x\n", (("c", "d"), 2)),  # would change the other too
        ("a: [1, 2]\n", (("a", "b"), 2)),
        ("a: 1\n", (("a", "b"), 2)),
    ],
)
def test_what_cannot_be_edited_is_refused(text, change):
    """A text that an edit would change in another place, or not soundly, stays as it is."""
    after, done = patched(text, [finding(*change)])
    assert (after, done) == (text, ())


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_a_fix_ends_its_finding(rule):
    """The bad example of every rule that fixes has no finding of the rule when it is fixed."""
    text = rule.sections["Bad"] + "\n"
    given_facts = dict(pair.split("=") for pair in rule.sections.get(GIVEN, "").split())
    facts = Measured(**{name: float(value) for name, value in given_facts.items()})

    def found(source):
        return audit(read_objects(source, source="f")[0], measured=facts, rules=(rule,)).findings

    fixable = [one for one in found(text) if one.changes]
    after, done = patched(text, fixable)
    assert len(done) == len(fixable)
    assert [one for one in found(after) if one.changes] == []
    kept = [line for line in difflib.ndiff(text.splitlines(), after.splitlines()) if line[0] == " "]
    assert len(kept) >= len(text.splitlines()) - len(done)


@given(st.integers(0, 10**6), st.sampled_from(["yes", "a b", "x: y", "#", "'", "", "1e3", "ä", "{"]))
def test_any_value_reads_back(number, text):
    """Whatever value is put in, the text means it when it is read again."""
    value = {"n": number, "t": text, "l": [text, number, True, None]}
    for layout in ("spec:\n  a: 1\n", "spec: {a: 1}\n"):
        after, done = patched(layout, [finding(("spec", "b"), value)])
        assert len(done) == 1
        objects, _ = read_objects("apiVersion: v1\nkind: X\nmetadata: {name: n}\n" + after, source="f")
        assert objects[0].at("spec") == {"a": 1, "b": value}
