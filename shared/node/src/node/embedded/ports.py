"""Ports on loopback."""

import secrets
import socket
from itertools import count

OFFERED = range(10_000, 32_000)
"""Below those that systems give to outgoing connections (Linux from 32768 on, others from 49152): a port of those may be free now and
somebody's connection when it is to be listened on, now or after a restart."""

_next = count(secrets.randbelow(len(OFFERED)))
"""Each is offered once, so that two that are asked for before the first is used differ."""


def free_port(in_a_row: int = 1) -> int:
    """A port nobody listens on just now, nor on those after it where several are wanted `in_a_row`. Raises OSError where there is none."""
    for _ in OFFERED:
        first = OFFERED[next(_next) % len(OFFERED)]
        if not any(is_taken(port) for port in range(first, first + in_a_row)):
            for _ in range(in_a_row - 1):
                next(_next)
            return first
    raise OSError(f"no {in_a_row} ports in a row are free")


def is_taken(port: int) -> bool:
    """Whether somebody listens on a port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
        return False
