"""Sockets to listen on."""

from __future__ import annotations

import socket

from tonnage.contract.server_config import ListenConfig
from tonnage.errors import EnvironmentFault


class PortTaken(EnvironmentFault):
    """An address that cannot be listened on."""


def bind(listen: ListenConfig) -> socket.socket:
    """Bind an address; shared with other processes when it is opened only by who is ready.

    Raises:
        PortTaken: Somebody else has it, or it is not ours.
    """
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if listen.only_ready:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        sock.bind((listen.host, listen.port))
    except OSError as error:
        sock.close()
        raise PortTaken(
            f"server.port: must be free to listen on, got {listen.host}:{listen.port}: {error.strerror}"
            "; stop what listens there, or choose another with --port"
        ) from None
    sock.setblocking(False)
    return sock
