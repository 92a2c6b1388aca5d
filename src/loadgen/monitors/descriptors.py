"""The descriptors of a process, counted by what they point to, so that what leaks can be named. Pure, but for `tabled`.

Sockets are counted by their peers, files by their paths. Of the connections that a process has accepted, each peer has
a port of its own: they are counted by the peer's host and the port at which they were accepted.
"""

from __future__ import annotations

import ipaddress
import re
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from loadgen.monitors.procfs import Proc

_SOCKET = re.compile(r"socket:\[(\d+)\]")

# include/net/tcp_states.h
_STATES = {
    1: "established", 2: "syn-sent", 3: "syn-received", 4: "fin-wait-1", 5: "fin-wait-2", 6: "time-wait", 7: "closed",
    8: "close-wait", 9: "last-ack", 10: "listening", 11: "closing",
}  # fmt: skip
_LISTENING = 10

MOST_ROWS = 1000
"""The most kinds of targets in a table; the rest is counted together."""


@dataclass(frozen=True, slots=True)
class Socket:
    """A row of /proc/net/tcp or udp."""

    kind: str
    """`tcp` or `udp`."""
    own: tuple[str, int]
    """Address and port."""
    peer: tuple[str, int]
    state: int


def parse_inet(kind: str, text: bytes) -> dict[str, Socket]:
    """Return the sockets of a table of IPv4 or IPv6, by inode. Rows that are cut off are left out."""
    found = {}
    for line in text.decode("ascii", "replace").splitlines()[1:]:
        columns = line.split()
        if len(columns) > 9 and ":" in columns[1]:
            found[columns[9]] = Socket(kind, _place(columns[1]), _place(columns[2]), int(columns[3], 16))
    return found


def parse_unix(text: bytes) -> dict[str, str]:
    """Return the paths of sockets in the Unix domain, by inode; empty for one without a path."""
    rows = (line.split(maxsplit=7) for line in text.decode(errors="backslashreplace").splitlines()[1:])
    return {columns[6]: columns[7] if len(columns) > 7 else "" for columns in rows if len(columns) > 6}


def targets(links: Iterable[str], inet: Mapping[str, Socket], unix: Mapping[str, str]) -> Counter[str]:
    """Return how many descriptors point to each target, in words."""
    listening = {socket.own[1] for socket in inet.values() if socket.kind == "tcp" and socket.state == _LISTENING}
    return Counter(_target(link, inet, unix, listening) for link in links)


def table(counts: Counter[str]) -> str:
    """Return a line for each target, the most frequent first."""
    rows = sorted(counts.items(), key=lambda row: (-row[1], row[0]))
    lines = [f"{sum(counts.values())} descriptors\n", *(f"{count:>7}  {name}\n" for name, count in rows[:MOST_ROWS])]
    if rest := rows[MOST_ROWS:]:
        lines.append(f"{sum(count for _, count in rest):>7}  {len(rest):,} other targets\n")
    return "".join(lines)


def tabled(proc: Proc) -> str:
    """Return the table of a process. Raises OSError when its descriptors cannot be read."""
    links = proc.links().values()
    inet = {
        inode: socket
        for name in ("tcp", "tcp6", "udp", "udp6")
        for inode, socket in parse_inet(name[:3], proc.table(name)).items()
    }
    return table(targets(links, inet, parse_unix(proc.table("unix"))))


def _target(link: str, inet: Mapping[str, Socket], unix: Mapping[str, str], listening: set[int]) -> str:
    found = _SOCKET.fullmatch(link)
    if found is None:
        return "pipe" if link.startswith("pipe:") else link.removeprefix("anon_inode:")
    inode = found[1]
    if inode in unix:
        return f"unix socket {unix[inode]}".rstrip()
    if inode not in inet:
        return "socket without an address"
    socket = inet[inode]
    (_, port), (host, peer_port) = socket.own, socket.peer
    if socket.kind == "udp":
        return f"udp to {_shown(host, peer_port)}" if peer_port else f"udp port {port}"
    if socket.state == _LISTENING:
        return f"tcp listening on port {port}"
    state = _STATES.get(socket.state, "?")
    if port in listening:
        return f"tcp from {host}, accepted on port {port}, {state}"
    return f"tcp to {_shown(host, peer_port)}, {state}"


def _shown(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _place(text: str) -> tuple[str, int]:
    """Return an address, written as words of 32 bits in the machine's byte order, and a port."""
    host, _, port = text.partition(":")
    words = bytes.fromhex(host)
    turned = b"".join(words[at : at + 4][::_ORDER] for at in range(0, len(words), 4))
    address = ipaddress.ip_address(turned)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address), int(port, 16)


_ORDER = -1 if sys.byteorder == "little" else 1
