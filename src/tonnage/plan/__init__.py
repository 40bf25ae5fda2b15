"""From a profile and an objective to replicas, GPUs and cost, with the reason for every number.

``make_plan`` is one pure function: what the document asks for, what was measured, what the cluster has room
for and what machines cost go in, a ``ServingPlan`` comes out, refused or not. The latency of a replica is
solved as a queue (``queueing.py``); the twin confirms it by a function that is handed in (``confirm.py``).
"""

from __future__ import annotations

from tonnage.plan.ask import Ask
from tonnage.plan.document import ServingPlan
from tonnage.plan.plan import make_plan
from tonnage.plan.writing import plan_document

__all__ = ["Ask", "ServingPlan", "make_plan", "plan_document"]
