"""The addresses and ports of this machine that outgoing connections can have."""

from __future__ import annotations

import socket
from pathlib import Path

MOST_PORTS = 65535 - 1024 + 1
"""The most ports that one address can have for outgoing connections: those above the well-known ones."""

_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_RESERVED = Path("/proc/sys/net/ipv4/ip_local_reserved_ports")


def is_own_address(address: str) -> bool:
    """True when connections can come from this numeric address."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True


def outgoing_ports() -> int | None:
    """Return how many connections to one server can come from one address; None where the system does not say."""
    try:
        first, last = map(int, _RANGE.read_text(encoding="ascii").split())
    except (OSError, ValueError):
        return None
    return last - first + 1 - _reserved(first, last)


def _reserved(first: int, last: int) -> int:
    """Return how many ports from `first` to `last` are kept from outgoing connections."""
    try:
        parts = [part for part in _RESERVED.read_text(encoding="ascii").strip().split(",") if part]
        ranges = [[*map(int, part.split("-"))] for part in parts]
    except (OSError, ValueError):
        return 0
    return sum(max(0, min(last, each[-1]) - max(first, each[0]) + 1) for each in ranges)
