"""The room for the API server against the real one: conflicts, undoing, discovery, logs as kubectl has them."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from dataclasses import replace

import pytest
from cluster_training.world import World, standing
from controlplane.network import Network
from controlplane.node import ProcessNode
from controlplane.plane import ControlPlane, wait_until
from lightkube.resources.core_v1 import Pod

from tonnage.cluster.api import Api, open_api
from tonnage.cluster.apply import apply_all, pieces_of, try_all
from tonnage.cluster.faults import FieldConflict, Gone, Invalid
from tonnage.cluster.logs import LogPart, LogSource, read_log
from tonnage.cluster.resources import PODS, Resource
from tonnage.cluster.watch import Mirror

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(240)]

MAPS = Resource("", "v1", "ConfigMap", "configmaps")


def one_node(plane: ControlPlane, network: Network) -> list[ProcessNode]:
    return [ProcessNode(plane, network, "n1", images={"trainer": ["sh"]}, backoff_s=1.0, pods_max=3)]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with standing(tmp_path_factory.mktemp("plane"), one_node) as made:
        yield made


def with_api(world, work):
    async def go():
        async with open_api(kubeconfig=world.plane.kubeconfig) as api:
            return await work(api)

    return asyncio.run(go())


def kubectl(world, *words):
    command = ["kubectl", "--kubeconfig", str(world.plane.kubeconfig), *words]
    return subprocess.run(command, text=True, check=True, capture_output=True, timeout=60).stdout


def config_map(name, **data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


async def apply(api: Api, *objects, force=False):
    tried = await try_all(api, pieces_of(await api.offered(), objects, "default"), new=False, force=force)
    return await apply_all(api, tried, new=False, force=force)


def test_discovery_finds_what_kubectl_finds(world):
    offered = with_api(world, lambda api: api.offered())
    names = set(kubectl(world, "api-resources", "-o", "name").split())
    assert names == {one.title for one in offered.resources}


def test_a_field_of_another_manager_is_a_conflict_that_names_it_and_force_takes_it_over(world):
    kubectl(world, "create", "configmap", "shared", "--from-literal=a=1")

    async def work(api):
        with pytest.raises(FieldConflict) as caught:
            await apply(api, config_map("shared", a="2"))
        assert caught.value.fields == (("kubectl-create", ".data.a"),)
        assert "kubectl-create has set .data.a" in str(caught.value)
        await apply(api, config_map("shared", a="2"), force=True)
        assert (await api.read(MAPS, "shared", namespace="default"))["data"] == {"a": "2"}

    with_api(world, work)


def test_what_was_there_gets_its_former_fields_back_and_keeps_those_of_others(world):
    """The second object is refused only when it is really made; the first had been changed by then."""

    async def work(api):
        await apply(api, config_map("kept", a="1", b="1"))
        kubectl(world, "label", "configmap", "kept", "other=x")
        tried = await try_all(
            api,
            pieces_of(await api.offered(), [config_map("kept", a="2", c="3"), config_map("wrong", a="1")], "default"),
            new=False,
        )
        wrong = {**config_map("wrong"), "data": {"not a key": "x"}}
        with pytest.raises(Invalid):
            await apply_all(api, [tried[0], replace(tried[1], value=wrong)], new=False)
        found = await api.read(MAPS, "kept", namespace="default")
        assert found["data"] == {"a": "1", "b": "1"}
        assert found["metadata"]["labels"] == {"other": "x"}
        assert await api.find(MAPS, "wrong", namespace="default") is None

    with_api(world, work)


def test_a_watch_from_a_version_that_is_kept_no_longer_begins_a_new_list(world):
    """A server that was started again knows no older versions than those that it then found."""
    world.plane.restart("kube-apiserver")

    async def work(api):
        await apply(api, config_map("later", a="1"))
        mirror = Mirror(api, MAPS, namespace="default")
        mirror._version = "1"
        with pytest.raises(Gone):
            await anext(_events(mirror))
        mirror.synced = True
        mirror._task = asyncio.create_task(mirror._run())
        async with asyncio.timeout(60):
            while ("default", "later") not in mirror.objects:
                await asyncio.sleep(0.05)
        await mirror.__aexit__(None, None, None)

    with_api(world, work)


async def _events(mirror):
    """Signs of life after the first, which only says that the answer has begun."""
    count = 0
    async for _ in mirror._watch():
        count += 1
        if count > 1:
            yield


def test_our_logs_and_kubectls_are_the_same(world):
    """Whole, in part, of the life before, and while it runs."""
    lines = "for i in 1 2 3 4 5; do echo line $i; done"
    script = f"echo x >> /state/lives; {lines}; [ $(wc -l < /state/lives) -lt 3 ] || sleep 200; exit 3"
    mounts = [{"name": "state", "mountPath": "/state"}]
    container = {
        "name": "main",
        "image": "trainer:v1",
        "command": ["sh", "-c", script],
        "volumeMounts": mounts,
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "lines"},
        "spec": {
            "restartPolicy": "OnFailure",
            "volumes": [{"name": "state", "emptyDir": {}}],
            "containers": [container],
        },
    }
    source = LogSource("default", "lines", "main", "w")

    async def ours(part):
        async with open_api(kubeconfig=world.plane.kubeconfig) as api:
            return "".join([f"{line.text}\n" async for line in read_log(api, source, part)])

    with_api(world, lambda api: apply(api, pod))

    def settled():
        found = world.client.get(Pod, "lines", namespace="default").status.containerStatuses
        third = bool(found) and found[0].restartCount == 2 and found[0].state.running is not None
        return third and asyncio.run(ours(LogPart())).endswith("line 5\n")

    assert wait_until(settled, 60)
    for part, words in (
        (LogPart(), ()),
        (LogPart(tail=2), ("--tail=2",)),
        (LogPart(previous=True), ("--previous",)),
        (LogPart(since_s=3600), ("--since=1h",)),
    ):
        text = asyncio.run(ours(part))
        assert text == kubectl(world, "logs", "lines", *words)
        assert text.endswith("line 5\n")
    kubectl(world, "delete", "pod", "lines", "--grace-period=1")


def test_pods_of_all_namespaces_can_be_listed(world):
    listing = with_api(world, lambda api: api.list(PODS, namespace=None))
    assert listing.version.isdecimal()
