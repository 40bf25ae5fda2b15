"""Sockets to listen on."""

from __future__ import annotations

import contextlib
import ctypes
import socket
import struct
import sys

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


_SO_ATTACH_FILTER = 26
_BPF_RETURN = 0x06  # BPF_RET | BPF_K


def last_ones(sock: socket.socket) -> list[socket.socket]:
    """Let nobody else in, and accept who is connected already.

    Closing a listening socket resets the connections that the kernel has made and the process has not
    accepted yet, with the requests on them. So new ones are kept out first, by a filter that drops every
    packet to the listening socket: a client that is kept out tries again and finds the next replica, or
    nobody. Newer kernels let only a privileged process filter TCP; without the filter, a backlog of none
    keeps out all but one connection.

    Args:
        sock: A listening socket, which is closed by the caller next.

    Source: socket(7) and packet(7), ``SO_ATTACH_FILTER``; the program is one "return 0".
    """
    sock.listen(0)
    if sys.platform == "linux":
        program = ctypes.create_string_buffer(struct.pack("HBBI", _BPF_RETURN, 0, 0, 0))
        # struct sock_fprog: a length, and behind padding the address
        filtering = struct.pack("HP", 1, ctypes.addressof(program))
        with contextlib.suppress(PermissionError):
            sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, filtering)
    accepted: list[socket.socket] = []
    while True:
        try:
            client, _ = sock.accept()
        except BlockingIOError:
            return accepted
        except ConnectionAbortedError:
            continue  # it has gone
        client.setblocking(False)
        accepted.append(client)
