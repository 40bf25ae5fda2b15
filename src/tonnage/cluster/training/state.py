"""What a cluster holds of one training: its objects, pods and events; read once, or kept up to date."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Container, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final

from tonnage.cluster.api import Api
from tonnage.cluster.events import Said, about, read_events
from tonnage.cluster.faults import ClusterFault, Forbidden, KindMissing, Missing
from tonnage.cluster.resources import PODS, Offered, Resource
from tonnage.cluster.watch import Followed, Mirror
from tonnage.training import TrainingStatus, status_of
from tonnage.training.names import JOB_LABEL
from tonnage.training.status import MAIN_KINDS, main_object

MAINS: Final = (
    ("batch", "jobs"),
    ("kubeflow.org", "pytorchjobs"),
    ("kubeflow.org", "tfjobs"),
    ("trainer.kubeflow.org", "trainjobs"),
    ("jobset.x-k8s.io", "jobsets"),
)
"""Group and plural of what may run a training."""
_BESIDE: Final = (
    ("scheduling.k8s.io", "podgroups"),
    ("scheduling.volcano.sh", "podgroups"),
    ("scheduling.x-k8s.io", "podgroups"),
    ("kueue.x-k8s.io", "workloads"),
)
"""... of what says why it waits ..."""
_OWNED: Final = (
    ("", "services"),
    ("resource.k8s.io", "resourceclaimtemplates"),
    ("trainer.kubeflow.org", "trainingruntimes"),
)
"""... and of what it only needs."""
_EVENTS_S: Final = 5.0
_KUEUE: Final = "kueue.x-k8s.io"


def main_resources(offered: Offered) -> list[Resource]:
    """The kinds that may run a training and that the server has."""
    return _chosen(offered, MAINS)


def selector(name: str) -> str:
    """Label selector of all that belongs to a training."""
    return f"{JOB_LABEL}={name}"


@dataclass(frozen=True, slots=True)
class JobState:
    """What a cluster holds of one training.

    Attributes:
        name: Its name.
        namespace: Where.
        objects: Its objects, pods left out.
        pods: Its pods, old ones included.
        events: Events of the namespace.
    """

    name: str
    namespace: str
    objects: Sequence[Mapping[str, Any]] = ()
    pods: Sequence[Mapping[str, Any]] = ()
    events: Sequence[Mapping[str, Any]] = ()

    @property
    def status(self) -> TrainingStatus:
        """What all of that says."""
        return status_of(self.name, self.objects, self.pods, self._about())

    @property
    def main(self) -> Mapping[str, Any] | None:
        """The object that runs it; None where there is none (any more)."""
        return main_object([one for one in self.objects if _is_main(one)])

    @property
    def said(self) -> list[Said]:
        """What was said about it, oldest first."""
        return about(self.events, self._known_uids(), frozenset())

    def _known_uids(self) -> frozenset[str]:
        return frozenset(str(one["metadata"].get("uid")) for one in (*self.objects, *self.pods))

    def _about(self) -> list[Mapping[str, Any]]:
        uids = self._known_uids()
        return [one for one in self.events if str((one.get("involvedObject") or {}).get("uid")) in uids]


async def read_state(
    api: Api, offered: Offered, name: str, *, namespace: str, whole: bool = False
) -> JobState:
    """Read what a cluster holds of a training.

    Args:
        api: Of the server.
        offered: What it offers.
        name: The training.
        namespace: Where.
        whole: Whether to read also what tells nothing of it, and what is left of one whose main object
            is gone.

    Raises:
        Missing: There is none of the name.
        ClusterFault: The server did not say.
    """
    resources = [*main_resources(offered), *_chosen(offered, _BESIDE)]
    resources += _chosen(offered, _OWNED) if whole else []
    listed = await asyncio.gather(*(_list(api, one, name, namespace) for one in resources))
    pods = await api.list(PODS, namespace=namespace, labels=selector(name))
    mains = listed[: len(main_resources(offered))]
    denied = [fault for fault in mains if isinstance(fault, ClusterFault)]
    objects = [one for found in listed if not isinstance(found, ClusterFault) for one in found]
    objects = _belonging(objects)
    if not any(_is_main(one) for one in objects) and not (whole and (objects or pods.items)):
        if denied:
            raise denied[0]
        raise Missing(
            f"training job {name}: must be in namespace {namespace}; tonnage train list shows what there is"
        )
    events: Sequence[Mapping[str, Any]] = ()
    try:
        events = await read_events(api, namespace=namespace)
    except Forbidden:
        pass  # they explain, and are not needed
    return JobState(name, namespace, objects, pods.items, events)


class LiveState:
    """The same, kept up to date while its context is open.

    Args:
        api: Of the server.
        offered: What it offers.
        name: The training.
        namespace: Where.
        needed: Kinds without which nothing can be said; others are left out where they may not be read.

    Attributes:
        followed: Gives news.
    """

    def __init__(
        self, api: Api, offered: Offered, name: str, *, namespace: str, needed: Container[Resource] = ()
    ) -> None:
        self._api = api
        self._resources = [*main_resources(offered), *_chosen(offered, _BESIDE)]
        self._needed = needed
        self._name = name
        self._namespace = namespace
        self._stack = AsyncExitStack()
        self._events: tuple[dict[str, Any], ...] = ()
        self._asked: asyncio.Task[None] | None = None
        self._pods: Mirror | None = None
        self.followed = Followed()

    async def __aenter__(self) -> LiveState:
        try:
            self._pods = await self._follow(PODS, optional=False)
            for one in self._resources:
                try:
                    await self._follow(one, optional=one not in self._needed)
                except (Forbidden, KindMissing):
                    if one in self._needed:
                        raise
            self._asked = asyncio.create_task(self._ask_events())
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._asked is not None:
            self._asked.cancel()
            await asyncio.gather(self._asked, return_exceptions=True)
        await self._stack.aclose()

    @property
    def now(self) -> JobState:
        """As it is."""
        pods = list(self._pods.objects.values()) if self._pods is not None else []
        mirrors = [one for one in self.followed.mirrors if one is not self._pods]
        others = [value for mirror in mirrors for value in mirror.objects.values()]
        return JobState(self._name, self._namespace, _belonging(others), pods, self._events)

    def pod(self, name: str) -> Mapping[str, Any] | None:
        """A pod as it is; None when it is gone."""
        return self._pods.objects.get((self._namespace, name)) if self._pods is not None else None

    async def states(self, *, every_s: float | None = None) -> AsyncIterator[JobState]:
        """The state at once, and after each change.

        Args:
            every_s: Longest time between two [s]; None for any.

        Raises:
            ClusterFault: It cannot be followed any longer.
        """
        async for _ in self.followed.news(every_s=every_s):
            yield self.now

    async def _follow(self, resource: Resource, *, optional: bool) -> Mirror:
        mirror = Mirror(
            self._api,
            resource,
            namespace=self._namespace,
            labels="" if resource.group == _KUEUE else selector(self._name),
            changed=self.followed.changed,
            optional=optional,
        )
        await self._stack.enter_async_context(mirror)
        self.followed.mirrors.append(mirror)
        return mirror

    async def _ask_events(self) -> None:
        """Events are read now and then while something waits; they explain, and are not followed."""
        while True:
            if not self._events or any(_waits(one) for one in self.now.pods):
                try:
                    found = await read_events(self._api, namespace=self._namespace)
                except ClusterFault:
                    found = self._events
                if len(found) != len(self._events):
                    self.followed.changed()
                self._events = found
            await asyncio.sleep(_EVENTS_S)


def is_controlled(value: Mapping[str, Any]) -> bool:
    """Whether another object made this one."""
    return any(one.get("controller") for one in value["metadata"].get("ownerReferences") or ())


def _chosen(offered: Offered, wanted: Iterable[tuple[str, str]]) -> list[Resource]:
    """Of each kind the version that the server puts first."""
    found = []
    for group, plural in wanted:
        one = next((r for r in offered.resources if (r.group, r.plural) == (group, plural)), None)
        if one is not None:
            found.append(one)
    return found


async def _list(
    api: Api, resource: Resource, name: str, namespace: str
) -> tuple[dict[str, Any], ...] | ClusterFault:
    labels = "" if resource.group == _KUEUE else selector(name)
    try:
        return (await api.list(resource, namespace=namespace, labels=labels)).items
    except (Forbidden, KindMissing) as fault:
        return fault


def _belonging(objects: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without Kueue's workloads of others, which have no label of ours."""
    found = list(objects)
    uids = {str(one["metadata"].get("uid")) for one in found if not _is_kueue(one)}
    return [
        one
        for one in found
        if not _is_kueue(one)
        or any(str(owner.get("uid")) in uids for owner in one["metadata"].get("ownerReferences") or ())
    ]


def _is_kueue(value: Mapping[str, Any]) -> bool:
    return str(value.get("apiVersion", "")).startswith(f"{_KUEUE}/")


def _is_main(value: Mapping[str, Any]) -> bool:
    group = str(value.get("apiVersion", "")).rpartition("/")[0]
    return value.get("kind") in MAIN_KINDS and any(group == one for one, _ in MAINS)


def _waits(pod: Mapping[str, Any]) -> bool:
    return bool((pod.get("status") or {}).get("phase", "Pending") == "Pending")
