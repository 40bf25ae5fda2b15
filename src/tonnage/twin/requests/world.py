"""The world of requests: clients, balancer and pods between two control events.

Theory of operation. The state is a handful of numpy arrays; ``advance`` hands them to the compiled kernel,
which plays every request up to a time and leaves the state there. Whoever controls the pods changes the
world between two calls. All randomness is counted per stream (arrivals, balancing, clients, each worker
of each pod), so that what happens does not depend on how often ``advance`` stops, nor on cores.

Order at equal times: a change made at T (between two calls) comes before every request event at T, since
``advance(T)`` plays what lies before T and not at it; then, for each pod, batches that end, timeouts,
batches that start; then retries; then arrivals.
"""

from __future__ import annotations

from tonnage.twin.requests.model import ClientModel, RequestConfig, ServerModel
from tonnage.twin.requests.plan import ArrivalPlan
from tonnage.twin.requests.results import Balance, IntArray, Series, SlotTotals, SlotWindow


class RequestWorld:
    """All requests of one service.

    Args:
        config: Balancing, network and recording.
        servers: Kinds of pods; ``start`` names one by its index. At least one.
        arrivals: When requests come; a plan of kind ``times`` is used up.
        client: What clients do about failures.
        slots_max: Slots to begin with [>= 1]; more are made when a higher one is started.
        seed: Decides everything random [>= 0].

    Attributes:
        now_s: Up to where time has been played [s]; events at exactly this time are still to come.
    """

    now_s: float

    def __init__(
        self,
        config: RequestConfig,
        servers: tuple[ServerModel, ...],
        arrivals: ArrivalPlan,
        client: ClientModel | None = None,
        *,
        slots_max: int = 16,
        seed: int = 0,
    ) -> None:
        raise NotImplementedError

    def start(self, slot: int, server: int = 0, *, speed: float = 1.0) -> None:
        """A pod begins to serve in a slot, with nothing known of the pod that was there before.

        Args:
            slot: An empty slot [0 to SLOTS_MAX - 1]; the world grows where it has no such slot yet.
            server: Index in ``servers``.
            speed: Work done in a second over that of the model as measured [> 0].

        Raises:
            ValueError: The slot has a pod, or an argument is out of its range.
        """
        raise NotImplementedError

    def set_routed(self, slot: int, routed: bool) -> None:
        """Put a slot into, or take it out of, the endpoints that the balancer knows.

        The two lists are not tied: a routed slot without a pod refuses connections (``Cause.REFUSED``),
        and an unrouted one keeps its kept-alive connections.
        """
        raise NotImplementedError

    def drain(self, slot: int) -> None:
        """The pod takes no new requests (``Cause.REFUSED``), closes its connections, and finishes what it has."""
        raise NotImplementedError

    def kill(self, slot: int) -> int:
        """The pod is gone; what it had is lost (``Cause.LOST``). Returns how many requests that were.

        Its totals can be read until the slot is started again.
        """
        raise NotImplementedError

    def set_speed(self, slot: int, speed: float) -> None:
        """Change how fast a pod works, running batches included [> 0]."""
        raise NotImplementedError

    def advance(self, until_s: float) -> None:
        """Play every event before ``until_s`` [s, >= now_s, finite]."""
        raise NotImplementedError

    def in_flight(self, slot: int) -> int:
        """Requests at the pod, waiting and running; those whose client has gone included."""
        raise NotImplementedError

    def is_serving(self, slot: int) -> bool:
        """Whether the slot has a pod, draining or not."""
        raise NotImplementedError

    def read_slot(self, slot: int) -> SlotWindow:
        """What the pod did since the last ``read_slot`` of this slot, and since it started."""
        raise NotImplementedError

    def totals(self, slot: int) -> SlotTotals:
        """What the pod did since it started; moves no window, so that several readers may have their own."""
        raise NotImplementedError

    def series(self) -> Series:
        """What clients saw in each interval up to now."""
        raise NotImplementedError

    def latency_between(self, from_s: float, until_s: float) -> IntArray:
        """Client-observed latencies of whole intervals in [from_s, until_s) as bucket counts."""
        raise NotImplementedError

    def balance(self) -> Balance:
        """Where all requests are now."""
        raise NotImplementedError

    def digest(self) -> str:
        """A digest of everything that happened and of all that is under way, in hexadecimal digits.

        Equal for equal arguments, changes and times of changes, however ``advance`` was split.
        """
        raise NotImplementedError
