"""The batching policy in compiled form: which requests of a station form the next batch.

This is ``tonnage.batching`` for requests of one item, one group and deadlines that come in order of
arrival, with the same sums in the same order, so that both decide alike to the last bit; a property test
drives the two with the same requests and compares every batch and refusal.

Source: ``tonnage.batching.policy.BatchQueue`` (``offer``, ``take``, ``_take_front``, ``_possible``) and
``tonnage.batching.service_times.ServiceTimes``.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from tonnage.batching.service_times import DEVIATIONS
from tonnage.twin.requests.compiled import inner
from tonnage.twin.requests.rng import GAMMA, exponential, normal, scrambled, uniform

MEAN, DEVIATION, LEAST = range(3)
"""Rows of what is expected of a batch, by size class."""
WEIGHT: Final = 0.1
"""Weight of a new observation; the default of ``ServiceTimes``."""
_DEVIATIONS: Final = DEVIATIONS


@inner
def observe(expected: Any, i: int, seconds: float) -> None:
    """Learn what a batch of size class ``i`` took [s]: ``ServiceTimes.observe``."""
    mean = expected[MEAN, i]
    off = seconds - mean
    if mean == 0.0:
        expected[MEAN, i] = seconds
    else:
        expected[MEAN, i] = mean + WEIGHT * off
        expected[DEVIATION, i] += WEIGHT * (abs(off) - expected[DEVIATION, i])
    if seconds < expected[LEAST, i]:
        expected[LEAST, i] = seconds


@inner
def least_s(expected: Any, i: int) -> float:
    """The shortest that a batch of the class has taken; 0 where nothing is known: ``ServiceTimes.least``."""
    least = expected[LEAST, i]
    return float(least) if least != math.inf else 0.0


@inner
def until_answered(
    server: Any, size_class: Any, expected: Any, station: Any, run: Any, now_s: float
) -> float:
    """Time until a request that comes now is answered, all but surely: ``BatchQueue.until_answered``."""
    free_s = 0.0
    if station.running > 0:
        free_s = max(0.0, run.start_s + expected[MEAN, size_class[run.items]] - now_s)
    elif station.waiting == 0:
        return least_s(expected, size_class[1])
    full = server.gather_max
    ahead = station.waiting // full
    rest = station.waiting - ahead * full
    i, j = size_class[full], size_class[rest + 1]
    spread_s = math.sqrt(ahead * expected[DEVIATION, i] ** 2 + expected[DEVIATION, j] ** 2)
    return float(free_s + (ahead * expected[MEAN, i] + expected[MEAN, j] + _DEVIATIONS * spread_s))


@inner
def due_s(server: Any, station: Any, oldest_s: float, now_s: float) -> float:
    """When a free place takes what waits: now, or when the oldest has waited long enough."""
    if server.wait_s_max > 0.0 and station.waiting < server.gather_max:
        return float(max(now_s, oldest_s + server.wait_s_max))
    return now_s


@inner
def possible(
    server: Any, size_class: Any, expected: Any, arrived_s: float, taken: int, now_s: float
) -> bool:
    """Whether a request that is late by the mean joins a batch of such: ``BatchQueue._possible``."""
    if taken > 0 and taken + 1 > server.gather_max:
        return False
    return bool(arrived_s + server.deadline_s >= now_s + least_s(expected, size_class[taken + 1]))


@inner
def pause_extra_s(number: int, pauses: int, pause_s: float, fixed: Any) -> float:
    """What the first batch after a pause takes more: ``PauseCost.after``."""
    known_s, extra_s = fixed.pause_s[number], fixed.pause_extra_s[number]
    if pause_s >= known_s[pauses]:
        return float(extra_s[pauses])
    right = 1
    while pause_s >= known_s[right]:
        right += 1
    share = (pause_s - known_s[right - 1]) / (known_s[right] - known_s[right - 1])
    return float(extra_s[right - 1] + share * (extra_s[right] - extra_s[right - 1]))


@inner
def service_s(
    server: Any, number: int, items: int, stream: Any, row: Any, share: Any, scale: Any, inverse: Any
) -> tuple[float, Any]:
    """Draw the time of a batch in the model.

    Returns:
        Seconds, and the stream's counter after it.
    """
    law = server.law
    if law == 3:
        stream = stream + GAMMA
        at = uniform(scrambled(stream)) * (inverse.shape[1] - 1)
        step = np.int64(at)
        part = at - step
        i = row[number, items]
        seconds = inverse[i, step] + part * (inverse[i, step + 1] - inverse[i, step])
        above = share[number, items]
        if above > 0.0:
            upper = inverse[i + 1, step] + part * (inverse[i + 1, step + 1] - inverse[i + 1, step])
            seconds += above * (upper - seconds)
        return seconds * scale[number, items], stream
    mean_s = server.batch_s + items * server.item_s
    if law == 0:
        return mean_s, stream
    if law == 1:
        factor, stream = exponential(stream)
        return mean_s * factor, stream
    factor, stream = normal(stream)
    return mean_s * math.exp(server.log_mean + server.log_deviation * factor), stream
