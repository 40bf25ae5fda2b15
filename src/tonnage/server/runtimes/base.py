"""The one interface between the server and whatever runs a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from tonnage.server.oip.datatypes import Array
from tonnage.server.oip.tensors import Signature


@dataclass(frozen=True, slots=True)
class RequestContext:
    """What a model may know of one request of its batch besides the tensors.

    Attributes:
        id: The client's id.
        items: How many rows of the batch are its own.
        parameters: The request's parameters.
        traceparent: W3C trace context to pass on to whatever the model calls.
    """

    id: str | None
    items: int
    parameters: Mapping[str, Any] = field(default_factory=dict)
    traceparent: str | None = None


class Runtime(Protocol):
    """A loaded model.

    ``run`` is called by one thread at a time, with arrays that the model may keep or write to.
    """

    @property
    def signature(self) -> Signature:
        """What it takes and gives."""

    @property
    def wants_context(self) -> bool:
        """Whether ``run`` makes use of its second argument; building it costs something."""

    def run(self, inputs: dict[str, Array], context: tuple[RequestContext, ...]) -> Mapping[str, Array]:
        """Run one batch.

        Args:
            inputs: By name; the first dimension is the batch where the model batches. BF16 arrives
                as float32, BYTES as an object array of ``bytes``.
            context: One per request, in the batch's order; empty unless ``wants_context``.

        Returns:
            Outputs by name, in the model's order, of as many rows as the inputs.

        Raises:
            Exception: Whatever the model raises; it becomes a 500 for the request that causes it.
        """

    def memory_bytes(self) -> int | None:
        """Accelerator memory in use [bytes]; None where there is no accelerator."""
