"""The connections of a run: opened before it starts, replaced when they end, added when all are busy.

Where none is used twice, none is opened in advance either: one is added for each request that is due.

While the target refuses every connection, one attempt at a time is made, with pauses that double,
and the pool says ``refused`` so that the run can fail requests at once as their users would see it.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable

from tonnage.errors import TargetUnreachable
from tonnage.loadgen.connection import Connection, Owner
from tonnage.loadgen.target import Target

_PAUSE_S_MIN = 0.02
_PAUSE_S_MAX = 0.5
_OPENING_AT_ONCE_MAX = 128
_CLOSE_WAIT_S = 1.0


class Pool:
    """Connections to one target.

    Args:
        owner: Whom connections tell what becomes of requests.
        target: Where to.
        size: How many to open at the start.
        size_max: How many there may be.
        keeps: Whether one that ends is replaced; else the next one is opened when it is needed.
        connect_timeout_s: How long one may take to open [s].
        on_free: Called when one may have become free.

    Attributes:
        free: Connections with nothing in flight; the longest idle is first, so that all take turns.
        members: All open connections that are not retired.
        refused: Whether the last attempt failed and none is open.
        opened: Connections opened so far.
        refusals: Attempts that failed so far.
    """

    __slots__ = (
        "_address",
        "_closing",
        "_connect_timeout_s",
        "_context",
        "_keeps",
        "_leaving",
        "_loop",
        "_on_free",
        "_opening",
        "_owner",
        "_pause_s",
        "_target",
        "_tasks",
        "free",
        "last_error",
        "members",
        "opened",
        "refusals",
        "refused",
        "size",
        "size_max",
    )

    def __init__(
        self,
        *,
        owner: Owner,
        target: Target,
        size: int,
        size_max: int,
        keeps: bool,
        connect_timeout_s: float,
        on_free: Callable[[], None],
    ) -> None:
        self._owner = owner
        self._target = target
        self.size = size
        self.size_max = size_max
        self._keeps = keeps
        self._connect_timeout_s = connect_timeout_s
        self._on_free = on_free
        self._loop = asyncio.get_running_loop()
        self._context = ssl.create_default_context() if target.tls else None
        self._address = target.host
        self._tasks: set[asyncio.Task[None]] = set()
        self._opening = 0
        self._pause_s = _PAUSE_S_MIN
        self._closing = False
        self._leaving: dict[Connection, asyncio.TimerHandle] = {}
        self.free: deque[Connection] = deque()
        self.members: set[Connection] = set()
        self.refused = False
        self.opened = 0
        self.refusals = 0
        self.last_error: BaseException | None = None

    async def start(self) -> None:
        """Open the first connections.

        Raises:
            TargetUnreachable: Not one could be opened.
        """
        try:
            found = await self._loop.getaddrinfo(self._target.host, self._target.port, type=1)
            # Resolved once: a look-up for each connection would be measured with the server.
            self._address = await self._first_answering([str(entry[4][0]) for entry in found])
        except OSError as error:
            raise TargetUnreachable(self._unreachable(error)) from error
        self.fill()
        while self._opening and not self.refused:
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        if not self.members:
            raise TargetUnreachable(self._unreachable(self.last_error))

    async def _first_answering(self, addresses: list[str]) -> str:
        """Find the address that takes connections, as ``localhost`` may stand for two."""
        last: OSError | None = None
        for address in dict.fromkeys(addresses):
            try:
                async with asyncio.timeout(self._connect_timeout_s):
                    transport, _ = await self._loop.create_connection(
                        asyncio.Protocol, address, self._target.port
                    )
            except OSError as error:  # TimeoutError is one
                last = error
            else:
                transport.close()
                return address
        raise last or OSError("the name has no address")

    def _unreachable(self, error: BaseException | None) -> str:
        reason = str(error) or type(error).__name__
        return f"{self._target.url}: must take connections, got {reason}; is the server running?"

    @property
    def in_flight(self) -> int:
        """Requests sent and not yet answered."""
        return len(self.members) - len(self.free)

    def fill(self) -> None:
        """Bring the number of connections back to ``size``."""
        self._open(self.size - len(self.members) - self._opening)

    def grow(self, waiting: int) -> None:
        """Add connections for requests that wait, up to ``size_max``."""
        room = self.size_max - len(self.members) - self._opening
        wanted = min(waiting - self._opening, room)
        if wanted > 0 and not self.refused:
            self.size = min(self.size_max, self.size + wanted)
            self._open(wanted)

    def _open(self, count: int) -> None:
        if self._closing:
            return
        allowed = 1 - self._opening if self.refused else _OPENING_AT_ONCE_MAX - self._opening
        for _ in range(min(count, allowed)):
            self._opening += 1
            task = self._loop.create_task(self._open_one())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _open_one(self) -> None:
        if self.refused:
            await asyncio.sleep(self._pause_s)
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                _, connection = await self._loop.create_connection(
                    lambda: Connection(self._owner),
                    self._address,
                    self._target.port,
                    ssl=self._context,
                    server_hostname=self._target.host if self._context else None,
                )
        except (OSError, ssl.SSLError) as error:
            self._opening -= 1
            self.refusals += 1
            self.last_error = error
            if not self.members:
                self.refused = True
                self._pause_s = min(self._pause_s * 2, _PAUSE_S_MAX)
        else:
            self._opening -= 1
            self.opened += 1
            self.refused = False
            self._pause_s = _PAUSE_S_MIN
            if not connection.retired:  # it may have ended before we were told that it began
                self.members.add(connection)
                self.free.append(connection)
        self.fill()
        self._on_free()

    def retire(self, connection: Connection) -> None:
        """Give a connection up and open another in its place.

        It is not closed at once: whoever closes first holds the port pair for a minute, so the
        server, which asked for the end, may go first.
        """
        if connection.retired:
            return
        connection.retired = True
        self.members.discard(connection)
        if not self._keeps:
            self.size -= 1
        if connection.request < 0 and connection in self.free:
            self.free.remove(connection)
        transport = connection.transport
        if transport is not None and not transport.is_closing():
            self._leaving[connection] = self._loop.call_later(_CLOSE_WAIT_S, self._cut, connection)
        self.fill()

    def _cut(self, connection: Connection) -> None:
        handle = self._leaving.pop(connection, None)
        if handle is not None:
            handle.cancel()
        if connection.transport is not None:
            connection.transport.abort()

    def drop(self, connection: Connection) -> None:
        """Give a connection up and cut it at once, as a user who waits no longer does."""
        self.retire(connection)
        self._cut(connection)

    async def close(self) -> None:
        """Close everything."""
        self._closing = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for connection in (*self.members, *self._leaving):
            connection.retired = True
            self._cut(connection)
        self.members.clear()
        self.free.clear()
        await asyncio.sleep(0)  # lets transports say goodbye before the loop closes
