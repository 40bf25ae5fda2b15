"""Where the hot path leaves its measurements, and the fold that moves them into the shared block.

Recording is an append; every fraction of a second the lists are turned into arrays and counted in
one go, which costs a few nanoseconds a value instead of a bucket search in Python.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tonnage.server.metrics import histogram
from tonnage.server.metrics.block import BATCH_BOUNDS, CODES, PROTOCOLS, WINDOW_SLOTS

FOLD_PERIOD_S = 0.2

_CODE_INDEX = {int(code): i for i, code in enumerate(CODES) if code.isdigit()}
_BATCH_BOUNDS = np.array(BATCH_BOUNDS)


class Recorder:
    """One worker's measurements.

    Args:
        slot: The worker's slot of the shared block, as a one-element structured array.
        window_s: Length of the sliding window [s].

    Attributes:
        latencies_s: Append the time from arrival to answer of each answered request.
        waits_s: Append the time from arrival to the start of its batch.
        batches: Append (items, seconds in the model) of each batch.
        ok: Add one for each answered inference, by protocol.
    """

    __slots__ = ("_slot", "_window_slot_s", "batches", "codes", "latencies_s", "ok", "waits_s")

    def __init__(self, slot: Any, window_s: float) -> None:
        self._slot = slot
        self._window_slot_s = window_s / WINDOW_SLOTS
        self.latencies_s: list[float] = []
        self.waits_s: list[float] = []
        self.batches: list[tuple[int, float]] = []
        self.ok = [0] * len(PROTOCOLS)
        self.codes: tuple[dict[int, int], ...] = tuple({} for _ in PROTOCOLS)

    def count(self, protocol: int, status: int) -> None:
        """Count one answer that is not a 200.

        Args:
            protocol: Index in ``PROTOCOLS``.
            status: HTTP status, or the one that stands for the gRPC status.
        """
        codes = self.codes[protocol]
        codes[status] = codes.get(status, 0) + 1

    def fold(self, now_s: float) -> None:
        """Move everything recorded so far into the shared block."""
        slot = self._slot
        window = self._window(now_s)
        if self.latencies_s:
            latencies = np.array(self.latencies_s)
            self.latencies_s.clear()
            counts = np.bincount(histogram.indices(latencies), minlength=histogram.BUCKETS)
            slot["latency"] += counts
            slot["latency_sum_s"] += latencies.sum()
            window += counts
        if self.waits_s:
            waits = np.array(self.waits_s)
            self.waits_s.clear()
            histogram.add(slot["wait"], waits)
            slot["wait_sum_s"] += waits.sum()
        if self.batches:
            batches = np.array(self.batches)
            self.batches.clear()
            histogram.add(slot["compute"], batches[:, 1])
            slot["compute_sum_s"] += batches[:, 1].sum()
            bounds = np.searchsorted(_BATCH_BOUNDS, batches[:, 0])
            slot["batch"] += np.bincount(bounds, minlength=len(BATCH_BOUNDS) + 1)
            slot["batch_sum"] += int(batches[:, 0].sum())
        for protocol, codes in enumerate(self.codes):
            slot["requests"][protocol, _CODE_INDEX[200]] += self.ok[protocol]
            self.ok[protocol] = 0
            for status, count in codes.items():
                slot["requests"][protocol, _CODE_INDEX.get(status, -1)] += count
            codes.clear()

    def _window(self, now_s: float) -> Any:
        """The part of the sliding window that is filled now; emptied when it is from a round ago."""
        epoch = int(now_s / self._window_slot_s) + 1
        index = epoch % WINDOW_SLOTS
        slot = self._slot
        if slot["window_epoch"][index] != epoch:
            slot["window"][index] = 0
            slot["window_epoch"][index] = epoch
        return slot["window"][index]


def window_counts(slots: Any, now_s: float, window_s: float) -> histogram.Counts:
    """Latencies of all workers within the sliding window, as bucket counts.

    Args:
        slots: Structured array of the block's slots.
        now_s: The time.
        window_s: Length of the window [s].
    """
    epoch = int(now_s / (window_s / WINDOW_SLOTS)) + 1
    live = (slots["window_epoch"] > epoch - WINDOW_SLOTS) & (slots["window_epoch"] <= epoch)
    total: histogram.Counts = slots["window"][live].sum(axis=0)
    return total
