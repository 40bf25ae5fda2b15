"""The real Kueue lets our jobs start when their queue has the quota, and holds them when it has not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from operator_world import World, document, opened

pytestmark = [pytest.mark.cluster, pytest.mark.operators, pytest.mark.timeout(1800)]
VERSION = "kueue.x-k8s.io/v1beta2"
QUOTA = {"cpu": "64", "memory": "1Ti", "nvidia.com/gpu": "8"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    nodes = {"a100-8": 8}
    names = ("jobset", "trainer", "training_operator", "kueue")
    with opened(tmp_path_factory.mktemp("kueue"), nodes, *names) as world:
        yield world


def queue(world: World, name: str) -> str:
    """A namespace with a queue for eight GPUs of type a100."""
    namespace = world.namespace(name)
    flavor = {"nodeLabels": {"gpu-type": "a100"}, "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}]}
    _make(world, namespace, "ResourceFlavor", name, flavor)
    quotas = {"name": name, "resources": [{"name": key, "nominalQuota": value} for key, value in QUOTA.items()]}
    groups = [{"coveredResources": list(QUOTA), "flavors": [quotas]}]
    _make(world, namespace, "ClusterQueue", name, {"namespaceSelector": {}, "resourceGroups": groups})
    _make(world, namespace, "LocalQueue", "gpus", {"clusterQueue": name})

    def active() -> bool:
        found = world.api.get(VERSION, "LocalQueue", "gpus", namespace)
        return any(one["type"] == "Active" and one["status"] == "True" for one in found.get("status", {}).get("conditions", []))

    world.holds(active, f"queue {name} is not active")
    return namespace


def _make(world: World, namespace: str, kind: str, name: str, spec: object) -> None:
    world.api.apply({"apiVersion": VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}, namespace)


@pytest.mark.parametrize("backend", ["job", "jobset", "trainjob", "pytorchjob"])
def test_a_job_starts_with_quota_and_the_next_one_waits_until_it_has_ended(world: World, backend: str) -> None:
    namespace = queue(world, f"queue-{backend}")
    first, second = (document(name, queue="gpus") for name in ("first", "second"))
    made = world.submit(first, namespace, backend=backend, gang="kueue")
    pods = world.running(first, namespace, 2)
    assert world.until("Running", first, made, namespace).waits == ()
    waiting = world.submit(second, namespace, backend=backend, gang="kueue")
    status = world.until("Queued", second, waiting, namespace)
    world.holds(lambda: any("insufficient unused quota" in one for one in world.status(second, waiting, namespace).waits), f"no reason in {status}")
    assert world.pods(second, namespace) == []
    for pod in pods:
        world.fleet.end(pod)
    assert world.until("Succeeded", first, made, namespace).ended
    world.running(second, namespace, 2)
    assert world.until("Running", second, waiting, namespace).waits == ()


def test_a_job_for_a_queue_that_is_not_there_waits_and_says_so(world: World) -> None:
    namespace, job = world.namespace("no-queue"), document("train", queue="nobody")
    made = world.submit(job, namespace, backend="job", gang="kueue")
    status = world.until("Queued", job, made, namespace)
    assert any("nobody" in one for one in status.waits)
    assert world.pods(job, namespace) == []
