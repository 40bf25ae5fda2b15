"""A scenario refuses what cannot be, and says where."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonnage.hpa import ControllerConfig
from tonnage.scheduling import Node, Pod
from tonnage.traffic import PoissonArrivals
from tonnage.twin.requests import ClientModel, ServerModel, plan_of
from tonnage.twin.scenario import (
    PLAIN_ENDPOINTS,
    ClusterPlan,
    ControlTimes,
    CustomMetric,
    DisruptionBudget,
    MetricsPlan,
    NodeFails,
    NodePlan,
    Objective,
    PodLife,
    PoolPlan,
    Probe,
    Revision,
    Rollout,
    RolloutPlan,
    Samples,
    Scenario,
    Termination,
    Workload,
)

POD = Pod("default", "m", "m")
NODES = ClusterPlan(nodes=(NodePlan(Node("n")),))


def scenario(**changed):
    given_ = {
        "name": "s",
        "workload": Workload("m", Revision(POD)),
        "cluster": NODES,
        "traffic": plan_of(PoissonArrivals(1.0, 10.0), seed=0),
        "servers": (ServerModel(),),
        "client": ClientModel(),
        "duration_s": 10.0,
    }
    return Scenario(**(given_ | changed))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: scenario(duration_s=0.0), "duration_s: must be > 0 and finite, got 0.0"),
        (lambda: scenario(interval_s=20.0), "interval_s: must be > 0 and <= duration_s, got 20.0"),
        (lambda: scenario(servers=()), "servers: must be at least one, got 0"),
        (
            lambda: scenario(workload=Workload("m", Revision(POD, server=1))),
            "revision.server: must be 0 to 0, got 1",
        ),
        (
            lambda: scenario(happenings=(Rollout(1.0, Revision(POD, server=7)),)),
            "revision.server: must be 0 to 0, got 7",
        ),
        (
            lambda: scenario(happenings=(NodeFails(-1.0, "n"),)),
            "happenings.NodeFails.at_s: must be >= 0 and finite, got -1.0",
        ),
        (lambda: Objective(100.0, 0.1), "percentile: must be in (0, 100), got 100.0"),
        (lambda: Samples(()), "values: must be at least one, got 0"),
        (lambda: Samples((2.0, 1.0)), "values: must be ascending, got (2.0, 1.0)"),
        (lambda: Probe(period_s=0), "period_s: must be >= 1, got 0"),
        (
            lambda: PodLife(liveness=Probe(success_threshold=2)),
            "liveness.success_threshold: must be 1, got 2",
        ),
        (
            lambda: PodLife(endpoints=PLAIN_ENDPOINTS[:1], liveness=Probe(endpoint="live")),
            "liveness.endpoint: must be one of ['health'], got live",
        ),
        (lambda: Termination(grace_s=-1.0), "grace_s: must be >= 0 and finite, got -1.0"),
        (lambda: RolloutPlan(max_surge="x%"), "max_surge: must be a number >= 0 or a share like 25%, got x%"),
        (lambda: ClusterPlan(), "cluster: must be at least one node or pool, got 0"),
        (
            lambda: ClusterPlan(nodes=(NodePlan(Node("n")), NodePlan(Node("n")))),
            "nodes: must be each name once, got ['n', 'n']",
        ),
        (lambda: PoolPlan("p", NodePlan(Node("n")), start=3, size_max=2), "start: must be 0 to 2, got 3"),
        (
            lambda: DisruptionBudget(),
            "budget: must be minAvailable or maxUnavailable, and not both, got (None, None)",
        ),
        (
            lambda: MetricsPlan(metrics=(CustomMetric("load", "load"),)),
            "sustainable_per_s: must be > 0 for a metric of load, got None",
        ),
        (lambda: ControlTimes(pod_gc_s=0.0), "pod_gc_s: must be > 0, got 0.0"),
        (lambda: ControlTimes(reaction_s=math.inf), "reaction_s: must be finite, got inf"),
        (
            lambda: ControlTimes(hpa=ControllerConfig(sync_period_s=0.0)),
            "hpa.sync_period_s: must be > 0, got 0.0",
        ),
    ],
)
def test_what_cannot_be_is_refused(make, message):
    """The field, what must hold, and what was given."""
    with pytest.raises(ValueError) as caught:
        make()
    assert str(caught.value) == message


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=20), st.floats(0, 1), st.floats(0, 1))
def test_draws_lie_among_the_samples_and_rise(values, one, other):
    """Between the least and the largest, in order of the share."""
    samples = Samples.of(*values)
    low, high = sorted((one, other))
    assert min(values) <= samples.at(low) <= samples.at(high) + 1e-6 * max(values)
    assert samples.at(1.0) == samples.max == max(values)
    assert samples.at(0.0) == min(values)


def test_some_times_may_be_endless():
    """A node that is never removed, a pod that tolerates for ever."""
    assert ControlTimes(toleration_s=math.inf).node_removed_s == math.inf
