"""Latency of one worker under Poisson arrivals: a batch takes what waits when the model becomes free.

How it works. Look at the queue at the moments when the model becomes free. From ``n`` waiting requests
the next batch takes ``min(n, size)`` of them (with none waiting, the next request goes alone), and while
it runs a Poisson number arrive: that is a Markov chain, solved here in numbers with service times that
depend on the size of the batch. Far out its probabilities fall by a constant factor, so that a queue
near its limit needs no more states than an idle one. A request that arrives sees a batch part of the
way through and ``q`` requests before it: it waits for the rest of that batch and for ``q // size`` full
ones, while others join behind it and decide how large its own batch will be. All of this is a sum over
a lattice of time (``lattice.py``), done by Fourier transforms. A batch that ends an idle time may take longer
than its size says (``pause_cost``), on average over the idle times of Poisson arrivals.

Why not a closed form: none is known for percentiles when service times depend on the batch. For
batches of one the result is that of M/G/1, and the tests hold it to Pollaczek and Khinchine, to M/M/1
and M/D/1, and to a simulation of the same queue that shares no code with this.

Where an unfilled batch is held for company (``wait_max_s``), the whole wait is added to every request. That
is exact for a lone one, and more than it takes where a larger batch costs little more. Where time grows in
proportion to the items it can be a little less (at p99 up to 20% in what was tried), since a held batch is
larger and longer too: there the twin's confirmation, which plays the holding itself, has the last word.

Source: the embedded chain and its arrival-time equations follow Bailey, On queueing processes with bulk
service, J. R. Stat. Soc. B 16 (1954); Neuts, A general class of bulk queues with Poisson input, Ann.
Math. Stat. 38 (1967); and Chaudhry and Templeton, A First Course in Bulk Queues, 1983, chapters 3 and 4.
That arrivals see time averages is Wolff, Poisson arrivals see time averages, Oper. Res. 30 (1982).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from tonnage.plan.lattice import counts_needed, decay_of, on_lattice, poisson_table
from tonnage.plan.service_time import ServiceLaw

FloatArray = npt.NDArray[np.float64]

UTILIZATION_MAX: Final = 0.995
"""Beyond this share of what full batches can carry a queue is called unstable: its waits are of the
order of a thousand batches, and of days before they are typical."""
_SERVICE_STEPS_MAX: Final = 400
_STEPS_MAX: Final = 4096
_SIZE_TRIED_FIRST: Final = 48
_MASS_LEFT: Final = 1e-10


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """The distribution of latency of one replica at one rate.

    Attributes:
        rate_per_s: Arrivals at the replica [1/s].
        utilization: Rate over what full batches can carry, in (0, ``UTILIZATION_MAX``].
        batch_size_mean: Items of a batch, on average over batches.
        mean_s: Mean latency [s].
        waiting_mean_s: Mean of what a request waits until its batch begins [s].
        times_s: Ascending times [s], shape ``(steps,)``.
        within: Share of requests answered by then, ascending, shape ``(steps,)``.
    """

    rate_per_s: float
    utilization: float
    batch_size_mean: float
    mean_s: float
    waiting_mean_s: float
    times_s: FloatArray
    within: FloatArray

    def at(self, percentile: float) -> float:
        """Latency that ``percentile`` % of requests do not exceed [s]; infinite beyond what is known.

        Args:
            percentile: In (0, 100).
        """
        share = percentile / 100
        index = int(np.searchsorted(self.within, share, side="left"))
        if index >= self.times_s.size:
            return math.inf
        if index == 0:
            return float(self.times_s[0])
        low, high = float(self.within[index - 1]), float(self.within[index])
        part = (share - low) / (high - low) if high > low else 1.0
        start, end = float(self.times_s[index - 1]), float(self.times_s[index])
        return start + part * (end - start)


def estimate(law: ServiceLaw, rate_per_s: float) -> Estimate | None:
    """Latency of one replica.

    Args:
        law: Its service times.
        rate_per_s: Poisson arrivals at the replica [1/s, > 0], which fall on its workers at random.

    Returns:
        None where the queue would be unstable.

    Source: a random split of a Poisson process gives independent Poisson processes (Ross, Introduction to
    Probability Models, 12th ed., proposition 5.2), so each worker is a queue of its own.
    """
    if not rate_per_s > 0:
        raise ValueError(f"rate_per_s: must be > 0, got {rate_per_s}")
    utilization = rate_per_s / law.capacity_per_s
    if utilization > UTILIZATION_MAX:
        return None
    worker_per_s = rate_per_s / law.workers
    size = min(_SIZE_TRIED_FIRST, law.size_max)
    while True:
        # a queue that never fills a batch is solved with a smaller one, for less work and the same answer
        stable = worker_per_s * law.mean_s(size) < UTILIZATION_MAX * size
        chain = _chain(law, worker_per_s, size) if stable or size == law.size_max else None
        if size == law.size_max and chain is not None:
            break
        if chain is not None and chain.beyond(size) < _MASS_LEFT:
            break
        size = min(2 * size, law.size_max)
    return _latency(law, chain, rate_per_s, utilization)


@dataclass(frozen=True, slots=True, eq=False)
class _Chain:
    """The queue at the moments when the model becomes free.

    Attributes:
        rate_per_s: Arrivals at the worker [1/s].
        size: Items in a full batch.
        step_s: Step of the lattice [s].
        service: Probabilities of a batch's steps, shape ``(size, steps)``.
        first: The same of the batch of one that ends an idle time, shape ``(steps,)``.
        waiting: Probabilities of so many waiting, shape ``(states,)``; beyond, each is ``decay`` times
            the one before.
        decay: In (0, 1).
        steps: Lattice points of the latency.
    """

    rate_per_s: float
    size: int
    step_s: float
    service: FloatArray
    first: FloatArray
    waiting: FloatArray
    decay: float
    steps: int

    def beyond(self, count: int) -> float:
        """Probability that at least ``count`` wait."""
        tail = float(self.waiting[-1]) * self.decay / (1 - self.decay)
        return float(self.waiting[count:].sum()) + tail

    def taken(self) -> FloatArray:
        """Probability that a batch has ``row + 1`` items, shape ``(size,)``."""
        result = self.waiting[1 : self.size + 1].copy()
        result[0] += self.waiting[0]
        result[-1] += self.beyond(self.size + 1)
        return np.asarray(result, dtype=np.float64)

    def extended(self, length: int) -> FloatArray:
        """Probabilities of 0 to ``length - 1`` waiting."""
        more = length - self.waiting.size
        if more <= 0:
            return self.waiting[:length]
        tail = self.waiting[-1] * self.decay ** np.arange(1, more + 1)
        return np.concatenate((self.waiting, tail))


def _chain(law: ServiceLaw, rate_per_s: float, size: int) -> _Chain:
    times = law.times_s[:size]
    first = times[:1] + law.pause_cost.mean(rate_per_s)
    decay = decay_of(rate_per_s, times[-1], law.weights, size)
    longest_s = max(float(times.max()), float(first.max()))
    # long enough that a wait beyond it has a chance below 1e-5
    horizon_s = 3 * longest_s + law.mean_s(size) * math.log(1e5) / (-size * math.log(decay))
    step_s = max(longest_s / _SERVICE_STEPS_MAX, horizon_s / _STEPS_MAX)
    steps = math.ceil(longest_s / step_s) + 2
    service = on_lattice(times, law.weights, step_s=step_s, steps=steps)
    idle_ended = on_lattice(first, law.weights, step_s=step_s, steps=steps)
    means = rate_per_s * step_s * np.arange(steps, dtype=np.float64)
    during = poisson_table(means, columns=counts_needed(float(means[-1])))
    waiting = _solve(service @ during, (idle_ended @ during)[0], decay)
    length = 1 << math.ceil(math.log2(max(64, horizon_s / step_s + steps)))
    return _Chain(rate_per_s, size, step_s, service, idle_ended[0], waiting, decay, length)


def _solve(arrivals: FloatArray, first: FloatArray, decay: float) -> FloatArray:
    """Stationary probabilities of the chain, the tail beyond the last state being geometric.

    Args:
        arrivals: Probability of so many arrivals during a batch of ``row + 1``, shape ``(size, counts)``.
        first: The same for the batch of one that ends an idle time, shape ``(counts,)``.
        decay: Ratio of the tail.
    """
    size, counts = arrivals.shape
    states = size + max(2 * size, counts) + 64
    moves = np.zeros((states, states + counts))
    for waiting in range(states):
        left = max(waiting - size, 0)
        moves[waiting, left : left + counts] = arrivals[min(waiting, size) - 1] if waiting else first
    # states beyond the last, as multiples of it, lead back to no further than ``size`` below themselves
    last = moves[states - 1].copy()
    powers = decay ** np.arange(1, size + counts + 1)
    for index in range(size):
        left = states + index - size
        last[left : left + counts] += powers[index] * arrivals[-1][: moves.shape[1] - left]
    moves[states - 1] = last
    system = moves[:, :states].T - np.eye(states)
    # one balance equation follows from the others; the sum of all probabilities takes its place
    system[-1, :] = 1.0
    system[-1, -1] = 1.0 / (1.0 - decay)
    right = np.zeros(states)
    right[-1] = 1.0
    solution = np.maximum(np.linalg.solve(system, right), 0.0)
    total = float(solution[:-1].sum() + solution[-1] / (1.0 - decay))
    return np.asarray(solution / total, dtype=np.float64)


def _latency(law: ServiceLaw, chain: _Chain, rate_per_s: float, utilization: float) -> Estimate:
    taken = chain.taken()
    places = np.arange(chain.service.shape[1])
    longer = float((chain.first - chain.service[0]) @ places)
    busy_s = (float(taken @ (chain.service @ places)) + float(chain.waiting[0]) * longer) * chain.step_s
    idle_s = float(chain.waiting[0]) / chain.rate_per_s
    cycle_s = busy_s + idle_s
    waits = _waits(chain, cycle_s)
    own = _own_batch(chain, waits)
    transform = np.fft.rfft(own, axis=1) * np.fft.rfft(chain.service, chain.steps, axis=1)
    answered = np.fft.irfft(transform.sum(axis=0), chain.steps)
    # who waited lies half a step after the lattice, who came to a free model on it
    density = np.zeros(2 * chain.steps)
    density[1::2] = answered
    density[0 : 2 * chain.service.shape[1] : 2] += (idle_s / cycle_s) * chain.first
    np.maximum(density, 0.0, out=density)
    within = np.minimum(np.cumsum(density), 1.0)
    times = chain.step_s / 2 * np.arange(2 * chain.steps, dtype=np.float64)
    extra_s = law.fixed_s + law.wait_max_s
    return Estimate(
        rate_per_s=rate_per_s,
        utilization=utilization,
        batch_size_mean=float(taken @ np.arange(1, chain.size + 1)),
        mean_s=float(times @ density) / float(density.sum()) + extra_s,
        waiting_mean_s=float(waits.sum(axis=0) @ _middles(chain.steps)) * chain.step_s,
        times_s=times + extra_s,
        within=within,
    )


def _waits(chain: _Chain, cycle_s: float) -> FloatArray:
    """Probability that an arrival waits so long and then stands at so many in its batch.

    What would lie beyond the last step (less than 1e-5) wraps round to the first ones.

    Returns:
        Shape ``(size, steps)``: column ``i`` is a wait of ``i + 0.5`` steps, row ``p`` has ``p`` requests
        of the same batch before it. Arrivals at a free model are not in it.
    """
    framed = _before(chain, cycle_s)
    whole = np.fft.rfft(chain.service[-1], chain.steps)
    # beyond the last frame each has the same shape, smaller by a constant: a geometric series
    total = np.fft.rfft(framed[-1], chain.steps, axis=1) / (1 - chain.decay**chain.size * whole)
    for frame in framed[-2::-1]:
        total *= whole
        total += np.fft.rfft(frame, chain.steps, axis=1)
    return np.maximum(np.fft.irfft(total, chain.steps, axis=1), 0.0)


def _before(chain: _Chain, cycle_s: float) -> FloatArray:
    """Probability that an arrival finds so many waiting and so much left of the batch that runs.

    Returns:
        Shape ``(frames, size, steps of a batch)``: ``frame * size + row`` waiting before it, and
        ``column + 0.5`` steps left. Later frames fall by ``decay ** size`` each, or are next to nothing.
    """
    size, (_, service_steps) = chain.size, chain.service.shape
    during = poisson_table(
        chain.rate_per_s * chain.step_s * _middles(service_steps),
        columns=counts_needed(chain.rate_per_s * chain.step_s * service_steps),
    )
    counts = during.shape[1]
    frames = math.ceil((chain.waiting.size + counts) / size) + 1
    waiting = chain.extended(size + frames * size)
    # the batch that ends an idle time leaves nothing behind, as those that take all; ``full`` leave the rest
    starts = waiting[1:]
    alone = starts[: size - 1] @ chain.service[: size - 1] + waiting[0] * chain.first
    full = starts[size - 1 :]
    share = chain.step_s / cycle_s
    likely = 1 + int(np.max(np.flatnonzero(full > _MASS_LEFT), initial=0))
    frames = min(frames, math.ceil((likely + counts) / size) + 1)
    length = 1 << math.ceil(math.log2(frames * size + counts))
    spectrum = np.fft.rfft(_remaining(chain.service[-1]) @ during, length, axis=1)
    spectrum *= np.fft.rfft(full[: frames * size], length)[None, :]
    before = np.fft.irfft(spectrum, length, axis=1)[:, : frames * size]
    kept = min(counts, frames * size)
    before[:, :kept] += (_remaining(alone) @ during)[:, :kept]
    return np.ascontiguousarray(share * before.T).reshape(frames, size, service_steps)


def _middles(count: int) -> FloatArray:
    """The middles of so many steps, in steps."""
    return np.arange(count, dtype=np.float64) + np.float64(0.5)


def _remaining(service: FloatArray) -> FloatArray:
    """Row ``g``, column ``i``: the weight of a batch that has ``g + 0.5`` steps left after ``i + 0.5``."""
    steps = service.size
    padded = np.concatenate((service[1:], np.zeros(steps)))
    return np.asarray(sliding_window_view(padded, steps)[:steps], dtype=np.float64)


def _own_batch(chain: _Chain, waits: FloatArray) -> FloatArray:
    """Probability of a wait and of the size of the own batch, shape ``(size, steps)``.

    A request that waits is joined by those who come meanwhile, a Poisson number of the wait's length.
    """
    size, steps = waits.shape
    joining = poisson_table(chain.rate_per_s * chain.step_s * _middles(steps), columns=size).T
    result = np.zeros((size, steps))
    for more in range(size):
        result[more:] += waits[: size - more] * joining[more]
    result[-1] += np.maximum(waits.sum(axis=0) - result.sum(axis=0), 0.0)
    return result
