"""Faults and changes under load: whose requests fail, and that all come back by themselves."""

from __future__ import annotations

import datetime as dt
import time

from controlplane.plane import wait_until
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.autoscaling_v2 import HorizontalPodAutoscaler
from lightkube.resources.core_v1 import Pod

from cluster.observe import Observer
from cluster.traffic import failures, load
from cluster.world import METRICS_API, NAME, NAMESPACE, SYSTEM, World

RATE = ("--rate", "10", "--duration", "10m")
BROKEN = {"http_503", "closed", "reset", "truncated", "connect", "timeout", "timeout_unsent"}


def test_a_rolling_update_loses_no_request(world: World) -> None:
    """Every pod is replaced under load; old ones serve until clients have left them."""
    settled(world)
    before = {pod.metadata.uid for pod in world.pods()}
    with load(world, "rollout", *RATE) as running:
        time.sleep(2)
        restart(world, NAME, NAMESPACE)
        assert wait_until(lambda: world.rolled_out(), 120), world.story()
        assert wait_until(lambda: all_pods(world) == {pod.metadata.uid for pod in world.pods()}, 60)
        result = running.finish()
    assert before.isdisjoint(pod.metadata.uid for pod in world.pods())
    assert failures(result) == {}
    assert result["succeeded"] > 50


def test_a_killed_server_takes_only_its_own_requests_with_it(world: World) -> None:
    """After ``kill -9`` the other replica serves on, the pod is started again and serves as before."""
    settled(world)
    victim, other = world.pods()
    before = {pod.metadata.name: restarts(world, pod) for pod in (victim, other)}
    with load(world, "killed", *RATE) as running:
        time.sleep(3)
        world.kill(victim)
        assert wait_until(lambda: restarts(world, victim) > before[victim.metadata.name], 60), world.story()
        assert wait_until(lambda: world.ready() == 2, 60), world.story()
        healed = running.elapsed_s()
        time.sleep(6)
        result = running.finish()
    assert restarts(world, other) == before[other.metadata.name]
    assert set(failures(result)) <= BROKEN
    late = [one for one in result["seconds"] if one["second"] > healed]
    assert late
    assert sum(one["failures"] for one in late) == 0
    # kube-proxy sends half of the connections to the dead one until its endpoint is gone
    assert result["succeeded"] > 0.6 * result["requests"]


def test_killed_metrics_apis_come_back_and_the_replicas_stay(world: World) -> None:
    """Both replicas of the metrics API are killed: the HPA keeps the service as it is, and reads on afterwards."""
    settled(world)
    killed = world.pods(METRICS_API, SYSTEM)
    counts = [restarts(world, pod) for pod in killed]
    with Observer(world) as observer, load(world, "metrics", *RATE):
        for pod in killed:
            world.kill(pod)
        for pod, count in zip(killed, counts, strict=True):
            assert wait_until(lambda pod=pod, count=count: restarts(world, pod) > count, 60), world.story()
        assert wait_until(lambda: world.ready(METRICS_API, SYSTEM) == 2, 60), world.story()
        assert wait_until(lambda: world.condition() == ("True", "ValidMetricFound"), 60), world.condition()
    assert {sight.wanted for sight in observer.sights} == {2}


def test_an_expired_certificate_stops_the_hpa_and_a_new_one_frees_it(world: World) -> None:
    """With an expired certificate in its Secret the HPA gets no metric and holds; the next certificate ends that."""
    settled(world)
    with load(world, "expired", *RATE):
        world.put_pair(dt.timedelta(minutes=-5))
        restart(world, METRICS_API, SYSTEM)
        assert wait_until(lambda: world.condition() == ("False", "FailedGetPodsMetric"), 120), world.condition()
        assert world.replicas() == 2
        world.put_pair(dt.timedelta(days=1))
        restart(world, METRICS_API, SYSTEM)
        assert wait_until(lambda: world.condition() == ("True", "ValidMetricFound"), 120), world.story()
    assert world.replicas() == 2


def test_an_api_server_that_restarts_is_not_noticed_by_clients(world: World) -> None:
    """Requests go on, and afterwards metrics, HPA, scheduler and nodes take up where they were."""
    settled(world)
    with load(world, "restart", *RATE) as running:
        time.sleep(2)
        world.plane.restart("kube-apiserver")
        assert wait_until(lambda: world.available() == ["True", "True"], 90), world.story()
        assert wait_until(lambda: world.condition() == ("True", "ValidMetricFound"), 90), world.condition()
        minimum = {"spec": {"minReplicas": 3}}
        world.client.patch(HorizontalPodAutoscaler, NAME, minimum, namespace=NAMESPACE)
        assert wait_until(lambda: world.ready() == 3, 120), world.story()
        path = "/apis/custom.metrics.k8s.io/v1beta2/namespaces/serving/pods/*/inference_latency_p99"
        selector = f"?labelSelector=app.kubernetes.io/name%3D{NAME}"
        assert wait_until(lambda: len(world.api.ask("GET", path + selector)["items"]) == 3, 60), world.story()
        result = running.finish()
    assert failures(result) == {}


def settled(world: World) -> None:
    """Wait until what the test before did is over."""
    assert wait_until(lambda: world.replicas() == world.ready() == len(all_pods(world)) == 2, 120), world.story()
    assert wait_until(lambda: world.condition() == ("True", "ValidMetricFound"), 120), world.condition()


def restart(world: World, name: str, namespace: str) -> None:
    """``kubectl rollout restart``."""
    at = dt.datetime.now(dt.UTC).isoformat()
    change = {"spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": at}}}}}
    world.client.patch(Deployment, name, change, namespace=namespace)


def all_pods(world: World) -> set[str]:
    """Pods of the service, those that end with them, by their uid."""
    found = world.client.list(Pod, namespace=NAMESPACE, labels={"app.kubernetes.io/name": NAME})
    return {pod.metadata.uid for pod in found}


def restarts(world: World, pod: Pod) -> int:
    """How often a pod's container was started again."""
    found = world.client.get(Pod, pod.metadata.name, namespace=pod.metadata.namespace)
    return sum(one.restartCount for one in found.status.containerStatuses or [])
