"""Faults that a packet filter carries out: nftables' rules in a server's network namespace (nft(8)).

Each fault has a table of its own, whose name begins with `lg-`, with one counter. Only TCP packets on the server's end
of the veth pair are matched: the server's own loopback, and address resolution, stay whole. What nft draws at random
has no seed; every nth packet is the loss that can be repeated exactly.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping

from loadgen.faults.fault import Fault, Value
from loadgen.faults.interpreter import FaultError
from loadgen.target.apart import INTERFACE, PREFIX
from loadgen.target.server import ManagedServer

_COUNTER = "effects"
_SYN = "tcp flags & (syn | ack) == syn"
# Of a million draws, so many hit: a share to six digits.
_DRAWS = 1_000_000

_numbers = itertools.count(1)


def _drawn(share: Value) -> str:
    return "" if float(share) >= 1 else f"numgen random mod {_DRAWS} < {round(float(share) * _DRAWS)} "


def _loss(parameters: Mapping[str, Value]) -> list[str]:
    nth = int(parameters["nth"])
    picked = f"numgen inc mod {nth} == {nth - 1} " if nth else _drawn(parameters["probability"])
    return [f"{picked}counter name {_COUNTER} drop"]


def _black_hole(parameters: Mapping[str, Value]) -> list[str]:
    return [f"counter name {_COUNTER} drop"]


def _syn_drop(parameters: Mapping[str, Value]) -> list[str]:
    return [f"{_SYN} {_drawn(parameters['probability'])}counter name {_COUNTER} drop"]


def _refuse(parameters: Mapping[str, Value]) -> list[str]:
    return [f"{_SYN} counter name {_COUNTER} reject with tcp reset"]


def _rst(parameters: Mapping[str, Value]) -> list[str]:
    return [f"tcp flags & (syn | rst) == 0 counter name {_COUNTER} reject with tcp reset"]


RULES: Mapping[str, Callable[[Mapping[str, Value]], list[str]]] = {
    "loss": _loss,
    "black_hole": _black_hole,
    "syn_drop": _syn_drop,
    "refuse": _refuse,
    "rst": _rst,
}
"""The rules of each kind of fault for one direction, after the match of the interface."""


def script(table: str, fault: Fault) -> str:
    """Return nft's script that makes a fault's table. A kind without a direction is about packets to the server."""
    direction = fault.parameters.get("direction", "in")
    chains = [("in", "input", "iifname"), ("out", "output", "oifname")]
    lines = [f"table inet {table} {{", f" counter {_COUNTER} {{ }}"]
    for name, hook, match in chains:
        if direction in (name, "both"):
            lines.append(f" chain {name} {{")
            lines.append(f"  type filter hook {hook} priority 0;")
            lines += [
                f'  {match} "{INTERFACE}" meta l4proto tcp {rule};' for rule in RULES[fault.kind](fault.parameters)
            ]
            lines.append(" }")
    return "\n".join([*lines, "}", ""])


class Filter:
    """A table of rules in the network namespace of a server. It counts the packets that its rules took."""

    def __init__(self, server: ManagedServer, fault: Fault) -> None:
        check(server)
        self._server = server
        self._table = f"{PREFIX}{next(_numbers)}"
        self._server.inside("nft", "-f", "-", told=script(self._table, fault))
        self._resets = fault.kind == "rst"

    def effects(self) -> int:
        said = self._server.inside("nft", "-j", "list", "counters", "table", "inet", self._table)
        return counted(said)

    def end(self) -> None:
        self._server.inside("nft", "delete", "table", "inet", self._table)
        if self._resets:
            # The server's ends of connections that were reset have heard nothing of it.
            self._server.inside("ss", "-K", "-t", "state", "established", "sport", f"= :{self._server.port}")


def counted(said: str) -> int:
    """Return the packets of nft's JSON list of one table's counters."""
    return sum(int(each["counter"]["packets"]) for each in json.loads(said)["nftables"] if "counter" in each)


def check(server: ManagedServer) -> None:
    """Raise FaultError for a server without a network namespace: the host's own rules are never touched."""
    if not server.plan.surroundings.netns:
        raise FaultError("the server has no network namespace of its own: start it with surroundings_for([…]).")
