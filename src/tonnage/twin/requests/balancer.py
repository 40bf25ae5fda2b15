"""Which station a request goes to.

A draw from the balancer's stream is made for every attempt and in order of time, whatever the state of
the pods, so that two runs that differ in a pod's speed see the same draws.

Source: kube-proxy's iptables rules choose an endpoint per connection with equal probability
(pkg/proxy/iptables/proxier.go, ``writeServiceToEndpointRules``, Kubernetes v1.37.2); two choices as in
Mitzenmacher, The power of two choices in randomized load balancing, IEEE TPDS 12(10), 2001.
"""

from __future__ import annotations

from typing import Any

from tonnage.twin.requests.compiled import inner
from tonnage.twin.requests.rng import GAMMA, below, high, low, scrambled
from tonnage.twin.requests.state import SERVING


@inner
def draw(world: Any) -> Any:
    """64 bits from the balancer's stream."""
    world.balance_stream = world.balance_stream + GAMMA
    return scrambled(world.balance_stream)


@inner
def worker_of(slot: int, world: Any, servers: Any, slots: Any, workers_max: int) -> int:
    """A station of a slot: the kernel spreads connections over the listeners of one port by a hash."""
    if workers_max == 1:
        return slot
    workers = servers[slots[slot].server].workers
    return slot * workers_max + below(low(draw(world)), workers)


@inner
def other_of(first: int, bits32: Any, routed: int) -> int:
    """A place among the routed that differs from ``first``, all others alike."""
    second = below(bits32, routed - 1)
    return second + 1 if second >= first else second


@inner
def connected(fixed: Any, pods: Any) -> int:
    """The station at the other end of a kept-alive connection, made anew where its pod is gone."""
    world, config = fixed.world[0], fixed.config[0]
    bits = draw(world)
    c = below(low(bits), config.connections)
    slot = fixed.connection_slot[c]
    if slot >= 0:
        there = pods.slots[slot]
        if there.state == SERVING and there.generation == fixed.connection_generation[c]:
            return int(fixed.connection_station[c])
    if world.routed == 0:
        fixed.connection_slot[c] = -1
        return -1
    slot = pods.routed[below(high(bits), world.routed)]
    station = worker_of(slot, world, fixed.servers, pods.slots, config.workers_max)
    fixed.connection_slot[c] = slot
    fixed.connection_generation[c] = pods.slots[slot].generation
    fixed.connection_station[c] = station
    return station


@inner
def less_loaded(slot: int, other: int, slots: Any) -> bool:
    """Whether a slot comes before another in the heap of loads."""
    one, two = slots[slot], slots[other]
    return bool(one.load < two.load or (one.load == two.load and one.least_stamp < two.least_stamp))


@inner
def load_changed(slot: int, world: Any, slots: Any, least: Any) -> None:
    """Put a slot whose load has changed where it belongs in the heap of loads."""
    world.stamps += 1
    slots[slot].least_stamp = world.stamps
    place = slots[slot].least_place
    if place < 0:
        return
    while place > 0:
        parent = (place - 1) >> 1
        if not less_loaded(slot, least[parent], slots):
            break
        least[place] = least[parent]
        slots[least[place]].least_place = place
        place = parent
    while True:
        child = 2 * place + 1
        if child >= world.routed:
            break
        if child + 1 < world.routed and less_loaded(least[child + 1], least[child], slots):
            child += 1
        if not less_loaded(least[child], slot, slots):
            break
        least[place] = least[child]
        slots[least[place]].least_place = place
        place = child
    least[place] = slot
    slots[slot].least_place = place


@inner
def reschedule(s: int, time_s: float, heap: Any, heap_time_s: Any, heap_place: Any) -> None:
    """Put a station whose next event is now at ``time_s`` where it belongs in the heap of events."""
    place = heap_place[s]
    while place > 0:
        parent = (place - 1) >> 1
        up, up_s = heap[parent], heap_time_s[parent]
        if up_s < time_s or (up_s == time_s and up < s):
            break
        heap[place], heap_time_s[place] = up, up_s
        heap_place[up] = place
        place = parent
    count = heap.size
    while True:
        child = 2 * place + 1
        if child >= count:
            break
        if child + 1 < count:
            left_s, right_s = heap_time_s[child], heap_time_s[child + 1]
            if right_s < left_s or (right_s == left_s and heap[child + 1] < heap[child]):
                child += 1
        down, down_s = heap[child], heap_time_s[child]
        if time_s < down_s or (time_s == down_s and s < down):
            break
        heap[place], heap_time_s[place] = down, down_s
        heap_place[down] = place
        place = child
    heap[place], heap_time_s[place] = s, time_s
    heap_place[s] = place
