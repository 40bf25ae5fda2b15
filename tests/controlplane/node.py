"""A node that runs the pods bound to it as processes of this machine: a kubelet in little.

It speaks to the API server as a kubelet does, with a kubelet's rights and no more (user ``system:node:<name>``
in group ``system:nodes``, held by the Node authorizer and the NodeRestriction admission): it registers itself,
renews its lease, watches its pods, reads what they refer to, asks for their tokens, and writes their status.

    python -m controlplane.node SETTINGS.json

runs one until SIGTERM; ``ProcessNode`` starts that as a process of its own, so that it can be killed.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime as dt
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from lightkube import ApiError, AsyncClient, KubeConfig
from lightkube.models.authentication_v1 import BoundObjectReference, TokenRequestSpec
from lightkube.models.coordination_v1 import LeaseSpec
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.coordination_v1 import Lease
from lightkube.resources.core_v1 import ConfigMap, Node, Pod, Secret, ServiceAccountToken
from lightkube.types import PatchType

from controlplane import volumes
from controlplane.environment import files_of
from controlplane.identity import host_name, identity_files
from controlplane.logs import Logs
from controlplane.network import Network
from controlplane.plane import ControlPlane, die_with_parent, free_port
from controlplane.pod import Outside, PodRun, image_name, now_text
from controlplane.sandbox import Mount, Sandbox

LEASE_S = 10.0
RESYNC_S = 1.0


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """A node.

    Attributes:
        name: Its name.
        kubeconfig: Its credentials.
        authority: Certificate of the cluster's authority.
        folder: For volumes, layers and logs.
        address: Its address.
        addresses: Namespace to address of those that its pods may use, made beforehand.
        images: Name of an image, without tag, to the command that it runs.
        contents: Name of an image, without tag, to its own folders: path in it to path here.
        dns: Address of the cluster's DNS server; empty for none.
        labels: Further labels.
        capacity: What it has, such as ``{"cpu": "8", "nvidia.com/gpu": "4"}``.
        taints: As in the API.
        api_host: Where pods reach the API server.
        api_port: The same.
        certificate: What it serves logs with.
        key: The same.
        port: Where it serves them.
        backoff_s: First wait before a restart.
    """

    name: str
    kubeconfig: str
    authority: str
    folder: str
    address: str
    addresses: Mapping[str, str]
    images: Mapping[str, list[str]]
    contents: Mapping[str, Mapping[str, str]]
    dns: str
    labels: Mapping[str, str]
    capacity: Mapping[str, str]
    taints: list[dict[str, str]]
    api_host: str
    api_port: int
    certificate: str
    key: str
    port: int
    backoff_s: float = 10.0


@dataclass(slots=True)
class _Running:
    run: PodRun
    task: asyncio.Task[None]
    namespace: str


class Kubelet:
    """Runs one node inside an event loop."""

    def __init__(self, settings: NodeSettings) -> None:
        self._settings = settings
        self._folder = Path(settings.folder)
        self._client = AsyncClient(config=KubeConfig.from_file(settings.kubeconfig).get(), trust_env=False)
        self._free = list(settings.addresses)
        self._pods: dict[str, _Running] = {}
        self._data: dict[tuple[str, str, str], dict[str, str]] = {}
        self._tokens: dict[str, str] = {}
        self._lasting: dict[str, dict[str, Path]] = {}
        self._logs = Logs(self._find)

    async def run(self) -> None:
        """Register, and run pods until cancelled."""
        await self._register()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._renew())
            group.create_task(self._watch())
            s = self._settings
            group.create_task(self._logs.serve(s.address, s.port, s.certificate, s.key, s.authority))

    def _find(self, namespace: str, name: str) -> PodRun | None:
        """A pod that runs here, or ended here and was not deleted yet."""
        for one in self._pods.values():
            metadata = one.run.pod["metadata"]
            if (metadata["namespace"], metadata["name"]) == (namespace, name):
                return one.run
        return None

    async def _register(self) -> None:
        s = self._settings
        labels = {
            "kubernetes.io/hostname": s.name,
            "kubernetes.io/os": "linux",
            "kubernetes.io/arch": "amd64",
        }
        node = Node.from_dict(
            {
                "metadata": {"name": s.name, "labels": {**labels, **s.labels}},
                "spec": {"taints": s.taints},
            }
        )
        with contextlib.suppress(ApiError):
            await self._client.create(node)
        await self._tell_node()

    async def _tell_node(self) -> None:
        s = self._settings
        capacity = {"cpu": "8", "memory": "32Gi", "pods": "110", "ephemeral-storage": "100Gi", **s.capacity}
        at = now_text()
        fine = {"MemoryPressure": "False", "DiskPressure": "False", "PIDPressure": "False", "Ready": "True"}
        conditions = [
            {
                "type": kind,
                "status": status,
                "reason": "ProcessNode",
                "lastHeartbeatTime": at,
                "lastTransitionTime": at,
            }
            for kind, status in fine.items()
        ]
        status = {
            "capacity": capacity,
            "allocatable": capacity,
            "addresses": [
                {"type": "InternalIP", "address": s.address},
                {"type": "Hostname", "address": s.name},
            ],
            "conditions": conditions,
            "daemonEndpoints": {"kubeletEndpoint": {"Port": s.port}},
            "nodeInfo": dict.fromkeys(
                (
                    "machineID",
                    "systemUUID",
                    "bootID",
                    "kernelVersion",
                    "osImage",
                    "containerRuntimeVersion",
                    "kubeProxyVersion",
                ),
                "",
            )
            | {"kubeletVersion": "v1.37.2", "operatingSystem": "linux", "architecture": "amd64"},
        }
        await self._client.patch(Node.Status, s.name, {"status": status}, patch_type=PatchType.STRATEGIC)

    async def _renew(self) -> None:
        name = self._settings.name
        while True:
            with contextlib.suppress(Exception):  # the API server may be away for a while
                at = dt.datetime.now(dt.UTC)
                spec = LeaseSpec(holderIdentity=name, leaseDurationSeconds=40, renewTime=at)
                lease = Lease(metadata=ObjectMeta(name=name, namespace="kube-node-lease"), spec=spec)
                try:
                    await self._client.patch(
                        Lease,
                        name,
                        {"spec": lease.to_dict()["spec"]},
                        namespace="kube-node-lease",
                        patch_type=PatchType.MERGE,
                    )
                except ApiError as error:
                    if error.status.code != 404:
                        raise
                    await self._client.create(lease)
                await self._tell_node()
            await asyncio.sleep(LEASE_S)

    async def _watch(self) -> None:
        """Look at all pods of this node, again after each change and now and then."""
        while True:
            try:
                seen = {}
                async for pod in self._client.list(
                    Pod, namespace="*", fields={"spec.nodeName": self._settings.name}
                ):
                    plain = pod.to_dict()
                    seen[plain["metadata"]["uid"]] = plain
                for uid, plain in seen.items():
                    await self._look(uid, plain)
                for known in self._pods.values():
                    self._logs.follow(known.run)
                for uid in [uid for uid in self._pods if uid not in seen]:  # its object is gone
                    self._pods[uid].run.end(0.0)
                    if self._pods[uid].task.done():
                        self._free.append(self._pods.pop(uid).namespace)
            except (ApiError, OSError, Exception) as error:  # the API server may be away for a while
                sys.stderr.write(f"watch: {error!r}\n")
            await asyncio.sleep(RESYNC_S / 4)

    async def _look(self, uid: str, pod: dict[str, Any]) -> None:
        known = self._pods.get(uid)
        going = pod["metadata"].get("deletionTimestamp") is not None
        if known is not None:
            if going:
                known.run.end(float(pod["metadata"].get("deletionGracePeriodSeconds", 30)))
            return
        if going:
            await self._forget(pod)
        elif pod.get("status", {}).get("phase", "Pending") == "Pending" and self._free:
            await self._begin(uid, pod)

    async def _begin(self, uid: str, pod: dict[str, Any]) -> None:
        await self._read_references(pod)
        namespace = self._free.pop(0)
        folder = self._folder / uid
        folder.mkdir(parents=True)
        folder.chmod(0o755)
        s = self._settings
        outside = Outside(
            images={name: tuple(command) for name, command in s.images.items()},
            look_up=lambda kind, name: self._data[kind, pod["metadata"]["namespace"], name],
            mounts=lambda one: self._mounts(one, folder),
            report=lambda status: self._report(pod, status),
            host_ip=s.address,
            backoff_s=s.backoff_s,
        )
        pod["spec"]["containers"] = [self._with_api(one) for one in pod["spec"]["containers"]]
        ip = s.addresses[namespace]
        sandbox = Sandbox(folder, namespace, host_name(pod), identity_files(pod, ip, s.dns))
        run = PodRun(pod, sandbox, ip, outside)
        task = asyncio.get_running_loop().create_task(self._live(uid, pod, run))
        self._pods[uid] = _Running(run, task, namespace)

    def _with_api(self, container: dict[str, Any]) -> dict[str, Any]:
        """A container that finds the API server: there is no kube-proxy here to give the service its address."""
        known = {
            "KUBERNETES_SERVICE_HOST": self._settings.api_host,
            "KUBERNETES_SERVICE_PORT": str(self._settings.api_port),
        }
        given = {one["name"] for one in container.get("env", [])}
        extra = [{"name": name, "value": value} for name, value in known.items() if name not in given]
        return {**container, "env": [*extra, *container.get("env", [])]}

    async def _live(self, uid: str, pod: dict[str, Any], run: PodRun) -> None:
        try:
            await run.run()
        except Exception as error:
            sys.stderr.write(f"pod {pod['metadata']['name']}: {error!r}\n")
        running = self._pods[uid]
        while not await self._let_go(uid, pod):
            await asyncio.sleep(RESYNC_S)
        if run._grace_s is None:
            return  # done for good, and kept until it is deleted
        self._free.append(running.namespace)
        del self._pods[uid]

    async def _let_go(self, uid: str, pod: Mapping[str, Any]) -> bool:
        """Forget a pod that has ended and is to be deleted; False where the API server is away."""
        try:
            live = await self._client.get(
                Pod, pod["metadata"]["name"], namespace=pod["metadata"]["namespace"]
            )
            if (
                live.metadata is not None
                and live.metadata.uid == uid
                and live.metadata.deletionTimestamp is not None
            ):
                await self._forget(pod)
        except ApiError:
            return True
        except Exception:
            return False
        return True

    async def _forget(self, pod: Mapping[str, Any]) -> None:
        with contextlib.suppress(ApiError):
            await self._client.delete(
                Pod, pod["metadata"]["name"], namespace=pod["metadata"]["namespace"], grace_period=0
            )

    async def _report(self, pod: Mapping[str, Any], status: dict[str, Any]) -> bool:
        """Tell a pod's status; False where the API server is away, and it has to be told again."""
        try:
            await self._client.patch(
                Pod.Status,
                pod["metadata"]["name"],
                {"status": status},
                namespace=pod["metadata"]["namespace"],
            )
        except ApiError as error:
            sys.stderr.write(f"status of {pod['metadata']['name']}: {error!r}\n")
            return error.status.code is not None and error.status.code < 500
        except Exception as error:
            sys.stderr.write(f"status of {pod['metadata']['name']}: {error!r}\n")
            return False
        return True

    async def _read_references(self, pod: Mapping[str, Any]) -> None:
        namespace = pod["metadata"]["namespace"]
        for kind, name in sorted(references(pod)):
            resource = ConfigMap if kind == "ConfigMap" else Secret
            try:
                found = (await self._client.get(resource, name, namespace=namespace)).to_dict()
            except ApiError:
                self._data.pop((kind, namespace, name), None)
                continue
            data = dict(found.get("data") or {})
            if kind == "Secret":
                data = {key: base64.b64decode(value).decode() for key, value in data.items()}
            self._data[kind, namespace, name] = data
        self._lasting[pod["metadata"]["uid"]] = await volumes.folders(self._client, pod)
        account = pod["spec"].get("serviceAccountName", "default")
        for volume in pod["spec"].get("volumes", []):
            for source in volume.get("projected", {}).get("sources", []):
                if "serviceAccountToken" in source:
                    self._tokens[_token_key(pod, source["serviceAccountToken"])] = await self._token(
                        pod, account, source["serviceAccountToken"]
                    )

    async def _token(self, pod: Mapping[str, Any], account: str, wanted: Mapping[str, Any]) -> str:
        meta = pod["metadata"]
        bound = BoundObjectReference(apiVersion="v1", kind="Pod", name=meta["name"], uid=meta["uid"])
        audiences = [wanted["audience"]] if wanted.get("audience") else []
        spec = TokenRequestSpec(
            audiences=audiences, boundObjectRef=bound, expirationSeconds=wanted.get("expirationSeconds", 3607)
        )
        request = ServiceAccountToken(metadata=ObjectMeta(), spec=spec)
        answer = await self._client.create(request, account, namespace=meta["namespace"])
        assert answer.status is not None
        return str(answer.status.token)

    def _mounts(self, pod: Mapping[str, Any], folder: Path) -> dict[str, list[Mount]]:
        made: dict[str, Path] = {}
        authority = Path(self._settings.authority).read_text()
        for volume in pod["spec"].get("volumes", []):
            if volumes.outlives(volume):
                made[volume["name"]] = volumes.folder_of(volume, self._lasting[pod["metadata"]["uid"]])
                continue
            place = folder / "volumes" / volume["name"]
            look_up = lambda kind, name: self._data[kind, pod["metadata"]["namespace"], name]  # noqa: E731
            files = files_of(pod, volume, look_up, lambda one: self._tokens[_token_key(pod, one)], authority)
            place.mkdir(parents=True, exist_ok=True)
            place.chmod(0o777 if files is None else 0o755)
            for path, text in (files or {}).items():
                file = place / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text)
                file.chmod(0o644)
            made[volume["name"]] = place
        found: dict[str, list[Mount]] = {}
        for container in [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]:
            own = self._settings.contents.get(image_name(container), {})
            found[container["name"]] = [Mount(Path(here), inside, True) for inside, here in own.items()] + [
                Mount(made[one["name"]], one["mountPath"], bool(one.get("readOnly")), one.get("subPath", ""))
                for one in container.get("volumeMounts", [])
            ]
        return found


def references(pod: Mapping[str, Any]) -> set[tuple[str, str]]:
    """ConfigMaps and Secrets that a pod refers to, as (kind, name)."""
    found: set[tuple[str, str]] = set()
    for container in [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]:
        for source in container.get("envFrom", []):
            kind = "ConfigMap" if "configMapRef" in source else "Secret"
            found.add((kind, (source.get("configMapRef") or source["secretRef"])["name"]))
        for one in container.get("env", []):
            value = one.get("valueFrom", {})
            if "configMapKeyRef" in value:
                found.add(("ConfigMap", value["configMapKeyRef"]["name"]))
            if "secretKeyRef" in value:
                found.add(("Secret", value["secretKeyRef"]["name"]))
    for volume in pod["spec"].get("volumes", []):
        for source in [volume, *volume.get("projected", {}).get("sources", [])]:
            if "configMap" in source:
                found.add(("ConfigMap", source["configMap"]["name"]))
            if "secret" in source:
                found.add(("Secret", source["secret"].get("secretName") or source["secret"]["name"]))
    return found


def _token_key(pod: Mapping[str, Any], source: Mapping[str, Any]) -> str:
    return f"{pod['metadata']['uid']}/{source.get('audience', '')}/{source['path']}"


@dataclass(slots=True)
class ProcessNode:
    """A node as a process, while its context is open.

    Args:
        plane: The control plane.
        network: Where its pods get addresses.
        name: Its name.
        pods_max: Addresses to make.
        images: Name of an image, without tag, to the command that it runs.
        contents: Name of an image, without tag, to its own folders: path in it to path here.
        dns: Address of the cluster's DNS server; empty for none.
        labels: Further labels.
        capacity: What it has beside the defaults.
        taints: As in the API.
        backoff_s: First wait before a restart.
    """

    plane: ControlPlane
    network: Network
    name: str
    pods_max: int = 10
    images: Mapping[str, list[str]] = field(default_factory=dict)
    contents: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    dns: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    capacity: Mapping[str, str] = field(default_factory=dict)
    taints: list[dict[str, str]] = field(default_factory=list)
    backoff_s: float = 10.0
    process: subprocess.Popen[bytes] | None = None

    @property
    def folder(self) -> Path:
        """Where its volumes, layers and logs are."""
        return self.plane.folder / f"node-{self.name}"

    def __enter__(self) -> ProcessNode:
        pair = self.plane.cluster.issue(
            f"node-{self.name}", name=f"system:node:{self.name}", groups=("system:nodes",)
        )
        serving = self.plane.cluster.issue(
            f"node-{self.name}-serving", name=f"system:node:{self.name}", hosts=(self.network.gateway,)
        )
        config = self.plane.kubeconfig_for(f"node-{self.name}", pair)
        self.folder.mkdir()
        addresses = dict(self.network.add() for _ in range(self.pods_max))
        host, _, port = self.plane.url.removeprefix("https://").rpartition(":")
        settings = {
            "name": self.name,
            "kubeconfig": str(config),
            "authority": str(self.plane.cluster.certificate),
            "folder": str(self.folder),
            "address": self.network.gateway,
            "addresses": addresses,
            "images": {name: list(command) for name, command in self.images.items()},
            "contents": {name: dict(folders) for name, folders in self.contents.items()},
            "dns": self.dns,
            "labels": dict(self.labels),
            "capacity": dict(self.capacity),
            "taints": self.taints,
            "api_host": host,
            "api_port": int(port),
            "certificate": str(serving.certificate),
            "key": str(serving.key),
            "port": free_port(self.network.gateway),
            "backoff_s": self.backoff_s,
        }
        file = self.folder / "settings.json"
        file.write_text(json.dumps(settings))
        self.start()
        return self

    def start(self) -> None:
        """Start the process, at first or after ``kill``."""
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
        with (self.folder / "node.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "controlplane.node", str(self.folder / "settings.json")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                preexec_fn=die_with_parent,
            )

    def kill(self) -> None:
        """Fail the node: it and its pods end at once, and nobody is told."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


async def _main(settings: NodeSettings) -> None:
    task = asyncio.create_task(Kubelet(settings).run())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task


if __name__ == "__main__":
    asyncio.run(_main(NodeSettings(**json.loads(Path(sys.argv[1]).read_text()))))
