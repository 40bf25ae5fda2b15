"""What the HPA is told of a pod, row by row."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonnage.metrics_api.policy import PodState, Policy, answer

SERVING = {"ready": True, "ending": False, "over": False, "age_s": 3.0, "value": 0.08, "last": 0.08}
IDLE = {"value": None, "last": 0.3}


@pytest.mark.parametrize(
    ("what", "change", "policy", "said"),
    [
        ("serving", {}, Policy(), 0.08),
        ("warming", {"ready": False}, Policy(), None),
        ("warming, counted", {"ready": False}, Policy(warming="counted"), 0.08),
        ("idle", IDLE, Policy(), 0.0),
        ("idle, silent", IDLE, Policy(idle="silent"), None),
        ("idle, last", IDLE, Policy(idle="last"), 0.3),
        ("idle since ever, last", {"value": None, "last": None}, Policy(idle="last"), None),
        ("read once only", {**IDLE, "known": False}, Policy(), None),
        ("ending", {"ending": True}, Policy(idle="last", warming="counted"), None),
        ("over", {"over": True}, Policy(idle="last", warming="counted"), None),
        ("stale", {"age_s": 20.1}, Policy(), None),
        ("as old as it may be", {"age_s": 20.0}, Policy(), 0.08),
        ("never read", {"age_s": math.inf}, Policy(warming="counted"), None),
        ("NaN", {"value": math.nan}, Policy(), None),
        ("infinite", {"value": math.inf}, Policy(), None),
        ("below zero", {"value": -1.0}, Policy(), None),
        ("NaN before", {"value": None, "last": math.nan}, Policy(idle="last"), None),
    ],
)
def test_the_table(what, change, policy, said):
    """Each state of a pod has one answer."""
    assert answer(PodState(**{**SERVING, **change}), policy) == said, what


@given(
    st.builds(
        PodState,
        ready=st.booleans(),
        ending=st.booleans(),
        over=st.booleans(),
        age_s=st.floats(0, 100) | st.just(math.inf),
        value=st.none() | st.floats(),
        last=st.none() | st.floats(),
        known=st.booleans(),
    ),
    st.builds(
        Policy,
        idle=st.sampled_from(["zero", "silent", "last"]),
        stale_s=st.floats(1, 60),
        warming=st.sampled_from(["silent", "counted"]),
    ),
)
def test_whatever_a_pod_says_an_answer_is_a_number(state, policy):
    """An answer is finite and not negative, and never of a pod that ends, has ended or is stale."""
    said = answer(state, policy)
    assert said is None or (math.isfinite(said) and said >= 0)
    if state.ending or state.over or state.age_s > policy.stale_s:
        assert said is None
