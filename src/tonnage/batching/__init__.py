"""Which waiting requests form the next batch, and which are refused: a policy without I/O or clocks.

The model server drives it with real time, the twin with simulated time; both run this code.
"""

from tonnage.batching.policy import Batch, BatchQueue, Limits, Refusal, Request, Wait
from tonnage.batching.service_times import ServiceTimes, size_classes, worthwhile_size

__all__ = [
    "Batch",
    "BatchQueue",
    "Limits",
    "Refusal",
    "Request",
    "ServiceTimes",
    "Wait",
    "size_classes",
    "worthwhile_size",
]
