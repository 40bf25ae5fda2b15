"""Which runs of a batch were interrupted by the machine, and say nothing about the model.

A hypervisor or another program that takes the processor for milliseconds makes one batch in a thousand a
hundred times too long: at a thousand batches a second that alone would be a queue. A model that computes on
the CPU gives itself away: its clock has gone on and its CPU time has not. One that waits for a GPU is not on
the CPU either, and there nothing can be told apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Final

COMPUTING_MIN: Final = 0.9
"""CPU time over elapsed time of the median run, from which a model computes on the CPU."""
AWAY_SHARE_MAX: Final = 0.2
"""Share of its CPU time that a run may be away from the CPU for longer than the median one ..."""
AWAY_S_MIN: Final = 100e-6
"""... and never less than this, which clocks and a tick of the kernel take."""


def undisturbed(elapsed_s: Sequence[float], cpu_s: Sequence[float]) -> list[int]:
    """Indices of the runs that nothing interrupted; all where that cannot be told.

    Args:
        elapsed_s: Time of each run [s], at least one.
        cpu_s: CPU time of each, all threads [s].
    """
    typical_s = median(elapsed_s)
    if median(cpu_s) < COMPUTING_MIN * typical_s:
        return list(range(len(elapsed_s)))
    away = [elapsed - cpu for elapsed, cpu in zip(elapsed_s, cpu_s, strict=True)]
    usual_s = median(away)
    return [
        index
        for index, (away_s, computed_s) in enumerate(zip(away, cpu_s, strict=True))
        if away_s <= usual_s + max(AWAY_S_MIN, AWAY_SHARE_MAX * computed_s)
    ]
