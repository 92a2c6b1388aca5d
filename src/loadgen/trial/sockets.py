"""The open TCP sockets of this process to the nodes, as the kernel counts them (Linux).

Each descriptor of the process is asked for its peer and its state. The tables of /proc/net would say the same, and take
the longer the more connections the whole host has.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections import Counter
from collections.abc import Iterator, Sequence
from ipaddress import ip_address

from loadgen.plan import Endpoint

_ESTABLISHED = 1
_CLOSE_WAIT = 8
"""The state of a socket whose peer has closed, and which this process has not closed (netinet/tcp.h)."""

_DESCRIPTORS = "/proc/self/fd"


def open_sockets(nodes: Sequence[Endpoint]) -> dict[int, int] | None:
    """Return how many open sockets this process has to each node, by the node's number from 1.

    Counted are sockets that are established, or that only the peer has closed. None where the kernel does not say.
    """
    if not os.path.isdir(_DESCRIPTORS) or not hasattr(socket, "TCP_INFO"):  # noqa: PTH112 - each 200 ms
        return None
    numbers = {(ip_address(node.address), node.port): number for number, node in enumerate(nodes, 1)}
    counts = dict.fromkeys(numbers.values(), 0)
    for (host, port), sockets in Counter(_peers()).items():
        number = numbers.get((ip_address(host.removeprefix("::ffff:").partition("%")[0]), port))
        if number is not None:
            counts[number] += sockets
    return counts


def _peers() -> Iterator[tuple[str, int]]:
    """Yield the address and port of the peer of each open TCP socket.

    The callers wait meanwhile, so that a thousand sockets must not take long.
    """
    for name in os.listdir(_DESCRIPTORS):  # noqa: PTH208 - each 200 ms
        # Descriptors that are no sockets, no TCP sockets or not connected are errors, as are those closed meanwhile.
        with contextlib.suppress(OSError):
            # The family gives the room for an address only: that of IPv6 is the larger one.
            borrowed = socket.SocketType(socket.AF_INET6, socket.SOCK_STREAM, 0, int(name))
            try:
                if borrowed.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] in (_ESTABLISHED, _CLOSE_WAIT):
                    yield borrowed.getpeername()[:2]
            finally:
                borrowed.detach()
