"""``--traffic``: a trace file, or a process in a few words such as ``poisson:10k`` or ``flash:100,500,2m``.

A process has the same kinds and fields as ``spec.traffic`` of a Simulation, and is read by the same code; the
first fields may stand without their names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from tonnage.errors import Problem, SpecError
from tonnage.kube.objects import read_objects
from tonnage.spec.documents import read_part
from tonnage.spec.fields import nearest
from tonnage.spec.simulation import Simulation
from tonnage.spec.traffic import Traffic
from tonnage.traffic import ArrivalProcess
from tonnage.twin.inputs.texts import TRACE_BYTES_MAX, TextFile
from tonnage.twin.inputs.traffic import arrival_process

_NAMELESS: Final[Mapping[str, tuple[str, ...]]] = {
    "constant": ("rate",),
    "poisson": ("rate",),
    "diurnal": ("mean", "peak"),
    "flash": ("base", "peak", "at", "hold"),
    "trace": ("file", "peak"),
}
"""Kinds that can be written in a few words, and which fields may stand without their names."""
_LONG: Final = frozenset({"bursty", "steps", "sum"})
_FORM: Final = "poisson:10k, flash:100,500,at=2m,hold=1m or diurnal:mean=1k,peak=3k"


def read_traffic(text: str, *, duration_s: float | None = None) -> ArrivalProcess:
    """Read the option.

    Args:
        text: A file's name, or ``KIND:VALUE,...,NAME=VALUE``.
        duration_s: Length of a process that does not name its own [s].

    Raises:
        SpecError: It is neither a file nor a process, or the trace or a field is wrong.
    """
    kind, colon, _ = text.partition(":")
    if not colon or kind not in {*_NAMELESS, *_LONG}:
        if Path(text).is_file():
            return _process(_described({"type": "trace", "file": text}), duration_s)
        near = nearest(kind, [*_NAMELESS, *_LONG])
        hint = f'did you mean "{near}:..."?' if near else f"a process is like {_FORM}"
        raise SpecError([Problem("--traffic", f"must be a trace file or a process, got {text!r}", hint=hint)])
    return _process(_described(_fields(text)), duration_s)


def _fields(text: str) -> dict[str, str]:
    kind, _, rest = text.partition(":")
    if kind in _LONG:
        message = f"must be of a kind without lists, got {kind!r}"
        hint = "write it as spec.traffic of a Simulation document"
        raise SpecError([Problem("--traffic", message, hint=hint)])
    fields = {"type": kind}
    nameless = list(_NAMELESS[kind])
    for part in filter(None, re.split(r"[,\s]+", rest)):
        name, equals, value = part.partition("=")
        if not equals:
            if not nameless:
                raise SpecError([Problem("--traffic", f"must name its value: NAME={part}, got {part!r}")])
            name, value = nameless.pop(0), part
        elif name in nameless:
            nameless.remove(name)
        if name in fields:
            raise SpecError([Problem("--traffic", f"must give {name} once, got {part!r} too")])
        fields[name] = value
    return fields


def _described(fields: Mapping[str, Any]) -> Traffic:
    """Have the fields checked as those of a document, and call the problems by the option's name."""
    document = {
        "apiVersion": "tonnage.dev/v1alpha1",
        "kind": "Simulation",
        "metadata": {"name": "command-line"},
        "spec": {"traffic": fields},
    }
    items, problems = read_objects(orjson.dumps(document).decode(), source="--traffic")
    simulation, more = read_part(items[0], Simulation)
    if simulation is None or simulation.spec.traffic is None:
        raise SpecError([_renamed(problem) for problem in (*problems, *more)])
    return simulation.spec.traffic


def _renamed(problem: Problem) -> Problem:
    path = re.sub(r"^spec\.traffic\.?", "", problem.path)
    return Problem(f"--traffic {path}".strip(), problem.message, hint=problem.hint)


def _process(traffic: Traffic, duration_s: float | None) -> ArrivalProcess:
    traces = {}
    if traffic.type == "trace":
        file = Path(traffic.file)
        try:
            size = file.stat().st_size
            if size > TRACE_BYTES_MAX:
                message = f"must be at most {TRACE_BYTES_MAX} bytes, got {size}"
                raise SpecError([Problem("", message, traffic.file)])
            traces[traffic.file] = TextFile(traffic.file, file.read_text(encoding="utf-8-sig"))
        except (OSError, UnicodeDecodeError) as error:
            raise SpecError([Problem("", f"must be readable text, got {error}", traffic.file)]) from error
    return arrival_process(traffic, traces, duration_s)
