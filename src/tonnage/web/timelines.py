"""Lives of pods and nodes as rows of bars."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from tonnage.twin.lives import Life, Phase, node_lives, pod_lives
from tonnage.twin.records import NodeRecord
from tonnage.twin.result import Result
from tonnage.twin.wording import counted

ROWS_MAX: Final = 400
"""Rows of one timeline; beyond that the ones in trouble are kept first."""
_LABEL_MAX: Final = 11

_POD_COLOURS: Final[Mapping[Phase, str]] = {
    "pending": "p-pending",
    "starting": "p-starting",
    "loading": "p-loading",
    "warming": "p-warming",
    "ready": "p-ready",
    "not ready": "p-unready",
    "restarting": "p-backoff",
    "lost": "p-down",
    "terminating": "p-terminating",
}
_NODE_COLOURS: Final[Mapping[Phase, str]] = {
    "provisioning": "p-provisioning",
    "up": "p-up",
    "cordoned": "p-cordoned",
    "down": "p-down",
}


def pod_timeline(result: Result) -> dict[str, Any]:
    """Rows of all pods, from creation to their end."""
    lives = pod_lives(result.records, duration_s=result.scenario.duration_s)
    return _timeline("pod-lives", "Pods", lives, _POD_COLOURS)


def node_timeline(result: Result) -> dict[str, Any]:
    """Rows of all nodes: those that are there at the start, and those that joined."""
    scenario = result.scenario
    told = {one.node for one in result.records if isinstance(one, NodeRecord) and one.what == "joined"}
    nodes = [plan.node.name for plan in scenario.cluster.nodes]
    nodes += [f"{pool.name}-{i + 1}" for pool in scenario.cluster.pools for i in range(pool.start)]
    lives = node_lives(
        result.records,
        nodes=[name for name in nodes if name not in told],
        duration_s=scenario.duration_s,
    )
    return _timeline("node-lives", "Nodes", lives, _NODE_COLOURS)


def _timeline(
    identity: str, title: str, lives: Sequence[Life], colours: Mapping[Phase, str]
) -> dict[str, Any]:
    kept = _kept(lives)
    present = [phase for phase in colours if any(phase == s.phase for life in kept for s in life.stretches)]
    where = {phase: index for index, phase in enumerate(present)}
    names = [life.name for life in kept]
    prefix = _common_prefix(names)
    noun = title.lower().removesuffix("s")
    unit = counted(len(lives), noun) + (f", names without {prefix!r}" if prefix else "")
    note = f"{counted(len(lives) - len(kept), f'more {noun}')} in the JSON." if len(kept) < len(lives) else ""
    return {
        "id": identity,
        "title": title,
        "unit": unit,
        "summary": "",
        "note": note,
        "rows": [f"{life.name} on {life.node}" if life.node else life.name for life in kept],
        "labels": [_shortened(name.removeprefix(prefix)) for name in names],
        "phases": [{"name": phase, "colour": colours[phase]} for phase in present],
        "parts": [
            {
                "row": row,
                "phase": where[stretch.phase],
                "from_s": round(stretch.from_s, 3),
                "to_s": round(stretch.to_s, 3),
                "detail": stretch.detail,
            }
            for row, life in enumerate(kept)
            for stretch in life.stretches
            if stretch.phase in where
        ],
        "points": [
            {
                "row": row,
                "at_s": round(trouble.at_s, 3),
                "text": trouble.what.replace("_", " ") + (f": {trouble.detail}" if trouble.detail else ""),
            }
            for row, life in enumerate(kept)
            for trouble in life.troubles
        ],
    }


def _kept(lives: Sequence[Life]) -> list[Life]:
    """All lives, or of too many those in trouble and then the first ones, in their order."""
    if len(lives) <= ROWS_MAX:
        return list(lives)
    order = sorted(range(len(lives)), key=lambda i: (not lives[i].troubles, i))
    return [lives[i] for i in sorted(order[:ROWS_MAX])]


def _common_prefix(names: Iterable[str]) -> str:
    """What all names begin with, up to a dash."""
    every = list(names)
    if len(every) < 2:
        return ""
    first, last = min(every), max(every)
    size = next((i for i, letter in enumerate(first) if i >= len(last) or last[i] != letter), len(first))
    return first[: first.rfind("-", 0, size) + 1]


def _shortened(name: str) -> str:
    return name if len(name) <= _LABEL_MAX else f"{name[: _LABEL_MAX - 1]}…"
