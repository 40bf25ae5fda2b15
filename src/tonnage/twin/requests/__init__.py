"""Every request of a service, simulated: arrivals, balancing, batching servers, clients that retry.

Requests are played by a compiled kernel between two control events; the control plane changes pods
through ``RequestWorld`` between two calls of ``advance``:

    world = RequestWorld(RequestConfig(), (ServerModel(),), plan_of(process, seed=1), seed=1)
    world.start(0)
    world.set_routed(0, True)
    world.advance(15.0)
    world.read_slot(0).window.quantile_s(0.99)

What is modelled and what is not: ``model.py``; the batching policy is ``tonnage.batching``'s in compiled
form, proved equal to it by test.
"""

from __future__ import annotations

from tonnage.twin.requests.model import (
    CAUSES,
    Balancing,
    Cause,
    ClientModel,
    RequestConfig,
    ServerModel,
)
from tonnage.twin.requests.plan import ArrivalPlan, plan_of, recorded
from tonnage.twin.requests.results import QUANTILES, Balance, LoggedBatch, Series, SlotTotals, SlotWindow
from tonnage.twin.requests.service import MeasuredService, ParametricService, ServiceLaw
from tonnage.twin.requests.world import RequestWorld

__all__ = [
    "CAUSES",
    "QUANTILES",
    "ArrivalPlan",
    "Balance",
    "Balancing",
    "Cause",
    "ClientModel",
    "LoggedBatch",
    "MeasuredService",
    "ParametricService",
    "RequestConfig",
    "RequestWorld",
    "Series",
    "ServerModel",
    "ServiceLaw",
    "SlotTotals",
    "SlotWindow",
    "plan_of",
    "recorded",
]
