"""Evidence that a fault is on, for a proxy that does not count what its toxics do: connections of our own meet it.

A probe asks `version`, which memcache and RESP servers answer, if only with an error; a probe of `slow_close` asks
`quit`, after which servers close. A probe has met a fault when its answer fails to come while the fault must hold it
back, and did come, in half that time, before the fault.
"""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass

from loadgen.faults.fault import Fault

QUESTION, FAREWELL = b"version\r\n", b"quit\r\n"

PROBES = 20
"""The probes of a fault that is on a share of connections: with 5 %, some of 20 meet it in two cases of three."""

_LONGEST_S = 0.4
_SHORTEST_S = 0.005
"""A wait below this cannot be told from that for a busy server."""
_CONNECT_S = 1.0
_MOST_LIMIT_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Probe:
    """How a fault is met."""

    sent: bytes
    within_s: float
    """The time that the fault is given to show itself."""
    by_silence: bool = True
    """True when the fault shows itself by the answer that does not come, or does not end; False: by an early end."""
    for_the_end: bool = False
    """True when the answer that counts is the end of the stream."""


def probe_of(fault: Fault) -> Probe | None:
    """Return the probe of a fault; None for a fault that no probe can tell."""
    parameters = fault.parameters
    match fault.kind:
        case "latency":
            return _silence(QUESTION, float(parameters["delay"]) - float(parameters["jitter"]))
        case "bandwidth" if not parameters["rate"]:
            return Probe(QUESTION, _LONGEST_S)
        case "timeout" | "reset_peer":
            return Probe(QUESTION, _LONGEST_S)
        case "slow_close" if parameters["stream"] == "downstream":
            found = _silence(FAREWELL, float(parameters["delay"]))
            return None if found is None else Probe(found.sent, found.within_s, for_the_end=True)
        case "limit_data" if float(parameters["bytes"]) <= _MOST_LIMIT_BYTES:
            # Each question and each answer has eight bytes at least.
            return Probe(QUESTION * (int(parameters["bytes"]) // 8 + 2), _LONGEST_S, by_silence=False)
    return None


def _silence(sent: bytes, held_ns: float) -> Probe | None:
    within_s = min(held_ns / 1e9 * 0.9, _LONGEST_S)
    return Probe(sent, within_s) if within_s >= _SHORTEST_S else None


def answers(address: tuple[str, int], probe: Probe) -> bool:
    """True when a probe without the fault is answered in half the time, so that silence says something."""
    return not probe.by_silence or _met([address], probe, probe.within_s / 2) == 0


def met(address: tuple[str, int], probe: Probe, fault: Fault) -> int:
    """Return how many probes meet the fault now: of one, or of `PROBES` for a fault on a share of connections."""
    count = 1 if float(fault.parameters.get("toxicity", 1.0)) >= 1.0 else PROBES
    return _met([address] * count, probe, probe.within_s)


def refuses(address: tuple[str, int]) -> bool:
    """True when a connection is refused."""
    try:
        socket.create_connection(address, _CONNECT_S).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return False


def _met(addresses: Sequence[tuple[str, int]], probe: Probe, within_s: float) -> int:
    """Ask on all connections at once, and return the number of those that show the fault in time."""
    with contextlib.ExitStack() as stack:
        waiting: set[socket.socket] = set()
        for address in addresses:
            with contextlib.suppress(OSError):
                connection = stack.enter_context(socket.create_connection(address, _CONNECT_S))
                connection.sendall(probe.sent)
                waiting.add(connection)
        ended = 0
        deadline = time.monotonic() + within_s
        while waiting and (left := deadline - time.monotonic()) > 0:
            for connection in select.select(list(waiting), [], [], left)[0]:
                more = _receives(connection)
                if more and (probe.for_the_end or not probe.by_silence):
                    continue
                waiting.discard(connection)
                ended += not more
        if not probe.by_silence:
            return ended
        return len(waiting) + (0 if probe.for_the_end else ended)


def _receives(connection: socket.socket) -> bool:
    """Receive what there is; False at the end of the stream."""
    try:
        return bool(connection.recv(65536))
    except OSError:
        return False
