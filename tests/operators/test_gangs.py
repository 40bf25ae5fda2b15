"""All workers or none, by the real schedulers: the core API's PodGroup, and coscheduling's."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from controlplane.operators import SCHEDULER

sys.path.insert(0, str(Path(__file__).parent))
from world import CORE_GANGS, World, document, opened

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with opened(tmp_path_factory.mktemp("core"), {"a100-8": 1}, settings=CORE_GANGS) as world:
        yield world


@pytest.fixture(scope="module")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    options = {"training_operator": {"gang": SCHEDULER}}
    names = ("coscheduling", "training_operator")
    with opened(tmp_path_factory.mktemp("coscheduling"), {"a100-8": 1}, *names, **options) as world:
        yield world


def _all_or_none(world: World, backend: str, gang: str) -> None:
    """The nodes have room for some of three workers: none is placed until another node has joined."""
    namespace = world.namespace(f"{gang}-{backend}")
    first = document("first", workers=3)
    made = world.submit(first, namespace, backend=backend, gang=gang)
    world.holds(lambda: len(world.pods(first, namespace)) == 3, "three pods are made")
    world.holds(lambda: bool(world.status(first, made, namespace).waits), "it gives no reason")
    time.sleep(2.0)  # for what must not happen
    assert [one["spec"].get("nodeName") for one in world.pods(first, namespace)] == [None] * 3
    assert world.status(first, made, namespace).phase == "Pending"
    world.fleet.add({"a100-8": 1})
    world.running(first, namespace, 3)
    assert world.until("Running", first, made, namespace).waits == ()


def test_core_podgroup_places_all_workers_of_a_job_or_none(core: World) -> None:
    _all_or_none(core, "job", "core")


@pytest.mark.operators
def test_coscheduling_places_all_workers_of_a_job_or_none(plugins: World) -> None:
    _all_or_none(plugins, "job", "coscheduling")


@pytest.mark.operators
def test_coscheduling_places_all_workers_of_a_pytorchjob_or_none(plugins: World) -> None:
    """The operator is set up to make the group too, and leaves ours as it is."""
    _all_or_none(plugins, "pytorchjob", "coscheduling")
