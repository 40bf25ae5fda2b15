"""Who is preempted for whom: worked out by hand."""

from __future__ import annotations

from dataclasses import replace

from tests.unit.scheduling.objects import HOST, cluster, node, pod, required, started, term
from tonnage.scheduling import Budget, Cluster, Pod, schedule, selector_of


def low(name: str, second: int, cpu: str = "2", priority: int = 0, **more: object) -> Pod:
    return pod(name, cpu, priority=priority, status=started(second), **more)


def full(**pods_by_node: list[Pod]) -> Cluster:
    state = cluster(*(node(name) for name in pods_by_node))
    for name, pods in pods_by_node.items():
        for one in pods:
            state.add_pod(one, name)
    return state


def victims(state: Cluster, cpu: str = "2", priority: int = 10, **more: object) -> tuple[str, list[str]] | None:
    found = schedule(pod("p", cpu, priority=priority, **more), state)
    nomination = found.nomination
    return None if nomination is None else (nomination.node, [one.uid for one in nomination.victims])


def test_the_younger_goes() -> None:
    """Of equal pods, the one that started later is the victim; no more than needed go."""
    assert victims(full(a=[low("old", 1), low("young", 2)])) == ("a", ["young"])


def test_lower_priority_goes_first_and_equal_priority_stays() -> None:
    """Less important pods go first; pods of the same priority never go."""
    state = full(a=[low("old", 1, priority=1), low("more", 2, priority=5)])
    assert victims(state) == ("a", ["old"])
    assert victims(state, priority=1) is None


def test_the_node_with_the_least_important_victims_is_taken() -> None:
    """The lowest highest priority decides, then the sum, then the number, then the latest start."""
    by_priority = full(a=[low("a1", 1, "4", 5)], b=[low("b1", 1, priority=2), low("b2", 2, priority=2)])
    assert victims(by_priority, "4") == ("b", ["b1", "b2"])
    by_number = full(a=[low("a1", 1), low("a2", 2)], b=[low("b1", 1, "4")])
    assert victims(by_number, "4") == ("b", ["b1"])
    by_start = full(a=[low("a1", 1, "4")], b=[low("b1", 2, "4")])
    assert victims(by_start) == ("b", ["b1"])


def test_equally_bad_nodes_are_all_named() -> None:
    """The caller chooses among candidates that nothing tells apart."""
    state = full(a=[low("a1", 1, "4")], b=[low("b1", 1, "4")])
    found = schedule(pod("p", priority=10), state, choose=lambda names: names[-1])
    assert found.nomination is not None
    assert (found.nomination.node, found.nomination.tied) == ("b", ("a", "b"))
    assert len(found.candidates) == 2


def test_disruption_budgets_protect_while_they_can() -> None:
    """A node whose victims no budget protects is preferred, and on one node the unprotected go first."""
    state = full(a=[low("a1", 1, "4")], b=[low("b1", 2, "4", labels={"app": "b"})])
    state.set_budget(Budget("default", "b", selector_of({"app": "b"}), allowed=0))
    assert victims(state) == ("a", ["a1"])
    state.set_budget(Budget("default", "b", selector_of({"app": "b"}), allowed=1))
    assert victims(state) == ("b", ["b1"])
    both = full(a=[low("kept", 2, labels={"app": "b"}), low("free", 1)])
    both.set_budget(Budget("default", "b", selector_of({"app": "b"}), allowed=0))
    assert victims(both) == ("a", ["free"])
    assert victims(both, "4") == ("a", ["free", "kept"])


def test_a_budget_violated_is_counted() -> None:
    """When nothing else helps a protected pod goes, and the violation is told."""
    state = full(a=[low("x", 1, "4")])
    state.set_budget(Budget("default", "b", selector_of({"app": "a"}), allowed=0))
    found = schedule(pod("p", priority=10), state)
    assert found.nomination is not None
    assert found.nomination.violations == 1
    assert found.message.endswith(
        "preemption: found a potential placement for pod on node a, preempting 1 victims"
    )


def test_a_pod_that_may_not_preempt_says_so() -> None:
    """PreemptionPolicy Never leaves everybody in place."""
    found = schedule(pod("p", priority=10, preemptionPolicy="Never"), full(a=[low("x", 1, "4")]))
    assert found.nomination is None
    assert found.message == (
        "0/1 nodes are available: 1 Insufficient cpu. preemption: not eligible due to preemptionPolicy=Never."
    )


def test_removing_an_objector_is_considered() -> None:
    """A pod whose anti-affinity is in the way is a victim even when resources suffice."""
    objects = low("x", 1, "1", affinity=required("podAntiAffinity", term(HOST)))
    assert victims(full(a=[objects])) == ("a", ["x"])


def test_a_pod_waits_for_those_it_preempted() -> None:
    """While a victim on the nominated node is still going, no more are preempted."""
    state = full(a=[low("x", 1, "2"), low("y", 2, "2")])
    state.update_pod(replace(low("x", 1), node="a", terminating=True, preempted=True))
    waiting = state.nominate(pod("p", "4", priority=10), "a")
    found = schedule(waiting, state)
    assert found.nomination is None
    assert found.message.endswith("not eligible due to a terminating pod on the nominated node.")


def test_room_made_for_a_pod_is_kept_for_it() -> None:
    """A pod of lower or equal priority leaves the room; one of higher priority takes it; the pod itself goes there."""
    state = cluster(node("a"), node("b", cpu="1"))
    nominated = state.nominate(pod("n", "4", priority=10), "a")
    assert schedule(pod("p", priority=10), state, preempt=False).feasible == ("b",)
    assert schedule(pod("p", priority=11), state).feasible == ("a", "b")
    assert schedule(nominated, state).node == "a"
    state.add_pod(nominated, "a")
    assert state.nominated() == {}
