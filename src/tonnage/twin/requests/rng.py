"""Random numbers for the kernel: one counted stream for each thing that draws.

A stream is one 64-bit counter; a draw steps it by an odd constant and scrambles it (SplitMix64), so that
what a stream gives depends on its key and on how often it was asked, and on nothing else. Keys are
scrambled from the world's seed and what the stream is for. Exponential numbers come from a ziggurat: one
draw, one product and one comparison in 98 of 100 cases.

Source: Steele, Lea and Flood, Fast splittable pseudorandom number generators, OOPSLA 2014, figure 17;
Marsaglia and Tsang, The ziggurat method for generating random variables, Journal of Statistical Software
5(8), 2000 (exponential form, 256 layers).
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tonnage.twin.requests.compiled import inner

_MASK: Final = (1 << 64) - 1
GAMMA: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX_1: Final = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2: Final = np.uint64(0x94D049BB133111EB)
_S27, _S30, _S31 = np.uint64(27), np.uint64(30), np.uint64(31)
_S11, _S32 = np.uint64(11), np.uint64(32)
_LOW_8, _LOW_32 = np.uint64(0xFF), np.uint64(0xFFFFFFFF)
_2_TO_MINUS_53: Final = 2.0**-53

LAYERS: Final = 256
TAIL: Final = 7.69711747013104972
"""Where the ziggurat's lowest layer ends and its tail begins."""
_AREA: Final = 0.0039496598225815571993


def _layers() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Right end of each layer and the density there."""
    ends = np.zeros(LAYERS + 1)
    ends[0], ends[1] = _AREA / math.exp(-TAIL), TAIL
    for i in range(2, LAYERS):
        ends[i] = -math.log(_AREA / ends[i - 1] + math.exp(-ends[i - 1]))
    return ends, np.exp(-ends)


ENDS, DENSITIES = _layers()


def key(*parts: int) -> int:
    """A stream's key from numbers that name it [each 0 to 2**64 - 1].

    Returns:
        64 bits, different for different parts as far as chance allows.
    """
    state = 0
    for part in parts:
        state = (state ^ part) * 0x9E3779B97F4A7C15 + 0x632BE59BD9B4E019 & _MASK
        state = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & _MASK
        state = (state ^ state >> 27) * 0x94D049BB133111EB & _MASK
        state ^= state >> 31
    return state


@inner
def scrambled(counter: Any) -> Any:
    """The draw at a counter: 64 random bits."""
    bits = (counter ^ (counter >> _S30)) * _MIX_1
    bits = (bits ^ (bits >> _S27)) * _MIX_2
    return bits ^ (bits >> _S31)


@inner
def uniform(bits: Any) -> float:
    """A number in [0, 1) from 64 bits; the lowest 11 are not used."""
    return np.int64(bits >> _S11) * _2_TO_MINUS_53


@inner
def below(bits32: Any, bound: int) -> int:
    """A whole number in [0, bound) from 32 bits; uneven by less than bound / 2**32."""
    return int(np.int64((bits32 * np.uint64(bound)) >> _S32))


@inner
def low(bits: Any) -> Any:
    """The lower 32 of 64 bits."""
    return bits & _LOW_32


@inner
def high(bits: Any) -> Any:
    """The upper 32 of 64 bits."""
    return bits >> _S32


@inner
def exponential(counter: Any) -> tuple[float, Any]:
    """An exponential number with mean 1, and the stream's counter after it."""
    passed = 0.0
    while True:
        counter = counter + GAMMA
        bits = scrambled(counter)
        layer = np.int64(bits & _LOW_8)
        x = uniform(bits) * ENDS[layer]
        if x < ENDS[layer + 1]:
            return passed + x, counter
        if layer == 0:
            passed += TAIL  # beyond the lowest layer it is an exponential again
            continue
        counter = counter + GAMMA
        height = uniform(scrambled(counter))
        low_density = DENSITIES[layer]
        if low_density + height * (DENSITIES[layer + 1] - low_density) < math.exp(-x):
            return passed + x, counter


@inner
def normal(counter: Any) -> tuple[float, Any]:
    """A normal number with mean 0 and variance 1, and the counter after it.

    Source: Box and Muller, A note on the generation of random normal deviates, 1958.
    """
    radius, counter = exponential(counter)
    counter = counter + GAMMA
    return math.sqrt(2.0 * radius) * math.cos(2.0 * math.pi * uniform(scrambled(counter))), counter
