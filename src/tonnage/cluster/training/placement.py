"""Waits until the pods of a training have nodes, and says what is missing when they do not get them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tonnage.cluster.api import Api
from tonnage.cluster.faults import ClusterFault
from tonnage.cluster.resources import Offered
from tonnage.cluster.snapshot import read_snapshot
from tonnage.cluster.training.check import help_lines, missing_for
from tonnage.cluster.training.state import JobState, LiveState
from tonnage.errors import SpecError

_ENDED = ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a training's pods are.

    Attributes:
        nodes: Pod to node of those that have one.
        waiting: Pods that have none.
        expected: How many pods there are to be.
        least: With how many of them it goes on; fewer than expected for an elastic one.
        ended: Whether the training has ended.
    """

    nodes: Mapping[str, str]
    waiting: tuple[str, ...]
    expected: int
    least: int
    ended: bool

    @property
    def complete(self) -> bool:
        """Whether every pod that is needed has a node, or none is needed any more."""
        if self.ended:
            return True
        if self.least < self.expected:
            return len(self.nodes) >= self.least
        return not self.waiting and len(self.nodes) >= self.expected


def placement_of(state: JobState, expected: int, least: int | None = None) -> Placement:
    """Where the pods are.

    Args:
        state: What the cluster holds.
        expected: How many pods there are to be.
        least: With how many of them the training goes on; None for all.
    """
    nodes, waiting = {}, []
    for pod in state.pods:
        name, node = str(pod["metadata"]["name"]), (pod.get("spec") or {}).get("nodeName")
        if node:
            nodes[name] = str(node)
        elif (pod.get("status") or {}).get("phase") not in _ENDED:
            waiting.append(name)
    needed = expected if least is None else least
    return Placement(nodes, tuple(sorted(waiting)), expected, needed, state.status.ended)


async def wait_placed(
    live: LiveState,
    expected: int,
    *,
    least: int | None = None,
    seconds_max: float,
    told: Callable[[JobState], None] = lambda _: None,
) -> Placement:
    """Wait until every pod that is needed has a node.

    Args:
        live: The training.
        expected: How many pods there are to be.
        least: With how many of them the training goes on; None for all.
        seconds_max: How long to wait.
        told: Takes each state.

    Returns:
        Where they are then; not complete when the time was over before.

    Raises:
        ClusterFault: The server is away for too long.
    """
    found = placement_of(live.now, expected, least)
    try:
        async with asyncio.timeout(seconds_max):
            async for state in live.states():
                told(state)
                found = placement_of(state, expected, least)
                if found.complete:
                    break
    except TimeoutError:
        pass
    return found


async def why_unplaced(api: Api, offered: Offered, state: JobState, *, gang: bool) -> list[str]:
    """What stands in the way of pods that have no node: in the scheduler's words, per node, and what helps.

    Args:
        api: Of the server.
        offered: What it offers.
        state: The training.
        gang: Whether its pods are placed together or not at all.
    """
    lines = list(state.status.waits)
    waiting = [one for one in state.pods if _waits(one)]
    lines += [text for text in _scheduler_words(waiting) if not any(text in line for line in lines)]
    try:
        snapshot = await read_snapshot(api, offered)
        answer = missing_for(waiting, snapshot, gang=gang)
    except (ClusterFault, SpecError) as error:
        return [*lines, f"nodes could not be looked at: {error}"]
    if "nodes" in snapshot.unread:
        lines.append("which nodes reject them is not known: nodes may not be listed")
    return [*lines, *(help_lines(answer) if answer is not None else ())]


def _waits(pod: Mapping[str, Any]) -> bool:
    phase = (pod.get("status") or {}).get("phase", "Pending")
    return phase == "Pending" and not (pod.get("spec") or {}).get("nodeName")


def _scheduler_words(pods: list[Mapping[str, Any]]) -> list[str]:
    """What the scheduler has said of each pod, each message once with the pods that it is about."""
    by_text: dict[str, list[str]] = {}
    for pod in pods:
        for one in (pod.get("status") or {}).get("conditions") or ():
            if one.get("type") == "PodScheduled" and one.get("status") == "False" and one.get("message"):
                text = " ".join(str(one["message"]).split())
                by_text.setdefault(text, []).append(str(pod["metadata"]["name"]))
    return [
        f"{names[0]}: {text}" if len(names) == 1 else f"{names[0]} and {len(names) - 1} more: {text}"
        for text, names in by_text.items()
    ]
