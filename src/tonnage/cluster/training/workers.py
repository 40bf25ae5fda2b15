"""Which worker of a training a pod is, by the name that people and commands use. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tonnage.training.observed import index_of, is_live, role_of


@dataclass(frozen=True, slots=True, order=True)
class Worker:
    """One worker.

    Attributes:
        role: worker, chief or parameter-server.
        index: Its number within the role, from 0.
    """

    role: str
    index: int

    @property
    def title(self) -> str:
        """Its name for people, such as ``worker-0``."""
        return f"{self.role}-{self.index}"


def worker_of(pod: Mapping[str, Any]) -> Worker:
    """The worker that a pod is, or was."""
    return Worker(role_of(pod), index_of(pod))


def by_worker(pods: Iterable[Mapping[str, Any]]) -> dict[Worker, list[Mapping[str, Any]]]:
    """The pods of each worker, its present one last."""
    found: dict[Worker, list[Mapping[str, Any]]] = {}
    for pod in pods:
        found.setdefault(worker_of(pod), []).append(pod)
    for mine in found.values():
        mine.sort(key=lambda one: (is_live(one), str(one["metadata"].get("creationTimestamp") or "")))
    return dict(sorted(found.items()))
