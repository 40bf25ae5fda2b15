"""The twin: a Deployment, its HPA, its cluster and every request to it, in simulated time.

    result = Simulation(scenario).run()
    result.totals.p99_s, result.frame("scaling")

A ``Scenario`` is one frozen value; ``tonnage.twin.inputs`` makes it from Kubernetes objects and a profile.
Equal scenarios give equal results, down to ``Result.digest``.
"""

from __future__ import annotations

from tonnage.twin.result import Result, Series, Totals
from tonnage.twin.scenario import Objective, Scenario
from tonnage.twin.simulation import Simulation

__all__ = ["Objective", "Result", "Scenario", "Series", "Simulation", "Totals"]
