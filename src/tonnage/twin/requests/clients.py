"""What clients see, and do: answers and failures booked, retries waited for.

Every outcome of an attempt passes through here, so that ``arrived = answered + dropped + in flight``
holds by each request being booked once.
"""

from __future__ import annotations

from typing import Any

from tonnage.twin.requests.compiled import inner
from tonnage.twin.requests.rng import GAMMA, scrambled, uniform
from tonnage.twin.requests.state import DROPPED, FAILED, RETRIED


@inner
def interval_of(config: Any, time_s: float) -> int:
    """The interval that holds a time; never falls as time grows."""
    return int(time_s * config.per_interval)


@inner
def failed(
    cause: int,
    time_s: float,
    known_s: float,
    first_s: float,
    attempt: int,
    config: Any,
    world: Any,
    series: Any,
    retries: Any,
) -> None:
    """Book one failed attempt whose client still waits, and let the client try again or give up.

    Args:
        cause: Index in ``CAUSES``.
        time_s: When it failed [s].
        known_s: When its client knows [s].
        first_s: When the request came [s].
        attempt: 0 for the first.
        config: CONFIG record.
        world: WORLD record.
        series: Counts by interval.
        retries: Heap of what waits for its retry; has room for one more.
    """
    row = interval_of(config, time_s)
    series[row, FAILED + cause] += 1
    if attempt >= config.retries_max or (config.retry_causes >> cause) & 1 == 0:
        series[row, DROPPED + cause] += 1
        return
    wait_s = min(config.backoff_s_max, config.backoff_s * config.backoff_factor**attempt)
    if config.backoff_spread > 0.0:
        world.client_stream = world.client_stream + GAMMA
        wait_s *= 1.0 + config.backoff_spread * (2.0 * uniform(scrambled(world.client_stream)) - 1.0)
    series[row, RETRIED] += 1
    push_retry(retries, world, known_s + wait_s, first_s, attempt + 1)


@inner
def before(one: Any, other: Any) -> bool:
    """Whether a retry comes before another; at one time, the one that failed first."""
    same = one.time_s == other.time_s
    return bool(one.time_s < other.time_s or (same and one.number < other.number))


@inner
def copy_retry(target: Any, source: Any) -> None:
    """Overwrite one entry of the heap."""
    target.time_s = source.time_s
    target.number = source.number
    target.first_s = source.first_s
    target.attempt = source.attempt


@inner
def push_retry(retries: Any, world: Any, time_s: float, first_s: float, attempt: int) -> None:
    """Put a retry into the heap; one place beyond the last is used as scratch."""
    place = world.retries
    world.retries += 1
    world.retry_number += 1
    number = world.retry_number
    while place > 0:
        parent = (place - 1) >> 1
        if retries[parent].time_s <= time_s:  # a later number never passes an equal time
            break
        copy_retry(retries[place], retries[parent])
        place = parent
    retries[place].time_s = time_s
    retries[place].number = number
    retries[place].first_s = first_s
    retries[place].attempt = attempt


@inner
def pop_retry(retries: Any, world: Any) -> None:
    """Remove the earliest retry, at place 0."""
    world.retries -= 1
    count = world.retries
    last = retries[count]
    place = 0
    while True:
        child = 2 * place + 1
        if child >= count:
            break
        if child + 1 < count and before(retries[child + 1], retries[child]):
            child += 1
        if not before(retries[child], last):
            break
        copy_retry(retries[place], retries[child])
        place = child
    copy_retry(retries[place], last)
