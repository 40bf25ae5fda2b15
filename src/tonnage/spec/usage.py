"""Which command uses which field, so that no field is accepted and then silently without effect.

A command asks ``unused_fields`` for what the user wrote and it will not look at, and says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tonnage.spec.fields import document_name
from tonnage.spec.scalars import Part
from tonnage.spec.service import ModelService

COMMANDS: Final = ("serve", "up", "load", "profile", "plan", "render", "simulate")
"""The commands that read a ModelService."""

_RUN: Final = frozenset({"serve", "up", "profile", "render"})
_SERVED: Final = _RUN - {"profile"}
_ALL: Final = frozenset(COMMANDS)
_SIZED: Final = frozenset({"plan", "render", "simulate"})

USERS: Final[dict[str, frozenset[str]]] = {
    "apiVersion": _ALL,
    "kind": _ALL,
    "metadata.name": _ALL,
    "metadata.namespace": frozenset({"render"}),
    "metadata.labels": frozenset({"render"}),
    "metadata.annotations": frozenset({"render"}),
    "spec.model": _RUN,
    "spec.model.name": _RUN | {"load"},
    "spec.model.inputs": _RUN | {"load"},
    "spec.model.warmup": _RUN | {"load"},
    "spec.image": frozenset({"render"}),
    "spec.imagePullSecrets": frozenset({"render"}),
    "spec.replicas": frozenset({"up", "render", "simulate"}),
    "spec.objective.requestsPerSecond": frozenset({"load", "plan", "simulate"}),
    "spec.objective.latency": _ALL,
    "spec.resources": _SIZED,
    "spec.batching": _RUN | {"simulate"},
    "spec.server": _RUN,
    "spec.server.port": _SERVED | {"load"},
    "spec.server.workers": _RUN | {"simulate"},
    "spec.server.lameDuck": _SERVED | {"simulate"},
    "spec.server.gracePeriod": _SERVED | {"simulate"},
    "spec.server.latencyWindow": _SERVED | {"simulate"},
    "spec.server.logFormat": _SERVED,
    "spec.server.otlpEndpoint": _SERVED,
    "spec.scaling": _SIZED,
    "spec.probes": frozenset({"up", "render", "simulate"}),
    "spec.scheduling": frozenset({"render", "simulate"}),
}
"""Field to the commands that use it; a field without an entry goes with the one that holds it."""

_ONLY_WITH_BATCHING: Final = frozenset(
    {
        "spec.batching.sizeMax",
        "spec.batching.gatherMax",
        "spec.batching.waitMax",
        "spec.batching.padding",
        "spec.model.warmup.batchSizes",
    }
)


def users_of(path: str) -> frozenset[str]:
    """The commands that use a field, or something inside it when only its parts are in the table.

    Args:
        path: The field's path; indexes of lists count for nothing.

    Raises:
        KeyError: There is no such field in the table.
    """
    where = path
    inner = [users for field, users in USERS.items() if field.startswith(f"{path}.")]
    if path not in USERS and inner and path != "spec":
        return frozenset().union(*inner)
    while where not in USERS:
        if "." not in where:
            raise KeyError(path)
        where = where.rpartition(".")[0].removesuffix("[]")
    return USERS[where]


def unused_fields(service: ModelService, command: str) -> tuple[str, ...]:
    """Lists the fields that the document gives and a command does not use.

    Args:
        service: The document.
        command: One of ``COMMANDS``.

    Returns:
        Paths in the document's order; a mapping of which nothing is used is listed as one.

    Raises:
        ValueError: There is no such command.
    """
    if command not in COMMANDS:
        raise ValueError(f"command: must be one of {', '.join(COMMANDS)}, got {command}")
    unused = [path for path in _given(service) if command not in users_of(path)]
    if not service.spec.batching.enabled:
        unused += [path for path in _given(service) if path in _ONLY_WITH_BATCHING and path not in unused]
    return tuple(dict.fromkeys(_merged(path, command) for path in unused))


def _given(part: Part, prefix: str = "") -> Iterator[str]:
    for name, info in type(part).model_fields.items():
        if name not in part.model_fields_set:
            continue
        path = f"{prefix}.{document_name(name, info)}" if prefix else document_name(name, info)
        value = getattr(part, name)
        if isinstance(value, Part) and value.model_fields_set:
            yield from _given(value, path)
        else:
            yield path


def _merged(path: str, command: str) -> str:
    """The outermost field around ``path`` of which the command uses nothing."""
    steps = path.split(".")
    for count in range(2, len(steps)):
        outer = ".".join(steps[:count])
        if any(entry == outer for entry in USERS) and not any(
            command in users for entry, users in USERS.items() if f"{entry}.".startswith(f"{outer}.")
        ):
            return outer
    return path
