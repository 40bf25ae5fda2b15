"""Steady state, and the autoscaler in the whole twin."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.integration.twin import worlds
from tonnage.hpa import Hpa, MetricQuery, MetricSpec, MetricTarget, ObjectReference
from tonnage.traffic import CountArrivals, CountTrace
from tonnage.twin.scenario import (
    Compute,
    ControllerRestarted,
    CustomMetric,
    CustomMetrics,
    HpaEdited,
    MetricsOutage,
    MetricsPlan,
    Objective,
    Rollout,
    RolloutPlan,
    Samples,
)


def steps(*pieces: tuple[float, int]) -> CountArrivals:
    """Arrivals from (rate [1/s], seconds) pieces."""
    counts = np.concatenate([np.full(seconds, rate) for rate, seconds in pieces])
    return CountArrivals(CountTrace(1.0, counts))


def flash(**changed):
    """80/s, then 400/s for five minutes, then 80/s."""
    given = {
        "arrivals": steps((80, 120), (400, 300), (80, 600)),
        "duration_s": 1020.0,
        "autoscaler": worlds.hpa("load", target_milli=1000, replicas_min=2),
        "metrics": worlds.LOAD,
        "nodes": tuple(worlds.node(f"n{i}") for i in range(4)),
        "objective": Objective(99, 0.1),
    }
    return worlds.scenario(**(given | changed))


def test_a_steady_state_stays_as_it_is():
    """With enough replicas nothing happens: no restart, no drop, no record but that the pods are there."""
    result = worlds.run(worlds.scenario(duration_s=600.0))
    assert result.totals.drops == 0
    assert result.totals.answered > 0.99 * result.totals.offered
    assert {record.what for record in worlds.pods(result)} == {"created", "scheduled", "ready"}
    assert result.series.replicas_ready.tolist() == [2.0] * 600
    assert result.totals.cost == pytest.approx(2 * 600 / 3600)


def test_a_run_can_be_repeated():
    """Equal scenarios give equal digests, another seed another one."""
    first, again = worlds.run(flash()), worlds.run(flash())
    other = worlds.run(flash(seed=2))
    assert first.digest == again.digest
    assert first.digest != other.digest


def test_a_flash_crowd_scales_out_and_back():
    """Replicas follow the load up to what it needs, and back to the minimum."""
    result = worlds.run(flash())
    ready = result.series.replicas_ready
    assert ready[:120].max() == 2
    assert 5 <= ready[300:420].max() <= 8
    assert ready[-1] == 2
    ups = [d for d in worlds.decisions(result) if d.rescaled and d.desired > d.spec_replicas]
    assert ups
    assert 120 < ups[0].at_s < 180
    assert all(d.trace and d.conditions and d.reason for d in worlds.decisions(result))
    assert ups[0].metrics[0].current > 1.1


def test_a_crowd_that_outruns_the_start_is_missed():
    """Until the new pods are ready the objective does not hold; then it does again."""
    result = worlds.run(flash())
    p99 = result.series.p99_s
    assert np.nanmax(p99[130:200]) > 0.1
    assert np.nanmedian(p99[350:420]) < 0.1
    assert result.series.slo_misses[:110].sum() == 0
    assert result.totals.slo_misses > 0


def test_a_longer_load_misses_more():
    """The time that a model takes to load is paid for by the crowd."""
    slow = worlds.revision(worlds.life(load_s=Samples.of(60.0)))
    assert worlds.run(flash(template=slow)).totals.slo_misses > worlds.run(flash()).totals.slo_misses


def test_an_outage_of_the_metrics_holds_the_autoscaler():
    """While the metrics API is away nothing is scaled, and the conditions say so; after it, it is."""
    outage = MetricsOutage(110.0, 300.0, "custom")
    result = worlds.run(flash(happenings=(outage,)))
    during = [d for d in worlds.decisions(result) if 110 <= d.at_s < 300]
    assert during
    assert all(not d.rescaled for d in during)
    failed = [c for c in during[-1].conditions if c[0] == "ScalingActive"]
    assert failed[0][1:3] == ("False", "FailedGetPodsMetric")
    assert any(d.rescaled for d in worlds.decisions(result) if 300 <= d.at_s < 330)


def test_a_restarted_controller_forgets_its_recommendations():
    """Scaling down is not held by recommendations from before the restart, and the rhythm is a new one."""
    slow_down = worlds.hpa("load", target_milli=1000, replicas_min=2, down_s=300)
    kept = worlds.run(flash(autoscaler=slow_down))
    restart = ControllerRestarted(440.0, "hpa", 17.0)
    forgot = worlds.run(flash(autoscaler=slow_down, happenings=(restart,)))

    def first_down(result):
        return next(d.at_s for d in worlds.decisions(result) if d.rescaled and d.desired < d.spec_replicas)

    looks = [d.at_s for d in worlds.decisions(forgot)]
    assert not [at_s for at_s in looks if 440 <= at_s < 457]
    assert 457.0 in looks
    assert 472.0 in looks
    assert first_down(forgot) != first_down(kept)


def test_an_edit_of_the_autoscaler_acts_at_once():
    """A higher minimum is obeyed at the edit and not at the next look."""
    edited = worlds.hpa("load", target_milli=1000, replicas_min=4)
    result = worlds.run(flash(happenings=(HpaEdited(50.0, edited),)))
    assert [d.desired for d in worlds.decisions(result) if d.at_s == 50.0] == [4]
    assert result.series.replicas_ready[80] == 4


def test_the_rollout_ratchet():
    """A surge pod counts as a member of the mean, so that a load below the target scales up.

    Four pods and a surge pod at 0.85 of the target: ceil(0.85 * 5) = 5, which is more than four. The long
    way down keeps it there for the rest of the rollout.
    """
    answering = MetricsPlan(
        metrics=worlds.LOAD.metrics,
        sustainable_per_s=100.0,
        custom=CustomMetrics(warming="answers", window_s=30.0),
    )
    given = {
        "replicas": 4,
        "arrivals": steps((4 * 85, 600)),
        "duration_s": 600.0,
        "autoscaler": worlds.hpa("constant", target_milli=1000, replicas_min=4, down_s=300),
        "metrics": dataclasses.replace(
            answering,
            metrics=(dataclasses.replace(worlds.LOAD.metrics[0], name="constant", meaning="constant", constant=0.85),),
        ),
        "rollout": RolloutPlan(max_surge=1, max_unavailable=0),
        "nodes": tuple(worlds.node(f"n{i}") for i in range(4)),
    }
    calm = worlds.run(worlds.scenario(**given))
    assert calm.series.replicas_wanted.max() == 4
    rolled = worlds.run(
        worlds.scenario(**given, happenings=(Rollout(60.0, worlds.revision(label="v2")),))
    )
    assert rolled.series.replicas_wanted.max() >= 5
    up = next(d for d in worlds.decisions(rolled) if d.rescaled)
    assert up.desired > up.spec_replicas
    assert up.metrics[0].current < 1.0


def test_an_idle_service_keeps_its_replicas_when_idle_pods_are_silent():
    """No request, no latency, no decision: silence is not zero."""
    given = {
        "replicas": 3,
        "rate_per_s": 0.001,
        "autoscaler": worlds.hpa(replicas_min=1),
        "duration_s": 300.0,
    }
    p99 = (CustomMetric("inference_latency_p99", "latency_p99"),)
    silent = worlds.run(worlds.scenario(**given, metrics=MetricsPlan(metrics=p99)))
    zero = worlds.run(worlds.scenario(**given, metrics=MetricsPlan(metrics=p99, custom=CustomMetrics(idle="zero"))))
    assert silent.series.replicas_wanted[-1] == 3
    assert zero.series.replicas_wanted[-1] == 1


def resource_hpa(**target):
    """An HPA on CPU."""
    metric = MetricSpec(MetricQuery("Resource", "cpu"), MetricTarget("Utilization", **target))
    return Hpa(ObjectReference("Deployment", "model"), 20, 2, (metric,), None, "model")


def test_cpu_scales_by_what_metrics_server_saw():
    """A model that computes all the time uses one core: at 70% of it three times the load needs three times the pods."""
    template = worlds.revision(worlds.life(compute=Compute(cpu_request_cores=1.0, cpu_start_cores=1.0)))
    result = worlds.run(
        flash(
            arrivals=steps((120, 120), (360, 400)),
            duration_s=520.0,
            autoscaler=resource_hpa(average_utilization_percent=70),
            template=template,
        )
    )
    looks = worlds.decisions(result)
    assert looks[0].metrics[0].error is not None
    calm = next(d for d in looks if d.at_s == 90.0)
    assert calm.metrics[0].current == pytest.approx(60.0, abs=3.0)
    # 3.6 cores at 70% are 5.1 pods; the backlog of the first minute asked for a few more
    assert 6 <= result.series.replicas_ready[-1] <= 8
    assert looks[-1].metrics[0].current == pytest.approx(100 * 3.6 / result.series.replicas_ready[-1], abs=5.0)


def test_cpu_without_a_request_is_an_error():
    """A utilisation of nothing cannot be computed, and the condition names the container."""
    template = worlds.revision(worlds.life(compute=Compute(cpu_request_cores=None)))
    result = worlds.run(flash(autoscaler=resource_hpa(average_utilization_percent=70), template=template))
    last = worlds.decisions(result)[-1]
    assert "missing request for cpu in container server" in last.metrics[0].error
    assert result.totals.rescales == 0


def test_a_fleet_metric_is_one_number():
    """Requests per second of all pods together, as an External metric with an average per pod."""
    metric = MetricSpec(MetricQuery("External", "rps"), MetricTarget("AverageValue", average_value_milli=60_000))
    autoscaler = Hpa(ObjectReference("Deployment", "model"), 20, 2, (metric,), None, "model")
    plan = MetricsPlan(metrics=(CustomMetric("rps", "requests_per_s", scope="fleet"),))
    result = worlds.run(flash(autoscaler=autoscaler, metrics=plan))
    calm = next(d for d in worlds.decisions(result) if d.at_s == 90.0)
    assert (calm.metrics[0].current, calm.metrics[0].proposal) == (pytest.approx(40.0, abs=3.0), 2)
    steady = next(d for d in worlds.decisions(result) if d.at_s == 405.0)
    assert steady.metrics[0].current * steady.spec_replicas == pytest.approx(400.0, rel=0.05)
    assert steady.metrics[0].proposal == 7


def test_a_metric_that_nothing_serves_is_an_error_each_time():
    """The controller says so, and keeps the replicas."""
    result = worlds.run(flash(autoscaler=worlds.hpa("unheard_of")))
    assert all(d.metrics[0].error for d in worlds.decisions(result))
    assert result.totals.rescales == 0
