"""Probes, restarts, rollouts and ends of pods in the whole twin."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.integration.twin import worlds
from tonnage.twin.requests import Cause, ParametricService, ServerModel
from tonnage.twin.scenario import (
    PLAIN_ENDPOINTS,
    Compute,
    Crash,
    PodKilled,
    Probe,
    ReplicasEdited,
    Rollout,
    RolloutPlan,
    Samples,
    Termination,
)


def founding_life(**changed):
    """The founding manifest's probes: liveness on /health, 60 s and then every 10 s, no startup probe."""
    return worlds.life(
        startup=None,
        readiness=Probe(initial_delay_s=30, period_s=5),
        liveness=Probe(initial_delay_s=60, period_s=10),
        endpoints=PLAIN_ENDPOINTS,
        **changed,
    )


def test_a_slow_model_is_killed_for_ever_by_its_liveness_probe():
    """A load longer than 60 s and three failures never ends: the container is killed again and again."""
    slow = worlds.revision(founding_life(load_s=Samples.of(120.0)))
    result = worlds.run(worlds.scenario(template=slow, started=False, duration_s=1800.0, replicas=1))
    kills = worlds.pods(result, "killed")
    assert len(kills) >= 5
    assert all("liveness probe failed 3 times in a row, while loading" in kill.detail for kill in kills)
    assert not worlds.pods(result, "ready")
    assert result.totals.answered == 0
    back_offs = [record.detail.split()[1] for record in worlds.pods(result, "back_off")]
    assert back_offs[:4] == ["10", "20", "40", "80"]


def test_a_startup_probe_gives_the_model_its_time():
    """The same model with a startup probe whose budget is longer than the load becomes ready, unharmed."""
    slow = worlds.revision(
        worlds.life(load_s=Samples.of(120.0), startup=Probe(period_s=5, failure_threshold=60))
    )
    result = worlds.run(worlds.scenario(template=slow, started=False, duration_s=600.0, replicas=1))
    assert not worlds.pods(result, "killed")
    ready = worlds.pods(result, "ready")[0]
    assert 120 < ready.at_s < 135


def test_a_startup_budget_that_is_too_short_kills_too():
    """Threshold times period is the budget, counted from the pod's arrival at the kubelet."""
    slow = worlds.revision(worlds.life(load_s=Samples.of(60.0), startup=Probe(period_s=5, failure_threshold=6)))
    result = worlds.run(worlds.scenario(template=slow, started=False, duration_s=300.0, replicas=1))
    kill = worlds.pods(result, "killed")[0]
    assert kill.detail == "startup probe failed 6 times in a row, while loading"
    assert kill.at_s == pytest.approx(30.1, abs=0.2)


def test_overload_kills_a_server_whose_liveness_waits_in_the_queue():
    """A liveness probe behind the requests times out under overload; apart from them it does not."""
    server = (ServerModel(ParametricService(item_s=0.01), size_max=1, queue_max=4096),)
    given = {"replicas": 1, "rate_per_s": 200.0, "duration_s": 120.0, "servers": server}
    shared = worlds.run(worlds.scenario(template=worlds.revision(founding_life()), **given))
    apart = worlds.run(worlds.scenario(**given))
    assert worlds.pods(shared, "killed")
    assert shared.totals.dropped[Cause.NO_ENDPOINT.value] > 0
    assert not worlds.pods(apart, "killed")


def test_a_crash_costs_what_the_server_had_and_restarts_at_once():
    """The first restart has no back-off; requests that were there are lost, later ones are not."""
    result = worlds.run(worlds.scenario(happenings=(PodKilled(100.0, by="crash"),), rate_per_s=150.0))
    assert result.totals.restarts == 1
    crash, restart = worlds.pods(result, "crashed")[0], worlds.pods(result, "restarted")[0]
    assert restart.at_s - crash.at_s == pytest.approx(1.0)
    assert not worlds.pods(result, "back_off")
    drops = result.series.failed
    assert drops.sum() > 0
    assert drops[:100].sum() == 0
    assert drops[105:].sum() == 0


def test_a_load_beyond_the_memory_limit_is_killed_and_backs_off():
    """The OOM killer takes a container that needs more than its limit while it loads."""
    tight = worlds.life(compute=Compute(memory_limit_bytes=1 << 30, memory_load_bytes=2 << 30))
    result = worlds.run(
        worlds.scenario(template=worlds.revision(tight), started=False, duration_s=300.0, replicas=1)
    )
    kills = worlds.pods(result, "oom_killed")
    assert len(kills) > 2
    assert "1073741824" in kills[0].detail
    # half of the load, as memory grows evenly
    loading = worlds.pods(result, "loading")[0]
    assert kills[0].at_s - loading.at_s == pytest.approx(5.0)


def test_loads_that_crash_at_random_differ_from_pod_to_pod():
    """Each pod has its own randomness."""
    frail = worlds.life(crash=Crash(load_ratio=0.5))
    result = worlds.run(
        worlds.scenario(template=worlds.revision(frail), started=False, duration_s=600.0, replicas=8)
    )
    crashes = {record.pod for record in worlds.pods(result, "crashed")}
    assert 0 < len(crashes) < 8


def scale_down(termination: Termination, **changed):
    """Four busy replicas become two, with clients that do not try again."""
    drained = worlds.revision(worlds.life(termination=termination))
    return worlds.scenario(
        replicas=4,
        rate_per_s=120.0,
        template=drained,
        happenings=(ReplicasEdited(60.0, 2),),
        duration_s=120.0,
        **changed,
    )


def test_scaling_down_loses_nothing_when_the_hook_outlasts_the_endpoints():
    """The preStop hook holds SIGTERM back until no proxy sends requests any more."""
    result = worlds.run(scale_down(Termination(grace_s=30, pre_stop_s=3.0)))
    assert result.totals.drops == 0
    assert len(worlds.pods(result, "gone")) == 2


def test_scaling_down_loses_nothing_with_a_lame_duck_time():
    """Without a hook, a server that still answers after SIGTERM does the same."""
    result = worlds.run(scale_down(Termination(grace_s=30, lame_duck_s=3.0)))
    assert result.totals.drops == 0


def test_scaling_down_without_either_refuses_requests():
    """A server that closes at SIGTERM refuses what the proxies still send; the rest is drained."""
    result = worlds.run(scale_down(Termination(grace_s=30)))
    assert result.totals.dropped[Cause.REFUSED.value] > 0
    assert result.totals.dropped[Cause.LOST.value] == 0
    late = result.series.failed[62:]
    assert late.sum() == 0


def test_a_server_that_does_not_drain_loses_what_it_has():
    """SIGTERM ends it with its requests."""
    result = worlds.run(
        worlds.scenario(
            replicas=2,
            rate_per_s=250.0,
            template=worlds.revision(worlds.life(termination=Termination(grace_s=30, drains=False))),
            happenings=(ReplicasEdited(60.0, 1),),
            duration_s=90.0,
        )
    )
    assert result.totals.dropped[Cause.LOST.value] > 0


def test_a_drain_longer_than_the_grace_period_is_cut():
    """SIGKILL comes when preStop and drain together outlast the grace period."""
    slow = (ServerModel(ParametricService(item_s=0.5), size_max=1, queue_max=4096),)
    result = worlds.run(
        worlds.scenario(
            replicas=2,
            rate_per_s=40.0,
            servers=slow,
            template=worlds.revision(worlds.life(termination=Termination(grace_s=10, pre_stop_s=3.0))),
            happenings=(ReplicasEdited(60.0, 1),),
            duration_s=120.0,
        )
    )
    lost = worlds.pods(result, "lost_requests")
    assert "SIGKILL after 10 s" in lost[0].detail
    ending = worlds.pods(result, "terminating")[0]
    assert lost[0].at_s - ending.at_s == pytest.approx(10.05, abs=0.01)


@pytest.mark.parametrize("surge", [0, 1])
def test_a_rollout_without_a_spare_gpu(surge):
    """With maxSurge and no room the rollout cannot move, and says so; with maxUnavailable it goes through."""
    plan = RolloutPlan(max_surge=surge, max_unavailable=1 - surge, progress_deadline_s=120.0)
    result = worlds.run(
        worlds.scenario(
            replicas=8,
            rollout=plan,
            happenings=(Rollout(30.0, worlds.revision(label="v2")),),
            duration_s=600.0,
        )
    )
    if surge:
        stuck = worlds.rollouts(result, "deadlocked")[0]
        assert stuck.detail.startswith("the new pods find no node, and no old one may go")
        assert "maxSurge 1, maxUnavailable 0" in stuck.detail
        assert "Insufficient nvidia.com/gpu" in stuck.detail
        late = worlds.rollouts(result, "progress_deadline_exceeded")[0]
        assert late.at_s == pytest.approx(150.0, abs=1.0)
        assert not worlds.rollouts(result, "complete")
        assert result.series.pods_pending[-1] == 1
    else:
        assert worlds.rollouts(result, "complete")
        assert not worlds.rollouts(result, "deadlocked")
    assert result.series.replicas_ready[-1] == 8
    assert result.totals.drops == 0


def test_a_rolling_update_keeps_what_it_promises():
    """Never more than replicas and surge, never fewer available than replicas less unavailable."""
    plan = RolloutPlan(max_surge=2, max_unavailable=1)
    nodes = tuple(worlds.node(f"n{i}") for i in range(3))
    rolled = (Rollout(30.0, worlds.revision(label="v2")),)
    result = worlds.run(worlds.scenario(replicas=6, rollout=plan, happenings=rolled, nodes=nodes))
    assert worlds.rollouts(result, "complete")
    assert result.series.replicas_created.max() <= 8
    assert result.series.replicas_ready.min() >= 5


def test_recreate_has_a_gap():
    """All old pods end before the first new one is made."""
    result = worlds.run(
        worlds.scenario(
            rollout=RolloutPlan(strategy="Recreate"),
            happenings=(Rollout(30.0, worlds.revision(label="v2")),),
        )
    )
    created = [record.at_s for record in worlds.pods(result, "created") if record.at_s > 0]
    gone = [record.at_s for record in worlds.pods(result, "gone")]
    assert len(created) == 2
    assert min(created) > max(gone)
    assert result.totals.dropped[Cause.NO_ENDPOINT.value] > 0


def test_a_rollback_takes_up_the_old_replica_set():
    """The former template's ReplicaSet grows again, and no third one is made."""
    first = worlds.revision()
    happenings = (Rollout(30.0, worlds.revision(label="v2")), Rollout(150.0, first))
    result = worlds.run(worlds.scenario(template=first, happenings=happenings))
    last = worlds.pods(result, "created")[-1]
    assert last.pod.startswith("model-1-")
    assert len(worlds.rollouts(result, "complete")) == 2


def test_an_image_is_pulled_once_on_a_node():
    """The first pod of a node waits for the pull, later ones of that node for the same pull or for none."""
    pulling = worlds.revision(worlds.life(image_pull_s=Samples.of(40.0)))
    result = worlds.run(
        worlds.scenario(
            template=pulling,
            started=False,
            replicas=4,
            nodes=(worlds.node("n1", gpus=5),),
            happenings=(PodKilled(150.0),),
        )
    )
    assert len(worlds.pods(result, "pulling")) == 1
    started = [record.at_s for record in worlds.pods(result, "started")]
    assert started[:4] == [pytest.approx(41.1, abs=0.1)] * 4
    made_again = worlds.pods(result, "created")[-1]
    assert started[4] - made_again.at_s == pytest.approx(1.1, abs=0.1)


def test_a_pod_without_a_readiness_probe_gets_requests_before_it_can_answer():
    """It is ready when its container runs; what is sent to it while it loads is refused."""
    careless = worlds.revision(worlds.life(startup=None, readiness=None, liveness=None))
    result = worlds.run(worlds.scenario(template=careless, happenings=(ReplicasEdited(60.0, 4),)))
    assert result.totals.dropped[Cause.REFUSED.value] > 100
    careful = worlds.run(worlds.scenario(happenings=(ReplicasEdited(60.0, 4),)))
    assert careful.totals.drops == 0


def test_the_first_requests_of_a_cold_model_are_slower():
    """Service times are multiplied for as long as the curve says, and then no more."""
    cold = worlds.revision(worlds.life(slow_start=((20.0, 3.0), (40.0, 2.0))))
    result = worlds.run(
        worlds.scenario(template=cold, started=False, replicas=1, rate_per_s=5.0, duration_s=200.0)
    )
    p50 = result.series.p50_s
    ready = int(worlds.pods(result, "warm")[0].at_s) + 1
    assert 0.029 < np.nanmedian(p50[ready : ready + 18]) < 0.04
    assert 0.019 < np.nanmedian(p50[ready + 21 : ready + 38]) < 0.029
    assert 0.009 < np.nanmedian(p50[ready + 45 :]) < 0.015


def test_a_container_that_dies_now_and_then_backs_off():
    """Crashes after readiness are drawn for each start; back-offs grow while they come quickly."""
    dying = worlds.revision(worlds.life(crash=Crash(after_ready_s=Samples.of(30.0))))
    result = worlds.run(worlds.scenario(template=dying, replicas=1, duration_s=900.0))
    waits = [record.detail.split()[1] for record in worlds.pods(result, "back_off")]
    assert waits[:4] == ["10", "20", "40", "80"]
    # the first restart has no wait, the last wait is not over
    assert result.totals.restarts == len(waits)


def test_a_result_is_a_document():
    """It is plain JSON without nan, and its records name their kinds."""
    result = worlds.run(worlds.scenario(duration_s=20.0, rate_per_s=1.0))
    document = json.loads(json.dumps(result.to_document(), allow_nan=False))
    assert document["totals"]["offered"] == result.totals.offered
    assert {record["kind"] for record in document["records"]} == {"PodRecord"}
    assert len(document["series"]["p99_s"]) == 20
    assert None in document["series"]["p99_s"]
    assert sum(document["histogram"]["count"]) == result.totals.answered
