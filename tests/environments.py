"""Environments with packages that the project's own is spared: each made once, in the user's cache folder."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

T = TypeVar("T")


class Unavailable(Exception):
    """An environment cannot be made here; says why."""


def cache() -> Path:
    """The folder of all of them."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tonnage"


def kept(home: Path, make: Callable[[], None]) -> None:
    """Make an environment unless it is there and whole; two test runs at a time make one.

    Args:
        home: Its folder; what is left there of an earlier, broken attempt goes first.
        make: Makes it.
    """
    home.parent.mkdir(parents=True, exist_ok=True)
    with home.with_name(f"{home.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "complete").exists():
            shutil.rmtree(home, ignore_errors=True)
            make()
            (home / "complete").touch()


def interpreter(home: Path) -> Path:
    """Make an empty virtual environment; returns its interpreter."""
    venv.create(home, with_pip=_uv() is None, symlinks=True)
    return home / "bin" / "python"


def install(requirements: Path, seconds_max: float, *, python: Path | None = None, target: Path | None = None) -> None:
    """Install what a list names, with hashes, and nothing else: for an interpreter, or into a plain folder.

    Raises:
        Unavailable: It could not be, or took too long.
    """
    uv = _uv()
    where = ["--python", str(python)] if uv and python else []
    command = [uv, "pip", "install", *where] if uv else [str(python or sys.executable), "-m", "pip", "install"]
    # --no-deps: the lists are whole, but for what is left out on purpose
    command += ["--quiet", "--no-deps", "--require-hashes", "-r", str(requirements)]
    command += ["--target", str(target)] if target else []
    name = f"{requirements.parent.name}/{requirements.name}"
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=seconds_max)
    except subprocess.CalledProcessError as error:
        raise Unavailable(f"{name} cannot be installed here: {error.stderr[-1000:]}") from None
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{name} was not installed within {seconds_max:g} s") from None


def or_skip(make: Callable[[], T]) -> T:
    """What is made; where its environment cannot be, the test is skipped with the reason."""
    try:
        return make()
    except Unavailable as error:
        pytest.skip(str(error))


def _uv() -> str | None:
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.exists() else shutil.which("uv")
