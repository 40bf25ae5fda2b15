"""Arrival times for the kernel, a buffer at a time.

The buffer is filled whenever it is empty and in no other case, so that what is drawn depends on how many
arrivals were taken and not on when.

Source: a Poisson process with a changing rate is one of rate 1 on the scale of its mean; given their
number, arrivals in a segment lie as the partial sums of exponentials over their total: Devroye, Non-Uniform
Random Variate Generation (1986), chapter V, theorem 2.2. The exponentials are drawn twice, first for their
total, which a counted stream makes possible without keeping them.
"""

from __future__ import annotations

from typing import Any

from tonnage.twin.requests.compiled import inner
from tonnage.twin.requests.rng import exponential


@inner
def refill(config: Any, world: Any, edges_s: Any, values: Any, buffer_s: Any) -> None:
    """Draw the next arrivals into the empty buffer; none are left when it stays empty."""
    if config.plan == 3:
        return
    if config.plan == 0:
        count = _along_rates(world, edges_s, values, buffer_s)
    else:
        count = _in_counts(config, world, edges_s, values, buffer_s)
    for i in range(count):
        if buffer_s[i] >= config.end_s:
            world.more = 0
            count = i
            break
    world.buffer_next = 0
    world.buffer_end = count


@inner
def _along_rates(world: Any, edges_s: Any, values: Any, buffer_s: Any) -> int:
    segment, time_s, stream = world.segment, world.time_s, world.arrival_stream
    count = 0
    if segment == 0 and time_s < edges_s[0]:
        time_s = edges_s[0]
    while count < buffer_s.size and segment < values.size:
        need, stream = exponential(stream)
        while segment < values.size:
            rate, end_s = values[segment], edges_s[segment + 1]
            at_s = time_s + need / rate  # infinite, or NaN, for a rate of 0
            if at_s < end_s:
                time_s = at_s
                buffer_s[count] = time_s
                count += 1
                break
            need -= (end_s - time_s) * rate
            time_s = end_s
            segment += 1
            if need < 0.0:
                need = 0.0
    world.segment, world.time_s, world.arrival_stream = segment, time_s, stream
    if segment >= values.size:
        world.more = 0
    return count


@inner
def _in_counts(config: Any, world: Any, edges_s: Any, values: Any, buffer_s: Any) -> int:
    count = 0
    while count < buffer_s.size:
        if world.entered == 0:
            if world.segment >= values.size:
                world.more = 0
                return count
            world.entered = 1
            world.left = int(values[world.segment])
            world.passed = 0.0
            world.total = values[world.segment]
            if config.plan == 1:
                stream = world.arrival_stream
                total = 0.0
                for _ in range(world.left + 1):
                    gap, stream = exponential(stream)
                    total += gap
                world.total = total
        start_s = edges_s[world.segment]
        width_s = edges_s[world.segment + 1] - start_s
        while world.left > 0 and count < buffer_s.size:
            if config.plan == 1:
                gap, world.arrival_stream = exponential(world.arrival_stream)
                world.passed += gap
                buffer_s[count] = start_s + width_s * (world.passed / world.total)
            else:
                buffer_s[count] = start_s + width_s * ((world.passed + config.first_share) / world.total)
                world.passed += 1.0
            world.left -= 1
            count += 1
        if world.left == 0:
            if config.plan == 1:
                gap, world.arrival_stream = exponential(world.arrival_stream)  # from the last one to the end
            world.entered = 0
            world.segment += 1
    return count
