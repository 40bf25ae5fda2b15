"""A wake-up call finer than a millisecond.

uvloop counts its timers in whole milliseconds, which would add up to one to every request's
latency. Linux has timers that are files and take nanoseconds; Python 3.13 wraps them, older ones
reach them through ctypes. Elsewhere the loop's own timer is used, and the lag it causes is visible
in the result like any other lag of the generator.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys
from collections.abc import Callable
from typing import Protocol

_CLOCK_MONOTONIC = 1
_HAS_TIMERFD = sys.platform.startswith("linux")
_TFD_NONBLOCK = 0o4000
_TFD_CLOEXEC = 0o2000000


class WakeUp(Protocol):
    """Calls back once for each time it is armed."""

    def arm(self, delay_s: float) -> None:
        """Call back after ``delay_s`` seconds; replaces a call that is still to come."""

    def close(self) -> None:
        """Never call back again."""


class _TimerSpec(ctypes.Structure):
    """``struct itimerspec``: the interval, then the first expiry."""

    _fields_ = (
        ("interval_s", ctypes.c_long),
        ("interval_ns", ctypes.c_long),
        ("value_s", ctypes.c_long),
        ("value_ns", ctypes.c_long),
    )


class TimerFd:
    """A Linux timerfd in an event loop."""

    __slots__ = ("_fd", "_loop", "_pointer", "_set", "_spec")

    def __init__(self, loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
        # PyDLL keeps the interpreter lock: the calls are too short to be worth giving it away.
        libc = ctypes.PyDLL(None, use_errno=True)
        fd = libc.timerfd_create(_CLOCK_MONOTONIC, _TFD_NONBLOCK | _TFD_CLOEXEC)
        if fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._fd: int = fd
        self._loop = loop
        self._set = libc.timerfd_settime
        self._spec = _TimerSpec()
        self._pointer = ctypes.byref(self._spec)
        loop.add_reader(fd, callback)

    def arm(self, delay_s: float) -> None:
        """Call back after ``delay_s`` seconds."""
        spec = self._spec
        delay_ns = max(1, int(delay_s * 1e9))  # zero would disarm
        spec.value_s, spec.value_ns = divmod(delay_ns, 1_000_000_000)
        # Arming also forgets expiries not read yet, so no read is needed.
        self._set(self._fd, 0, self._pointer, None)

    def close(self) -> None:
        """Give the file descriptor back."""
        self._loop.remove_reader(self._fd)
        os.close(self._fd)


class LoopTimer:
    """The event loop's own timer, for systems without timerfd."""

    __slots__ = ("_callback", "_handle", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
        self._loop = loop
        self._callback = callback
        self._handle: asyncio.TimerHandle | None = None

    def arm(self, delay_s: float) -> None:
        """Call back after ``delay_s`` seconds."""
        self.close()
        self._handle = self._loop.call_later(delay_s, self._callback)

    def close(self) -> None:
        """Cancel the call to come."""
        if self._handle is not None:
            self._handle.cancel()


def wake_up(loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> WakeUp:
    """Make the finest timer that this system has."""
    return TimerFd(loop, callback) if _HAS_TIMERFD else LoopTimer(loop, callback)
