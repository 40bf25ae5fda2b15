"""The one place of this room that reads files: what was named, and what a Simulation document names in turn.

``load_texts`` gives plain texts, and everything after it is pure: the same texts make the same scenario.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tonnage.errors import Problem, SpecError
from tonnage.kube.objects import OBJECTS_BYTES_MAX, KubeObject, read_objects
from tonnage.spec.simulation import SIMULATION_KIND

TRACE_BYTES_MAX: Final = 1024 * 1024 * 1024
STDIN: Final = "<stdin>"


@dataclass(frozen=True, slots=True)
class TextFile:
    """A file that was read.

    Attributes:
        name: Its name for messages.
        text: What it holds.
    """

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class InputTexts:
    """Everything that a scenario is made of, as texts.

    Attributes:
        inputs: Files of documents: ours and Kubernetes'.
        profile: A ModelProfile; None for none.
        traces: Traces by the name that a Simulation gives them.
    """

    inputs: tuple[TextFile, ...]
    profile: TextFile | None = None
    traces: Mapping[str, TextFile] = field(default_factory=dict)


def load_texts(
    files: Sequence[str | Path], *, nodes: Sequence[str | Path] = (), profile: str | Path | None = None
) -> InputTexts:
    """Reads files, and those that a Simulation among them names.

    Args:
        files: Files of documents; ``-`` is standard input.
        nodes: Further files, of Nodes or NodePools.
        profile: A ModelProfile; it goes before the one that a Simulation names.

    Raises:
        SpecError: A file cannot be read; it holds every such file.
    """
    reader = _Reader()
    inputs = [reader.read(path) for path in dict.fromkeys(str(path) for path in (*files, *nodes))]
    profile_file = reader.read(str(profile)) if profile is not None else None
    traces: dict[str, TextFile] = {}
    for file in list(inputs):
        base = Path() if file.name == STDIN else Path(file.name).parent
        for item in _simulations(file):
            known = {one.name for one in inputs}
            named = (str(base / name) for name in _texts(item.at("spec", "inputs")))
            inputs += [reader.read(name, item) for name in dict.fromkeys(named) if name not in known]
            wanted = item.at("spec", "profile")
            if profile_file is None and isinstance(wanted, str):
                profile_file = reader.read(str(base / wanted), item)
            for name in _trace_names(item.at("spec", "traffic")):
                traces[name] = reader.read(str(base / name), item, bytes_max=TRACE_BYTES_MAX)
    if reader.problems:
        raise SpecError(reader.problems)
    return InputTexts(tuple(inputs), profile_file, traces)


class _Reader:
    """Reads files and collects which could not be."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def read(
        self, name: str, item: KubeObject | None = None, *, bytes_max: int = OBJECTS_BYTES_MAX
    ) -> TextFile:
        """The file's text; empty when it cannot be read, which is noted.

        Args:
            name: Its path; ``-`` is standard input.
            item: The Simulation that names it; None for the command line.
            bytes_max: Its size at most.
        """
        shown = STDIN if name == "-" else name
        told = f" (named by {item.source})" if item is not None else ""
        try:
            if name == "-":
                data = sys.stdin.buffer.read(bytes_max + 1)
            else:
                with Path(name).open("rb") as file:
                    data = file.read(bytes_max + 1)
        except OSError as error:
            message = f"must be a readable file{told}, got {error.strerror or error}"
            self.problems.append(Problem("", message, shown))
            return TextFile(shown, "")
        if len(data) > bytes_max:
            self.problems.append(Problem("", f"must be at most {bytes_max} bytes, got more", shown))
            return TextFile(shown, "")
        try:
            return TextFile(shown, data.decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            message = f"must be UTF-8 text, got byte 0x{data[error.start]:02x}"
            self.problems.append(Problem("", message, shown, line))
            return TextFile(shown, "")


def _simulations(file: TextFile) -> list[KubeObject]:
    """Simulations in a text; what is wrong with it is said when it is read for good."""
    if SIMULATION_KIND not in file.text:
        return []
    try:
        items, _ = read_objects(file.text, source=file.name)
    except SpecError:
        return []
    return [item for item in items if item.is_ours and item.kind == SIMULATION_KIND]


def _texts(value: Any) -> Iterable[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _trace_names(traffic: Any) -> Iterable[str]:
    if not isinstance(traffic, dict):
        return
    if isinstance(traffic.get("file"), str):
        yield traffic["file"]
    for part in traffic["parts"] if isinstance(traffic.get("parts"), list) else ():
        yield from _trace_names(part)
