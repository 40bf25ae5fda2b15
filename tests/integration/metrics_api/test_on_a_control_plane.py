"""The metrics API behind a real API server, read by the real HPA controller."""

from __future__ import annotations

import datetime as dt
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from controlplane.binaries import NoGo
from controlplane.network import Network, NoNetwork
from controlplane.plane import ControlPlane, wait_until
from integration.metrics_api.world import LATENCY, World
from lightkube import ApiError
from lightkube.resources.apiregistration_v1 import APIService
from lightkube.resources.core_v1 import Pod

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]
HPA = {"horizontal-pod-autoscaler-sync-period": "2s"}
BUCKET_100_MS, BUCKET_200_MS = 468, 504
"""The buckets whose upper bounds are 0.1 s and 0.2 s."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Two pods at 0.1 and 0.2 s, with a target far above what they say."""
    folder = tmp_path_factory.mktemp("metrics-api")
    try:
        with Network() as network, ControlPlane(
            folder / "plane", address=network.gateway, settings={"kube-controller-manager": HPA}
        ) as plane:
            world = World(folder, network, plane)
            try:
                world.pages.put("/pod0", {BUCKET_100_MS: 100}, in_flight=2)
                world.pages.put("/pod1", {BUCKET_200_MS: 100}, in_flight=4)
                world.certify()
                world.register()
                world.deploy(replicas=2, target="160m")
                world.start()
                yield world
            finally:
                world.close()
    except (NoGo, NoNetwork) as error:
        pytest.skip(str(error))


def values(items):
    return {item["describedObject"]["name"]: item["value"] for item in items}


def test_pods_are_answered_through_the_api_server(world: World) -> None:
    """Each pod that runs has its own p99, in both versions, by selector and by name."""
    names = [pod.metadata.name for pod in world.pods()]
    path = f"pods/*/{LATENCY}?labelSelector=app%3Dshop"
    assert wait_until(lambda: len(world.metric(path)) == 2, 60), world.log()
    assert values(world.metric(path)) == dict(zip(names, ["100m", "199m"], strict=True))
    assert values(world.metric(path, "v1beta1")) == values(world.metric(path))
    assert values(world.metric(f"pods/{names[1]}/{LATENCY}")) == {names[1]: "199m"}
    assert world.metric("pods/*/inference_latency_p99?labelSelector=app%3Dnone") == []


def test_a_fleet_is_answered_as_one(world: World) -> None:
    """A Service and a Deployment have the percentile of all requests, and utilization of what they sustain."""
    for fleet in ("services/shop", "deployments.apps/shop"):
        assert values(world.metric(f"{fleet}/{LATENCY}")) == {"shop": "199m"}
        assert values(world.metric(f"{fleet}/inference_latency_p50")) == {"shop": "100m"}
        assert values(world.metric(f"{fleet}/load_utilization")) == {"shop": "375m"}


def test_the_hpa_reads_it(world: World) -> None:
    """The HPA controller finds the metric valid, and its status shows the mean of the pods."""
    assert wait_until(lambda: world.condition() == ("True", "ValidMetricFound"), 60), world.condition()
    assert wait_until(lambda: world.seen() in ("149m", "150m"), 30), world.seen()
    assert world.replicas() == 2


def test_the_api_server_finds_it_available_and_discovers_it(world: World) -> None:
    """Both APIServices are available, and discovery lists the metrics."""
    for version in ("v1beta1", "v1beta2"):
        service = world.client.get(APIService, f"{version}.custom.metrics.k8s.io")
        assert [one.status for one in service.status.conditions if one.type == "Available"] == ["True"]
    status, body = world.ask("/apis/custom.metrics.k8s.io/v1beta2")
    assert status == 200
    assert f"pods/{LATENCY}" in {one["name"] for one in body["resources"]}
    assert "aggregat" not in world.log()


def test_who_may_not_is_refused(world: World) -> None:
    """A user without a role is refused with 403, by name of what was asked."""
    nobody = world.plane.cluster.issue("nobody", name="nobody")
    status, body = world.ask(f"/apis/custom.metrics.k8s.io/v1beta2/namespaces/default/pods/*/{LATENCY}", nobody)
    assert (status, body["reason"]) == (403, "Forbidden")
    assert 'User "nobody" cannot get' in body["message"]


def test_who_does_not_come_through_the_api_server_is_refused(world: World) -> None:
    """Headers without the front proxy's certificate, or with another authority's, say nothing."""
    path = "/apis/custom.metrics.k8s.io/v1beta2"
    headers = {"X-Remote-User": "admin", "X-Remote-Group": "system:masters"}
    status, body = world.direct(path, headers=headers)
    assert (status, body["kind"], body["reason"]) == (401, "Status", "Unauthorized")
    assert world.direct(path, world.plane._admin, headers)[0] == 0  # the handshake fails
    stranger = world.plane.front_proxy.issue("stranger", name="stranger")
    assert world.direct(path, stranger, headers)[0] == 401
    proxy = world.plane.front_proxy.issue("proxy", name="front-proxy-client")
    assert world.direct(path, proxy, headers)[0] == 200
    assert world.direct("/livez")[0] == 200
    assert world.direct("/metrics", proxy, headers)[0] == 200
    assert world.direct("/metrics")[0] == 401


def test_a_pod_that_is_not_ready_or_ends_is_silent(world: World) -> None:
    """Readiness decides within the time of a watch, without a page being read."""
    name = world.pods()[1].metadata.name
    world.run_pod(name, ready="False")
    path = f"pods/*/{LATENCY}?labelSelector=app%3Dshop"
    assert wait_until(lambda: name not in values(world.metric(path)), 10)
    world.run_pod(name)
    assert wait_until(lambda: name in values(world.metric(path)), 10)


def test_killed_and_started_again_the_hpa_holds(world: World) -> None:
    """Without an answer the HPA says so and keeps its replicas; with one it goes on."""
    world.stop(signal.SIGKILL)
    assert wait_until(lambda: world.condition() == ("False", "FailedGetPodsMetric"), 60), world.condition()
    assert world.replicas() == 2
    world.start()
    assert wait_until(lambda: world.condition() == ("True", "ValidMetricFound"), 60), world.condition()
    assert world.replicas() == 2


def test_an_expired_certificate_is_rotated_without_a_restart(world: World) -> None:
    """With an expired certificate the HPA fails and holds; a new one in the same files ends that."""
    assert world.stop(signal.SIGTERM) == 0
    world.certify(life=dt.timedelta(minutes=-5))
    world.start()
    assert wait_until(lambda: world.condition() == ("False", "FailedGetPodsMetric"), 60), world.condition()
    assert world.replicas() == 2
    before = world.process.pid
    world.certify()
    assert wait_until(lambda: world.condition() == ("True", "ValidMetricFound"), 90), world.log()
    assert world.process.pid == before
    assert world.process.poll() is None


def test_load_scales_it_out(world: World) -> None:
    """When the pods say more than the target, the HPA scales out by the ratio of the mean."""
    world.pages.put("/pod0", {BUCKET_200_MS: 100})
    world.pages.put("/pod1", {BUCKET_200_MS + 36: 100})
    assert wait_until(lambda: world.replicas() > 2, 60), (world.seen(), world.condition())


def test_a_pod_that_is_gone_is_gone_from_the_answer(world: World) -> None:
    """A deleted pod is not answered for, at once."""
    name = world.pods()[0].metadata.name
    world.client.delete(Pod, name, namespace="default", grace_period=0)
    path = f"pods/*/{LATENCY}?labelSelector=app%3Dshop"
    assert wait_until(lambda: name not in values(world.metric(path)), 10)


def check(world: World, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tonnage", "metrics-api", "check", "--kubeconfig", str(world.plane.kubeconfig)]
    return subprocess.run([*command, *more], capture_output=True, text=True, timeout=60)


def test_the_owner_is_said(world: World) -> None:
    """Check says that the API is ours here, and another's where our Service is another; so does the program's log."""
    ours = check(world)
    assert (ours.returncode, ours.stdout.count("as it should")) == (0, 2), ours
    other = check(world, "--service", "monitoring/ours-is-elsewhere")
    assert other.returncode == 1
    assert "belongs to tonnage-system/tonnage-metrics-api" in other.stdout
    assert "do not apply" in other.stderr
    assert wait_until(lambda: world.log().count("as it should") >= 2, 10)


def test_another_adapter_is_said_and_not_touched(world: World) -> None:
    """Beside another's v1beta1 check fails, the program warns when it starts, and applying ours is a conflict."""
    name = "v1beta1.custom.metrics.k8s.io"
    client = world.client
    mine = next(one for one in world.objects() if one["metadata"]["name"] == name)
    client.delete(APIService, name)
    service = {"name": "prometheus-adapter", "namespace": "monitoring", "port": 443}
    spec = {**mine["spec"], "caBundle": None, "insecureSkipTLSVerify": True, "service": service}
    annotations = {"meta.helm.sh/release-name": "adapter", "meta.helm.sh/release-namespace": "monitoring"}
    other = {"metadata": {"name": name, "annotations": annotations}, "spec": spec}
    client.create(APIService.from_dict(other))
    try:
        found = check(world)
        assert found.returncode == 1
        assert "v1beta1.custom.metrics.k8s.io: belongs to monitoring/prometheus-adapter (Helm release" in found.stdout
        assert "v1beta2.custom.metrics.k8s.io: is served by tonnage-system/tonnage-metrics-api" in found.stdout
        world.stop(signal.SIGTERM)
        world.start()
        assert wait_until(lambda: "belongs to monitoring/prometheus-adapter" in world.log(), 10)
        with pytest.raises(ApiError) as refused:
            client.apply(APIService.from_dict(mine), field_manager="tonnage")
        assert refused.value.status.code == 409
        assert client.get(APIService, name).spec.service.name == "prometheus-adapter"
    finally:
        client.delete(APIService, name)
        client.create(APIService.from_dict(mine))
