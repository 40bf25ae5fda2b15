"""The end of a listening socket: who is connected is accepted, and nobody is let in any more."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from tonnage.server.listening import last_ones


class Unprivileged(socket.socket):
    """A socket of a process that may not filter, as pods are on newer kernels."""

    def setsockopt(self, *words: Any) -> None:
        raise PermissionError(1, "Operation not permitted")


@pytest.mark.parametrize("kind", [socket.socket, Unprivileged])
def test_who_is_connected_is_accepted(kind: type[socket.socket]) -> None:
    """Connections that the kernel made are accepted with what they sent, privileged or not."""
    with kind(socket.AF_INET, socket.SOCK_STREAM) as door:
        door.bind(("127.0.0.1", 0))
        door.listen(16)
        door.setblocking(False)
        clients = [socket.create_connection(door.getsockname(), 5) for _ in range(5)]
        for client in clients:
            client.sendall(b"hello")
        accepted = last_ones(door)
    assert len(accepted) == 5
    for one in accepted:
        one.setblocking(True)
        one.settimeout(5)
        assert one.recv(16) == b"hello"
    for one in (*accepted, *clients):
        one.close()


def test_without_privileges_hardly_anybody_gets_in() -> None:
    """Where no filter is allowed, at most one of many that come later is taken by the kernel."""
    with Unprivileged(socket.AF_INET, socket.SOCK_STREAM) as door:
        door.bind(("127.0.0.1", 0))
        door.listen(16)
        door.setblocking(False)
        assert last_ones(door) == []
        late = [socket.socket() for _ in range(5)]
        for client in late:
            client.setblocking(False)
            client.connect_ex(door.getsockname())
        accepted = last_ones(door)
        for one in (*late, *accepted):
            one.close()
    assert len(accepted) <= 1
