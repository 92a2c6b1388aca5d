"""The open TCP sockets of this process to the nodes, as the kernel counts them (Linux)."""

from __future__ import annotations

import ipaddress
import socket
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from loadgen.plan import Endpoint

_ESTABLISHED = "01"
_CLOSE_WAIT = "08"
"""The state of a socket whose peer has closed, and which this process has not closed."""

_TABLES = ("tcp", "tcp6")


def open_sockets(nodes: Sequence[Endpoint]) -> dict[int, int] | None:
    """Return how many open sockets this process has to each node, by the node's number from 1.

    Counted are sockets that are established, or that only the peer has closed. None where the kernel does not say.
    """
    try:
        own = set(_inodes())
        connections = [line for table in _TABLES for line in _lines(table)]
    except OSError:
        return None
    peers = {_peer(node): number for number, node in enumerate(nodes, 1)}
    counts = dict.fromkeys(range(1, len(nodes) + 1), 0)
    for _, _, peer, state, *_, inode in connections:
        number = peers.get(peer)
        if number is not None and state in (_ESTABLISHED, _CLOSE_WAIT) and inode in own:
            counts[number] += 1
    return counts


def _inodes() -> Iterator[str]:
    for link in Path("/proc/self/fd").iterdir():
        try:
            target = str(link.readlink())
        except OSError:  # It was closed meanwhile.
            continue
        if target.startswith("socket:["):
            yield target[8:-1]


def _lines(table: str) -> Iterator[list[str]]:
    path = Path("/proc/self/net") / table
    if not path.exists():
        return  # A kernel without IPv6.
    with path.open(encoding="ascii") as lines:
        next(lines)
        for line in lines:
            yield line.split(maxsplit=10)[:10]


def _peer(node: Endpoint) -> str:
    """Return an address as the kernel's table writes it: words of 32 bits in the host's order, and the port, in hex."""
    address = ipaddress.ip_address(node.address)
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    packed = socket.inet_pton(family, node.address)
    words = [int.from_bytes(packed[at : at + 4], sys.byteorder) for at in range(0, len(packed), 4)]
    return "".join(f"{word:08X}" for word in words) + f":{node.port:04X}"
