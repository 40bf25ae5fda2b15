"""Each rule of the room's table is covered by a test of this folder."""

from __future__ import annotations

import re
from pathlib import Path

import tonnage.hpa

RULES = tuple(f"E{number}" for number in range(1, 23))


def covered() -> dict[str, list[str]]:
    """Rules, and the tests that are marked as covering them."""
    found: dict[str, list[str]] = {}
    for file in Path(__file__).parent.glob("test_*.py"):
        pattern = r"^@covers\((.*)\)\n(?:@.*\n|[ \])].*\n)*def (test_\w+)"
        for marks, name in re.findall(pattern, file.read_text(), re.MULTILINE):
            for rule in re.findall(r"E\d+", marks):
                found.setdefault(rule, []).append(name)
    return found


def test_every_rule_is_covered_by_a_test():
    assert sorted(covered()) == sorted(RULES)


def test_no_mark_is_lost():
    files = Path(__file__).parent.glob("test_*.py")
    marks = sum(len(re.findall(r"^@covers\(", file.read_text(), re.MULTILINE)) for file in files)
    assert marks == len({name for names in covered().values() for name in names})


def test_every_rule_stands_in_the_rooms_table():
    table = re.findall(r"^(E\d+) +\S", tonnage.hpa.__doc__ or "", re.MULTILINE)
    assert tuple(table) == RULES
