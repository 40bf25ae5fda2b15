"""A plan of arrivals is a value: it can be played as often as one likes."""

from __future__ import annotations

import numpy as np

from tonnage.traffic import PoissonArrivals
from tonnage.twin.requests import RequestConfig, RequestWorld, ServerModel, recorded


def test_recorded_arrivals_are_played_again():
    """Two worlds of one plan see the same arrivals."""
    plan = recorded(PoissonArrivals(50.0, 4.0), seed=1)
    counts = []
    for _ in range(2):
        world = RequestWorld(RequestConfig(), (ServerModel(),), plan, seed=1)
        world.start(0)
        world.set_routed(0, True)
        world.advance(4.0)
        counts.append(world.series().arrived)
    assert counts[0].sum() > 0
    assert np.array_equal(counts[0], counts[1])
