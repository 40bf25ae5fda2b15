"""One inference on its way through the server."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable
from typing import ClassVar

from tonnage.server.oip.decode import InferRequest
from tonnage.server.oip.encode import BatchAnswers
from tonnage.server.oip.errors import InferenceError


class Call(ABC):
    """A request that waits for its answer; a protocol's own class says how the answer goes back.

    Attributes:
        items: Rows along the batch dimension.
        group: Calls of equal groups may share a batch.
        stream: Calls of one stream (a connection) keep their order.
        arrived_s: When it was complete [s, monotonic].
        deadline_s: When its answer is worthless [s, monotonic]; ``math.inf`` for never.
        request: What it asks.
        traceparent: W3C trace context, as it came.
        protocol: Index of its protocol in ``metrics.block.PROTOCOLS``; a class attribute.
    """

    __slots__ = ("arrived_s", "deadline_s", "group", "items", "request", "stream", "traceparent")

    items: int
    group: Hashable
    stream: Hashable
    arrived_s: float
    deadline_s: float
    request: InferRequest
    traceparent: str | None
    protocol: ClassVar[int]

    @abstractmethod
    def answer(self, answers: BatchAnswers, at: int) -> None:
        """Send the answer, whose first item is row ``at`` of the batch.

        Raises:
            InferenceError: The answer has no form that was asked for; ``fail`` is called next.
        """

    @abstractmethod
    def fail(self, error: InferenceError) -> None:
        """Send an error instead."""
