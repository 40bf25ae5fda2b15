"""What went wrong with one inference, with the status that HTTP and gRPC answer."""

from __future__ import annotations

from enum import Enum


class Fault(Enum):
    """Kinds of failure: HTTP status, gRPC status name, value of the metrics label ``code``."""

    BAD_REQUEST = (400, "INVALID_ARGUMENT")
    NOT_FOUND = (404, "NOT_FOUND")
    METHOD = (405, "UNIMPLEMENTED")
    TOO_LARGE = (413, "INVALID_ARGUMENT")
    UNSUPPORTED = (415, "UNIMPLEMENTED")
    ABANDONED = (499, "CANCELLED")  # nobody reads the answer; the metrics do
    MODEL = (500, "INTERNAL")
    NOT_READY = (503, "UNAVAILABLE")
    OVERLOADED = (503, "RESOURCE_EXHAUSTED")

    @property
    def http_status(self) -> int:
        """Status code of the HTTP answer."""
        return self.value[0]

    @property
    def grpc_status(self) -> str:
        """Name of the gRPC status code."""
        return self.value[1]


class InferenceError(Exception):
    """One request that gets an error for an answer; the others are not touched.

    Attributes:
        fault: What kind.
        message: ``<where>: <what must hold>, got <value>``, as the client reads it.
        retry_after_s: When it is worth asking again [s]; None where it never is.
    """

    def __init__(self, fault: Fault, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.fault = fault
        self.message = message
        self.retry_after_s = retry_after_s


def bad_request(message: str) -> InferenceError:
    """The client's mistake."""
    return InferenceError(Fault.BAD_REQUEST, message)
