"""The UDP socket that both paths use."""

from __future__ import annotations

import contextlib
import socket

SOCKET_BUFFER = 4 * 1024 * 1024  # the kernel may grant less; what waits too long in it is shed


def bind(host: str, port: int) -> socket.socket:
    """The UDP socket of a path. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    udp = socket.socket(family, socket.SOCK_DGRAM)
    try:
        if family == socket.AF_INET6:
            udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)  # "::" is everything, IPv4 too
        udp.bind((host, port))
    except OSError:
        udp.close()
        raise
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        with contextlib.suppress(OSError):
            udp.setsockopt(socket.SOL_SOCKET, option, SOCKET_BUFFER)
    udp.setblocking(False)
    return udp
