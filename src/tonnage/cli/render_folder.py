"""Writes what ``tonnage render -o`` made: whole or not at all, and over nothing that somebody else wrote.

All files are written and synced in a folder beside the target before the first of them takes its place. A
record in the folder (``.tonnage-render.json``) holds the name and digest of each file, so that the next call
knows which are ours, which were edited since, and which are no longer made.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Final

from tonnage.errors import EnvironmentFault, Problem, SpecError

RECORD: Final = ".tonnage-render.json"
_RECORD_BYTES_MAX: Final = 4 * 1024 * 1024


def write_folder(folder: Path, files: Mapping[str, str], *, force: bool) -> None:
    """Write files into a folder, which may hold an earlier form of them and nothing else.

    Args:
        folder: Where; it is made when it is not there.
        files: Name, with ``/`` for folders, to text.
        force: Whether files of others, and files of ours that were edited, may be written over.

    Raises:
        SpecError: The folder holds files that are not ours, or were edited; they are named.
        EnvironmentFault: It cannot be written.
    """
    try:
        earlier = _record(folder)
        if not force:
            _refuse_foreign(folder, files, earlier)
        _write(folder, files, earlier)
    except OSError as error:
        where = error.filename or folder
        raise EnvironmentFault(f"{where}: must be writable, got {error.strerror or error}") from error


def _record(folder: Path) -> dict[str, str]:
    """Name to digest of what was written before; empty for nothing."""
    path = folder / RECORD
    if not path.is_file():
        return {}
    with path.open("rb") as file:
        data = file.read(_RECORD_BYTES_MAX)
    try:
        files = json.loads(data)["files"]
        # a name that leaves the folder is not one that we wrote
        inside = {name for name in files if _is_inside(name)}
        return {name: str(files[name]) for name in inside}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise SpecError([Problem("", "must be a record of tonnage render", str(path))]) from None


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts


def _refuse_foreign(folder: Path, files: Mapping[str, str], earlier: Mapping[str, str]) -> None:
    if folder.exists() and not folder.is_dir():
        raise SpecError([Problem("--output", "must be a folder, got a file", str(folder))])
    problems = []
    hint = "--force writes over it"
    for name, digest in sorted(earlier.items()):
        path = folder / name
        if path.is_file() and _digest(path.read_bytes()) != digest:
            problems.append(Problem("", "was changed since it was written", str(path), hint=hint))
    for name in files:
        path = folder / name
        if name not in earlier and path.exists():
            message = "is there and was not written by tonnage render"
            problems.append(Problem("", message, str(path), hint=hint))
    others = [] if earlier or not folder.is_dir() else sorted(one.name for one in folder.iterdir())
    if others and not problems:
        message = f"must be empty or of tonnage render, got {', '.join(others[:3])}"
        problems.append(Problem("--output", message, str(folder), hint="--force writes beside them"))
    if problems:
        raise SpecError(problems)


def _write(folder: Path, files: Mapping[str, str], earlier: Mapping[str, str]) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    record = {name: _digest(text.encode()) for name, text in files.items()}
    texts = {**files, RECORD: json.dumps({"files": record}, indent=2, sort_keys=True) + "\n"}
    made = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        for name, text in texts.items():
            _write_synced(made / name, text)
        made.chmod(0o755)
        if not folder.exists():
            made.rename(folder)
            return
        for name in texts:  # the record is the last, so that an interrupted call can be made again
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            (made / name).replace(target)
        for name in earlier.keys() - files.keys():
            (folder / name).unlink(missing_ok=True)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _write_synced(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
