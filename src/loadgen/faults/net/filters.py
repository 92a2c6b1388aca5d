"""Faults that a packet filter carries out: nftables' rules in a server's network namespace (nft(8)).

Each fault has a table of its own, whose name begins with `lg-`, with two counters: of the packets that the fault is
about, and of those that it took. Only TCP packets on the server's end of the veth pair are matched: the server's own
loopback, and address resolution, stay whole. What nft draws at random has no seed; every nth packet is the loss that
can be repeated exactly.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from loadgen.faults.fault import Fault, Value
from loadgen.faults.interpreter import FaultError
from loadgen.target.apart import INTERFACE, PREFIX
from loadgen.target.server import ManagedServer

SEEN, EFFECTS = "seen", "effects"
"""The names of the counters of a table."""

# Of a million draws, so many hit: a share to six digits.
_DRAWS = 1_000_000

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Rule:
    """What is done with TCP packets of one direction, in nft's words."""

    verdict: str
    concerned: str = ""
    """The packets that the fault is about; empty: all."""
    picked: str = ""
    """Those of them that are taken; empty: all."""


def _drawn(share: Value) -> str:
    return "" if float(share) >= 1 else f"numgen random mod {_DRAWS} < {round(float(share) * _DRAWS)}"


def _loss(parameters: Mapping[str, Value]) -> Rule:
    nth = int(parameters["nth"])
    return Rule("drop", picked=f"numgen inc mod {nth} == {nth - 1}" if nth else _drawn(parameters["probability"]))


_SYN = "tcp flags & (syn | ack) == syn"

RULES: Mapping[str, Callable[[Mapping[str, Value]], Rule]] = {
    "loss": _loss,
    "black_hole": lambda parameters: Rule("drop"),
    "syn_drop": lambda parameters: Rule("drop", _SYN, _drawn(parameters["probability"])),
    "refuse": lambda parameters: Rule("reject with tcp reset", _SYN),
    "rst": lambda parameters: Rule("reject with tcp reset", "tcp flags & (syn | rst) == 0"),
}
"""The rule of each kind of fault."""


def script(table: str, fault: Fault) -> str:
    """Return nft's script that makes a fault's table. A kind without a direction is about packets to the server."""
    direction = fault.parameters.get("direction", "in")
    chains = [("in", "input", "iifname"), ("out", "output", "oifname")]
    rule = RULES[fault.kind](fault.parameters)
    lines = [f"table inet {table} {{", f" counter {SEEN} {{ }}", f" counter {EFFECTS} {{ }}"]
    for name, hook, match in chains:
        if direction in (name, "both"):
            concerned = f'{match} "{INTERFACE}" meta l4proto tcp {rule.concerned}'
            lines += [
                f" chain {name} {{",
                f"  type filter hook {hook} priority 0;",
                f"  {concerned} counter name {SEEN};",
                f"  {concerned} {rule.picked} counter name {EFFECTS} {rule.verdict};",
                " }",
            ]
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
        return self._counted()[EFFECTS]

    def seen(self) -> int:
        return self._counted()[SEEN]

    def end(self) -> None:
        self._server.inside("nft", "delete", "table", "inet", self._table)
        if self._resets:
            # The server's ends of connections that were reset have heard nothing of it.
            self._server.inside("ss", "-K", "-t", "state", "established", "sport", f"= :{self._server.port}")

    def _counted(self) -> dict[str, int]:
        return counted(self._server.inside("nft", "-j", "list", "counters", "table", "inet", self._table))


def counted(said: str) -> dict[str, int]:
    """Return the packets of each counter of one table, from nft's JSON list of counters."""
    found = [each["counter"] for each in json.loads(said)["nftables"] if "counter" in each]
    return {counter["name"]: int(counter["packets"]) for counter in found}


def check(server: ManagedServer) -> None:
    """Raise FaultError for a server without a network namespace: the host's own rules are never touched."""
    if not server.plan.surroundings.netns:
        raise FaultError("the server has no network namespace of its own: start it with surroundings_for([…]).")
