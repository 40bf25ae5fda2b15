"""``gpus fit`` foretells what the real kube-scheduler does with real objects of a real API server.

Nodes are bare objects: a scheduler asks nobody whether there is a machine behind one. The controllers are
stopped, so that nothing but the scheduler acts on what is there.
"""

from __future__ import annotations

import asyncio
import copy
import shutil
import time
from collections.abc import Iterator
from typing import Any

import pytest
from controlplane.binaries import NoGo, programs
from controlplane.plane import ControlPlane

from tests.differential.gpus.agreeing import workload_in
from tests.differential.gpus.fleets import Fleet, fleet
from tonnage.cli.gpus_inputs import read_cluster_server
from tonnage.cluster.api import Api, open_api
from tonnage.cluster.faults import Action
from tonnage.cluster.resources import NODES, PODS, Resource
from tonnage.gpus import fit, inventory

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]
Object = dict[str, Any]

SEED, FLEETS, GANGS = 7, 40, 24
DECIDED_S_MAX = 30.0
_WITHOUT = "ServiceAccount,TaintNodesByCondition,Priority"
"""Admission that would want controllers that are stopped, or set taints of its own."""
POD_GROUPS = Resource("scheduling.k8s.io", "v1beta1", "PodGroup", "podgroups")


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane without controllers, with gangs switched on."""
    try:
        programs()
    except NoGo as missing:
        pytest.skip(str(missing))
    folder = tmp_path_factory.mktemp("plane")
    settings = {
        "kube-apiserver": {
            "disable-admission-plugins": _WITHOUT,
            "feature-gates": "GenericWorkload=true",
            "runtime-config": "scheduling.k8s.io/v1beta1=true",
        },
        "kube-scheduler": {"feature-gates": "GenericWorkload=true"},
        "kube-controller-manager": {"feature-gates": "GenericWorkload=true"},
    }
    with ControlPlane(folder / "plane", settings=settings) as running:
        running.stop_program("kube-controller-manager")
        yield running
    shutil.rmtree(folder, ignore_errors=True)


class Cluster:
    """The objects of one fleet in a real cluster, one fleet after the other."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def begin(self, one: Fleet) -> list[Object]:
        """Replaces what is there by a fleet, and answers with its running pods as they are now."""
        for resource in (PODS, POD_GROUPS, NODES):
            for value in (await self._api.list(resource, namespace=None)).items:
                metadata = value["metadata"]
                if "deletionTimestamp" in metadata:
                    continue  # a pod group, whose finalizer is a stopped controller's to take away
                await self._api.delete(
                    resource, metadata["name"], namespace=metadata.get("namespace"), grace_s=0
                )
        for node in one.nodes:
            await self.create(NODES, {"apiVersion": "v1", **node})
        return [await self.create(PODS, _admissible(pod)) for pod in one.pods]

    async def create(self, resource: Resource, value: Object) -> Object:
        """Creates an object."""
        space = "default" if resource.namespaced else None
        action = Action("create", resource.title, value["metadata"]["name"], space or "")
        return (await self._api.ask("POST", resource.path(space), action, body=value))[1]

    async def decided(self, names: list[str]) -> dict[str, Object]:
        """The pods, once the scheduler has bound each of them or has said why not."""
        end = time.monotonic() + DECIDED_S_MAX
        while True:
            found = {one["metadata"]["name"]: one for one in (await self._api.list(PODS, namespace="default")).items}
            pods = {name: found[name] for name in names}
            if all(_node(one) or _refusal(one) for one in pods.values()):
                return pods
            assert time.monotonic() < end, {name: one.get("status") for name, one in pods.items()}
            await asyncio.sleep(0.05)


def _admissible(pod: Any) -> Object:
    """A pod as one may create it; priorities are the same for all, so that nobody is preempted."""
    value: Object = copy.deepcopy(dict(pod))
    value["apiVersion"], value["kind"] = "v1", "Pod"
    for key in ("uid", "deletionTimestamp"):
        value["metadata"].pop(key, None)
    for owner in value["metadata"].get("ownerReferences", ()):
        owner.setdefault("apiVersion", "apps/v1")
        owner.setdefault("uid", "uid-owner")
    value.pop("status", None)
    value["spec"]["automountServiceAccountToken"] = False
    for key in ("priority", "preemptionPolicy"):
        value["spec"].pop(key, None)
    return value


def _node(pod: Object) -> str | None:
    found: str | None = pod["spec"].get("nodeName")
    return found


def _refusal(pod: Object) -> str:
    for one in (pod.get("status") or {}).get("conditions") or ():
        if (one["type"], one["status"], one.get("reason")) == ("PodScheduled", "False", "Unschedulable"):
            return str(one["message"])
    return ""


def _step_by_step(one: Fleet, running: list[Object], pods: list[Object], where: str) -> None:
    """Each pod went to a node that we find among the best, given where those before it went."""
    there = list(running)
    for pod in pods:
        answer = fit([{**pod, "spec": _unbound(pod)}], one.nodes, there, changes=False)
        name = pod["metadata"]["name"]
        if _node(pod) is None:
            assert not answer.fits, f"{where}, {name}: {answer.placed}"
        else:
            assert _node(pod) in answer.equals.get(name, ()), f"{where}, {name}: {_node(pod)} not in {answer.equals}"
            there.append(pod)


def _unbound(pod: Object) -> Object:
    return {key: value for key, value in pod["spec"].items() if key != "nodeName"}


def test_forty_clusters_as_the_real_scheduler_places_them(plane: ControlPlane) -> None:
    """Whether all pods of a job are placed, each one's node, and the words of a refusal are as foretold."""
    seen = {True: 0, False: 0}

    async def run() -> None:
        async with open_api(kubeconfig=plane.kubeconfig) as api:
            cluster = Cluster(api)
            for index in range(FLEETS):
                one = fleet(SEED, index)
                running = await cluster.begin(one)
                for value in one.workloads:
                    workload = workload_in(value)
                    if workload.kind in ("Deployment", "ModelService"):
                        continue  # its ReplicaSet's selector would need the controllers
                    where = f"fleet {one.name}, {workload.name}"
                    wanted = [_admissible(pod) for pod in workload.pods]
                    answer = fit(wanted, one.nodes, running, changes=False)
                    for pod in wanted:
                        await cluster.create(PODS, pod)
                    decided = await cluster.decided(list(answer.pods))
                    pods = [decided[name] for name in answer.pods]
                    assert all(map(_node, pods)) == answer.fits, where
                    _step_by_step(one, running, pods, where)
                    if answer.stuck is not None and not answer.partial:
                        assert _refusal(decided[answer.stuck]) == answer.message, where
                    seen[answer.fits] += 1
                    running += [pod for pod in pods if _node(pod)]
                    for pod in pods:
                        if not _node(pod):
                            await api.delete(PODS, pod["metadata"]["name"], namespace="default", grace_s=0)

    asyncio.run(run())
    assert seen[True] >= 15, seen
    assert seen[False] >= 15, seen


def test_gangs_are_placed_whole_or_not_at_all_as_foretold(plane: ControlPlane) -> None:
    """Kubernetes' own gang scheduling places 8 workers with 8 GPUs exactly where we say that they fit."""
    seen = {True: 0, False: 0}

    async def run() -> None:
        async with open_api(kubeconfig=plane.kubeconfig) as api:
            cluster = Cluster(api)
            for index in range(GANGS):
                one = fleet(SEED + 1, index)
                running = await cluster.begin(one)
                wanted = [_admissible(pod) for pod in _gang(one, 2 if index % 3 == 0 else 8)]
                where = f"fleet {one.name}"
                answer = fit(wanted, one.nodes, running, gang=True, changes=False)
                policy = {"schedulingPolicy": {"gang": {"minCount": len(wanted)}}}
                await cluster.create(
                    POD_GROUPS,
                    {
                        "apiVersion": "scheduling.k8s.io/v1beta1", "kind": "PodGroup",
                        "metadata": {"name": f"gang-{index}", "namespace": "default"}, "spec": policy,
                    },
                )  # fmt: skip
                for pod in wanted:
                    pod["spec"]["schedulingGroup"] = {"podGroupName": f"gang-{index}"}
                    await cluster.create(PODS, pod)
                decided = await cluster.decided(list(answer.pods))
                nodes = [_node(decided[name]) for name in answer.pods]
                assert all(nodes) == any(nodes) == answer.fits, f"{where}: {nodes} and {answer.placed}"
                if answer.fits:
                    _step_by_step(one, running, [decided[name] for name in answer.pods], where)
                seen[answer.fits] += 1

    asyncio.run(run())
    assert seen[True] >= 5, seen
    assert seen[False] >= 5, seen


def test_devices_behind_an_extended_resource_as_the_real_scheduler_allocates_them(plane: ControlPlane) -> None:
    """Pods that ask for devices of a class as a resource go where free devices are, and wait where none are."""

    async def run() -> None:
        async with open_api(kubeconfig=plane.kubeconfig) as api:
            cluster = Cluster(api)
            nodes = [_bare(f"node-{rank}") for rank in range(3)]
            await cluster.begin(Fleet("devices", nodes, [], [], []))
            expression = "device.driver == 'gpu.example.com' && device.attributes['gpu.example.com'].kind == 'big'"
            device_class = {
                "apiVersion": "resource.k8s.io/v1", "kind": "DeviceClass", "metadata": {"name": "big"},
                "spec": {"selectors": [{"cel": {"expression": expression}}], "extendedResourceName": "example.com/big"},
            }  # fmt: skip
            slices = [_slice("node-0", "big", "big"), _slice("node-1", "big", "small", "big", "big"), _slice("node-2", "small")]
            objects = [await cluster.create(DEVICE_CLASSES, device_class)]
            objects += [await cluster.create(RESOURCE_SLICES, one) for one in slices]
            running: list[Object] = []
            for rank, count in enumerate((2, 1, 1, 1, 1, 1)):
                limits = {"example.com/big": str(count), "cpu": "1", "memory": "1Gi"}
                container = {"name": "main", "image": "i", "resources": {"limits": limits}}
                pod = _admissible({"metadata": {"name": f"p-{rank}", "namespace": "default"}, "spec": {"containers": [container]}})
                claims = list((await api.list(RESOURCE_CLAIMS, namespace=None)).items)
                answer = fit([pod], nodes, running, objects=[*objects, *claims], changes=False)
                await cluster.create(PODS, pod)
                decided = (await cluster.decided([f"p-{rank}"]))[f"p-{rank}"]
                if answer.fits:
                    assert _node(decided) in answer.equals[f"p-{rank}"], rank
                    running.append(decided)
                else:
                    assert _refusal(decided) == answer.message, rank
            assert len(running) == 4
            stock = inventory(nodes, running, slices, objects[:1], (await api.list(RESOURCE_CLAIMS, namespace=None)).items)
            assert [(one.resource, one.allocatable, one.used) for one in stock.totals] == [("big", 5, 5)]

    asyncio.run(run())


def test_the_command_reads_a_cluster_as_it_reads_what_kubectl_printed(plane: ControlPlane) -> None:
    """The inventory and the answer from the API server are those of the same objects in files."""
    one = fleet(SEED, 3)

    async def run() -> None:
        async with open_api(kubeconfig=plane.kubeconfig) as api:
            await Cluster(api).begin(one)

    asyncio.run(run())
    read = read_cluster_server(plane.kubeconfig, None)
    pods = [_admissible(pod) for pod in one.pods]
    stock, same = inventory(read.nodes, read.pods), inventory(one.nodes, pods)
    assert [(total.resource, total.type, total.used, dict(total.fits)) for total in stock.totals] == [
        (total.resource, total.type, total.used, dict(total.fits)) for total in same.totals
    ]
    assert {"Namespace", "PriorityClass", "DeviceClass"} <= {value["kind"] for value in read.others}


DEVICE_CLASSES = Resource("resource.k8s.io", "v1", "DeviceClass", "deviceclasses", namespaced=False)
RESOURCE_SLICES = Resource("resource.k8s.io", "v1", "ResourceSlice", "resourceslices", namespaced=False)
RESOURCE_CLAIMS = Resource("resource.k8s.io", "v1", "ResourceClaim", "resourceclaims")


def _bare(name: str) -> Object:
    amounts = {"cpu": "16", "memory": "64Gi", "pods": "110"}
    labels = {"kubernetes.io/hostname": name}
    return {
        "kind": "Node", "metadata": {"name": name, "labels": labels}, "spec": {},
        "status": {"allocatable": amounts, "capacity": amounts},
    }  # fmt: skip


def _slice(node: str, *kinds: str) -> Object:
    devices = [
        {"name": f"d{rank}", "attributes": {"kind": {"string": kind}}} for rank, kind in enumerate(kinds)
    ]
    pool = {"name": node, "generation": 1, "resourceSliceCount": 1}
    spec = {"driver": "gpu.example.com", "nodeName": node, "pool": pool, "devices": devices}
    return {"apiVersion": "resource.k8s.io/v1", "kind": "ResourceSlice", "metadata": {"name": f"slice-{node}"}, "spec": spec}


def _gang(one: Fleet, count: int) -> list[Object]:
    """Workers with all GPUs of a node of the fleet's most frequent kind."""
    shapes: dict[tuple[str, str], int] = {}
    for node in one.nodes:
        for name, amount in node["status"]["allocatable"].items():
            if "/" in name:
                shapes[name, amount] = shapes.get((name, amount), 0) + 1
    resource, gpus = max(sorted(shapes), key=lambda shape: shapes[shape])
    limits = {"cpu": "4", "memory": "16Gi", resource: gpus}
    tolerations = [{"key": resource, "operator": "Exists"}]
    container = {"name": "main", "image": "i", "resources": {"limits": limits}}
    return [
        {
            "metadata": {"name": f"worker-{rank}", "namespace": "default", "labels": {"job": "gang"}},
            "spec": {"containers": [container], "tolerations": tolerations},
        }
        for rank in range(count)
    ]
