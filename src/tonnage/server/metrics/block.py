"""Memory that the workers of one server share: each writes its own slot, anyone reads all.

It lives in an anonymous file that the supervisor makes and the workers inherit, so it needs no
writable disk, and what a worker had counted survives its death: its successor goes on in the same
slot, and no counter ever falls.

NB: there are no locks. A slot has one writer; a reader may see a batch counted in one histogram and
not yet in the next, which the next scrape mends.
"""

from __future__ import annotations

import mmap
import os
from enum import IntEnum
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tonnage.server.metrics.histogram import BUCKETS

WINDOW_SLOTS: Final = 15
BATCH_BOUNDS: Final = tuple(2**k for k in range(13))
"""Bounds of the batch size histogram [items]."""
CODES: Final = (
    "200",
    "400",
    "404",
    "405",
    "408",
    "413",
    "415",
    "417",
    "431",
    "499",
    "500",
    "501",
    "503",
    "505",
    "other",
)
PROTOCOLS: Final = ("http", "grpc")


class State(IntEnum):
    """Where a worker is in its life."""

    ABSENT = 0
    STARTING = 1
    LOADING = 2
    WARMING = 3
    READY = 4
    DRAINING = 5
    FAILED = 6


_SLOT = np.dtype(
    [
        ("pid", "i8"),
        ("state", "i8"),
        ("heartbeat_s", "f8"),  # monotonic clock, the same for all processes of a machine
        ("busy_since_s", "f8"),  # of the model call that runs now; 0 for none
        ("in_flight", "i8"),
        ("queue", "i8"),
        ("connections", "i8"),
        ("load_s", "f8"),
        ("warmup_s", "f8"),
        ("restarts", "i8"),
        ("door_open", "i8"),  # in the supervisor's slot: it answers on the port itself
        ("log_lines_dropped", "i8"),
        ("requests", "i8", (len(PROTOCOLS), len(CODES))),
        ("latency", "i8", BUCKETS),
        ("latency_sum_s", "f8"),
        ("wait", "i8", BUCKETS),
        ("wait_sum_s", "f8"),
        ("compute", "i8", BUCKETS),
        ("compute_sum_s", "f8"),
        ("batch", "i8", len(BATCH_BOUNDS) + 1),
        ("batch_sum", "i8"),
        ("window", "i8", (WINDOW_SLOTS, BUCKETS)),
        ("window_epoch", "i8", WINDOW_SLOTS),
    ]
)


class Block:
    """The slots of all workers.

    Attributes:
        slots: Structured array of shape [workers]; a view on the shared memory.
        fd: The anonymous file, to be inherited.
    """

    def __init__(self, fd: int, workers: int) -> None:
        self.fd = fd
        self._memory = mmap.mmap(fd, workers * _SLOT.itemsize)
        self.slots: npt.NDArray[Any] = np.frombuffer(self._memory, _SLOT, workers)

    @classmethod
    def create(cls, workers: int) -> Block:
        """Make the memory for ``workers`` slots, all zero."""
        fd = os.memfd_create("tonnage-metrics", os.MFD_CLOEXEC)
        os.ftruncate(fd, workers * _SLOT.itemsize)
        return cls(fd, workers)

    @classmethod
    def inherit(cls, fd: int) -> Block:
        """Open the memory that the supervisor made."""
        return cls(fd, os.fstat(fd).st_size // _SLOT.itemsize)
