"""The open TCP sockets of this process to the nodes, as the kernel counts them (Linux).

Each descriptor of the process is asked for its peer and its state. The tables of /proc/net would say the same, and take
the longer the more connections the whole host has.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
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
    for host, port in _peers():
        number = numbers.get((ip_address(host), port))
        if number is not None:
            counts[number] += 1
    return counts


def _peers() -> Iterator[tuple[str, int]]:
    """Yield the address and port of the peer of each open TCP socket."""
    for name in os.listdir(_DESCRIPTORS):  # noqa: PTH208 - each 200 ms
        # A descriptor may be closed, and another one opened under its number, at any moment: hence the copy.
        with contextlib.suppress(OSError):
            if not stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                continue
            with socket.socket(fileno=os.dup(int(name))) as copy:
                if copy.family not in (socket.AF_INET, socket.AF_INET6) or copy.type != socket.SOCK_STREAM:
                    continue
                if copy.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] in (_ESTABLISHED, _CLOSE_WAIT):
                    peer = copy.getpeername()
                    yield peer[0].removeprefix("::ffff:").partition("%")[0], peer[1]
