"""All workers or none, by the real schedulers: the core API's PodGroup, and coscheduling's."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from controlplane.operators import SCHEDULER
from operator_world import CORE_GANGS, World, document, opened

COSCHEDULING_VERSION = "scheduling.x-k8s.io/v1alpha1"
pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Nothing but Kubernetes, with its own PodGroups switched on."""
    with opened(tmp_path_factory.mktemp("core"), {"a100-8": 1}, settings=CORE_GANGS) as world:
        yield world


@pytest.fixture(scope="module")
def operated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The same with operators, and with a second scheduler that has its own PodGroups."""
    options = {"training_operator": {"gang": SCHEDULER}}
    names = ("coscheduling", "jobset", "trainer", "training_operator")
    with opened(tmp_path_factory.mktemp("operated"), {"a100-8": 1}, *names, settings=CORE_GANGS, **options) as world:
        yield world


def _all_or_none(world: World, backend: str, gang: str) -> None:
    """The nodes have room for all workers but one: none is placed until another node has joined."""
    namespace = world.namespace(f"{gang}-{backend}")
    room = 2 * len(world.api.find("v1", "Node"))
    job = document("train", workers=room + 1)
    made = world.submit(job, namespace, backend=backend, gang=gang)
    world.holds(lambda: len(world.pods(job, namespace)) == room + 1, "not all pods are made")
    world.holds(lambda: bool(world.status(job, made, namespace).waits), "it gives no reason")
    time.sleep(2.0)  # for what must not happen
    assert [one["spec"].get("nodeName") for one in world.pods(job, namespace)] == [None] * (room + 1)
    assert world.status(job, made, namespace).phase == "Pending"
    world.fleet.add({"a100-8": 1})
    if gang == "coscheduling":
        _wake(world, namespace)
    pods = world.running(job, namespace, room + 1)
    assert world.until("Running", job, made, namespace).waits == ()
    for pod in reversed(pods):  # the first worker's end may be the job's
        world.fleet.end(pod)
    assert world.until("Succeeded", job, made, namespace).ended


def _wake(world: World, namespace: str) -> None:
    """Change the group, since the plug-in does not look again because of a node."""
    (group,) = world.api.find(COSCHEDULING_VERSION, "PodGroup", namespace)
    change = {"metadata": {"annotations": {"tonnage.test/woken": "true"}}}
    world.api.patch(COSCHEDULING_VERSION, "PodGroup", group["metadata"]["name"], change, namespace)


def test_core_podgroup_places_all_workers_of_a_job_or_none(core: World) -> None:
    _all_or_none(core, "job", "core")


@pytest.mark.operators
@pytest.mark.parametrize("backend", ["jobset", "trainjob"])
def test_core_podgroup_places_all_workers_that_an_operator_makes_or_none(operated: World, backend: str) -> None:
    _all_or_none(operated, backend, "core")


@pytest.mark.operators
@pytest.mark.parametrize("backend", ["job", "jobset", "trainjob", "pytorchjob"])
def test_coscheduling_places_all_workers_or_none(operated: World, backend: str) -> None:
    """The Trainer makes the group; the Training Operator, set up to make it too, leaves ours as it is."""
    _all_or_none(operated, backend, "coscheduling")
