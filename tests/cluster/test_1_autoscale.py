"""A rendered service on a real control plane: it serves, the real HPA scales it on its own metrics, the twin said so."""

from __future__ import annotations

import json
import ssl
import time
import urllib.error
import urllib.request

import pytest
from controlplane.api import Refused
from controlplane.plane import wait_until
from lightkube.resources.core_v1 import Event

from cluster.beside import Steps, at, play, sequence
from cluster.observe import Observer
from cluster.traffic import failures, load, write_trace
from cluster.world import METRICS_API, NAME, NAMESPACE, SYNC_S, SYSTEM, World

METRICS = "/apis/custom.metrics.k8s.io/v1beta2/namespaces/serving/pods/*"
LATENCY, IN_FLIGHT = "inference_latency_p99", "tonnage_requests_in_flight"
SELECTOR = f"labelSelector=app.kubernetes.io/name%3D{NAME}"
TARGET_S = 0.5
BASE, BURST = 6, 54
"""Requests per second all the time, and on top of it for a while: three replicas' worth."""


def test_all_that_is_rendered_is_accepted_and_serves(world: World) -> None:
    """Pods run under ``restricted``, the API server has no warning, and the service answers at its address."""
    assert world.api.warnings == []
    assert (world.ready(), world.ready(METRICS_API, SYSTEM)) == (2, 2)
    with load(world, "first", "--rate", "10", "--duration", "3s") as running:
        result = running.result()
    assert failures(result) == {}
    assert result["succeeded"] > 10


def test_the_api_server_finds_the_metrics_in_pods(world: World) -> None:
    """Both APIServices are available through the aggregation layer, and each replica has its values."""
    assert wait_until(lambda: world.available() == ["True", "True"], 60), world.story()
    names = {pod.metadata.name for pod in world.pods()}

    def told(metric: str) -> set[str]:
        answered = world.api.ask("GET", f"{METRICS}/{metric}?{SELECTOR}")["items"]
        return {one["describedObject"]["name"] for one in answered}

    for metric in (LATENCY, IN_FLIGHT):
        # a pod that was only now ready is read at the next scrape
        assert wait_until(lambda metric=metric: told(metric) == names, 30), (told(metric), names)


def test_who_may_not_ask_is_refused(world: World) -> None:
    """An account without the rendered role gets 403 through the API server, and a stranger 401 at the pod itself."""
    account = f"system:serviceaccount:{NAMESPACE}:default"
    path = f"{METRICS}/{LATENCY}?{SELECTOR}"
    pair = world.plane.cluster.issue("outsider", name=account, groups=("system:serviceaccounts",))
    context = ssl.create_default_context(cafile=str(world.plane.cluster.certificate))
    context.load_cert_chain(pair.certificate, pair.key)
    assert status_of(world.plane.url + path, context) == 403
    anyone = ssl.create_default_context()
    anyone.check_hostname = False
    anyone.verify_mode = ssl.CERT_NONE
    pod = world.pods(METRICS_API, SYSTEM)[0]
    assert status_of(f"https://{pod.status.podIP}:6443{path}", anyone) == 401
    with pytest.raises(Refused, match="404"):
        world.api.ask("GET", f"{METRICS}/no_such_metric?{SELECTOR}")


def test_it_scales_with_the_load_as_the_twin_says(world: World) -> None:
    """On its latency and load it scales out, is fast again, and scales in without a lost request; so in the twin."""
    with Observer(world) as observer, load(world, "base", "--rate", str(BASE), "--duration", "10m") as base:
        quiet = observer.wait(lambda sight: {LATENCY, IN_FLIGHT} <= sight.metrics.keys(), 60)
        assert quiet is not None, world.story()
        assert quiet.active == "ValidMetricFound"
        with load(world, "burst", "--rate", str(BURST), "--duration", "10m") as burst:
            high = observer.wait(lambda sight: sight.metrics.get(LATENCY, 0.0) > TARGET_S, 120)
            assert high is not None, observer.sights
            scaled = observer.wait(lambda sight: sight.ready >= 4, 120)
            assert scaled is not None, observer.sights
            calm = observer.wait(lambda sight: sight.ready >= 4 and sight.metrics.get(LATENCY, 9.0) < TARGET_S, 180)
            assert calm is not None, observer.sights
            burst_result = burst.finish()
        end_s = observer.elapsed_s()
        assert observer.wait(lambda sight: sight.wanted == sight.ready == 2, 180), observer.sights
        time.sleep(6)  # the last pods drain for 5 s
        base_result = base.finish()
        base_start_s = observer.elapsed_s() - base_result["elapsed_s"]
    assert failures(base_result) == {}
    assert failures(burst_result) == {}
    assert "pods metric" in reasons(world)
    begin_s = end_s - burst_result["elapsed_s"] - base_start_s
    course: Steps = tuple((max(0.0, sight.at_s - base_start_s), sight.wanted) for sight in observer.sights)
    duration_s = base_result["elapsed_s"]
    steps = ((BASE, round(begin_s)), (BASE + BURST, round(burst_result["elapsed_s"])), (BASE, 120))
    trace = write_trace(world.folder / "trace.csv", steps)
    twin = play(world, trace, sync_s=SYNC_S, phases=2, duration_s=sum(length for _, length in steps))
    (world.folder / "beside.json").write_text(
        json.dumps({"real": course, "twin": [one.wanted for one in twin], "duration_s": duration_s})
    )
    peak = max(sequence(course))
    for one in twin:
        print(f"twin {one.wanted}\nreal {course}")
        assert one.failed == 0
        assert abs(max(sequence(one.wanted)) - peak) <= 1
        assert at(one.wanted, 0.0) == at(one.wanted, 10_000.0) == 2


def reasons(world: World) -> str:
    """What the HPA controller said of its changes."""
    events = world.client.list(Event, namespace=NAMESPACE, fields={"reason": "SuccessfulRescale"})
    return "\n".join(event.message or "" for event in events)


def status_of(url: str, context: ssl.SSLContext) -> int:
    try:
        with urllib.request.urlopen(url, context=context, timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
