"""Compiling the kernel with numba, and keeping the machine code between processes.

Only *entries*, the functions that Python calls, are kept on disk; what they call is compiled into them.
Numba looks at the file of the entry alone to see whether its machine code is stale, so the entries are
made by a factory that closes over a stamp of every file of the kernel: a change in any of them is seen.

The code is kept beside the sources, or where ``NUMBA_CACHE_DIR`` says, or in the user's cache; where
none of these can be written it is compiled anew in each process, which takes some seconds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])

_njit: Any = numba.njit
_OPTIONS: Final = {"error_model": "numpy", "_nrt": False}
"""No check of divisors; and no counting of references: the kernel makes no array and keeps none, and the
counting would cost ten times what the kernel does."""


def inner(function: F) -> F:
    """A function that only compiled functions and tests call."""
    return cast("F", _njit(**_OPTIONS)(function))


def merged(function: F) -> F:
    """An inner function that is always compiled into its caller: its many arrays are costly to pass on."""
    return cast("F", _njit(forceinline=True, **_OPTIONS)(function))


def entry(function: F) -> F:
    """A function that Python calls: its machine code is kept on disk where that is possible."""
    try:
        return cast("F", _njit(cache=True, **_OPTIONS)(function))
    except RuntimeError:  # numba found no folder that can be written
        return cast("F", _njit(**_OPTIONS)(function))


def sources_stamp(room: Path = Path(__file__).parent) -> int:
    """A number [0 to 2**62 - 1] that changes with any file of this room, or of those it takes numbers from.

    Args:
        room: This folder, or a copy of it at the same place among its neighbours.
    """
    digest = hashlib.blake2b(digest_size=8)
    package = room.parents[1]
    for folder in (room, package / "batching", package / "contract"):
        for file in sorted(folder.glob("*.py")):
            digest.update(file.name.encode())
            digest.update(file.read_bytes())
    return int.from_bytes(digest.digest(), "big") >> 2
