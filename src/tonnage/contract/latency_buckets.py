"""The layout of latency buckets that server, metrics API and twin share, and how a window of them travels.

Buckets are 36 to the octave and laid so that 0.1 s is a bound: bucket 0 holds what is at or below the first
bound, the last what is above the last. A value on a bound belongs to the bucket below it. Processes that
share the layout merge their counts by addition; a percentile of the sum is the percentile of all requests.

A server's window travels as JSON on its metrics page, to who asks for ``WINDOW_TYPE``:

    {"layout": "36/octave from 0.1 s * 2^-13", "windowSeconds": 30.0, "buckets": {"412": 3, "415": 1},
     "answered": 12345, "inFlight": 2, "queue": 0}

``buckets`` has the buckets that are not empty; ``answered`` counts all time.
"""

from __future__ import annotations

import math
from typing import Final

PER_OCTAVE: Final = 36
OCTAVES_BELOW: Final = 13
"""Of 0.1 s: the first bound is 12.2 microseconds."""
OCTAVES_ABOVE: Final = 10
"""Of 0.1 s: the last bound is 102.4 seconds."""
BUCKETS: Final = (OCTAVES_BELOW + OCTAVES_ABOVE) * PER_OCTAVE + 2
"""With one bucket below the first bound and one above the last."""

WINDOW_TYPE: Final = "application/vnd.tonnage.window+json"
"""Media type of a window; asked for by the Accept header on the metrics page."""
LAYOUT: Final = f"{PER_OCTAVE}/octave from 0.1 s * 2^-{OCTAVES_BELOW}"
"""Says of a window which layout it has; another one is not merged with ours."""


def bound_s(index: int) -> float:
    """Upper bound of a bucket [s].

    Args:
        index: In [0, ``BUCKETS`` - 2]; the last bucket has no bound.
    """
    return 0.1 * math.exp2(index / PER_OCTAVE - OCTAVES_BELOW)


def middle_s(index: int) -> float:
    """The duration that stands for a bucket: its geometric middle [s]; of the outer ones, their bound.

    Args:
        index: In [0, ``BUCKETS`` - 1].
    """
    middle = (index - 0.5) / PER_OCTAVE if index > 0 else 0.0
    return 0.1 * math.exp2(min(middle, OCTAVES_BELOW + OCTAVES_ABOVE) - OCTAVES_BELOW)
