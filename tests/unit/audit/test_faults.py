"""The faults that auditors are compared by: each is one change, and each is found by us."""

from __future__ import annotations

import pytest

from benchmarks.audit.__main__ import BASE, facts
from benchmarks.audit.faults import FAULTS
from benchmarks.audit.tools import ours

PLAIN, TOLD = ours(), ours(facts())


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_every_fault_is_found(fault):
    """The base gives nothing, and the change gives a finding; where facts are needed, with them."""
    before = BASE.read_text() + fault.beside
    after = before
    for old, new in fault.edits:
        assert after.count(old) == 1
        after = after.replace(old, new)
    assert PLAIN(before) == frozenset()
    assert PLAIN(after) or (fault.needs and TOLD(after) - TOLD(before))
