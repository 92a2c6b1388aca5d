"""The interpreter of the layer `proxy`: faults become toxics of a running proxy, by its API.

The proxy is `loadgen proxy` or a Toxiproxy. Parameters of faults are in ns and bytes, those of toxics in ms, µs and KB.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from loadgen.faults.fault import Fault
from loadgen.faults.interpreter import EffectsUnknownError, FaultError
from loadgen.faults.proxy import evidence
from loadgen.faults.proxy.api import address
from loadgen.faults.proxy.client import NewToxic, ProxyApi, ProxyApiError
from loadgen.faults.proxy.evidence import Probe

_US, _MS, _KB = 1_000, 1_000_000, 1_000

# For each kind with a toxic of its name: the toxic's attributes, each with the parameter and the parameter's units in
# one unit of the attribute.
ATTRIBUTES: dict[str, dict[str, tuple[str, int]]] = {
    "latency": {"latency": ("delay", _MS), "jitter": ("jitter", _MS)},
    "bandwidth": {"rate": ("rate", _KB)},
    "slow_close": {"delay": ("delay", _MS)},
    "timeout": {"timeout": ("timeout", _MS)},
    "reset_peer": {"timeout": ("timeout", _MS)},
    "slicer": {
        "average_size": ("average_size", 1),
        "size_variation": ("size_variation", 1),
        "delay": ("delay", _US),
    },
    "limit_data": {"bytes": ("bytes", 1)},
    "cut": {"bytes": ("bytes", 1)},
}

DOWN = "down"
"""The kind that disables the proxy itself."""


@dataclass(slots=True)
class _Placed:
    """A fault on one node, and what it did there."""

    fault: Fault
    node: int
    toxic: str
    """The toxic's name; the same in each spell, so that the proxy adds up the effects."""
    is_on: bool = False
    closed_before: int = 0
    """The connections that had been closed by a stop of the proxy when the current spell of DOWN began."""
    closed: int = 0
    """Those of ended spells of DOWN."""
    probe: Probe | None = None
    """How the current spell can be met by a probe, where the proxy does not count; None: it cannot."""
    met: int | None = None
    """The probes that met the fault in ended spells; None when no spell could be probed."""


class ProxyInterpreter:
    """Carries out faults on nodes that have a proxy each: `proxies` has the proxy's name for each node, from 1."""

    def __init__(self, api: ProxyApi, proxies: Mapping[int, str]) -> None:
        self._api = api
        self._proxies = dict(proxies)
        self._placed: list[_Placed] = []
        self._counts: bool | None = None
        """True when the proxy counts what its toxics do; None before the first question."""

    def begin(self, fault: Fault, node: int) -> None:
        placed = self._place(fault, node)
        if placed.is_on:
            raise FaultError(f"The fault {fault.kind} is on node {node} already: let one end before the next begins.")
        try:
            if fault.kind == DOWN:
                placed.closed_before = self._closed(node)
                self._api.enable(self._name(node), False)
            else:
                self._prepare_probe(placed)
                self._api.add_toxic(self._name(node), toxic_of(fault, placed.toxic))
        except ProxyApiError as error:
            raise FaultError(self._failure("begun", fault, node, error)) from None
        placed.is_on = True

    def end(self, fault: Fault, node: int) -> None:
        placed = self._place(fault, node)
        if not placed.is_on:
            return
        try:
            placed.met = self._met(placed)
            if fault.kind == DOWN:
                placed.closed += self._closed(node) - placed.closed_before
                placed.is_on = False
                if not any(other.is_on for other in self._placed if other.node == node and other.fault.kind == DOWN):
                    self._api.enable(self._name(node), True)
            else:
                self._api.remove_toxic(self._name(node), placed.toxic)
        except ProxyApiError as error:
            raise FaultError(self._failure("ended", fault, node, error)) from None
        placed.is_on = False

    def effects(self, fault: Fault, node: int) -> int:
        """Return how often the fault has taken effect on a node until now.

        A Toxiproxy does not count: the effects are then connections of our own that met the fault (`evidence`). Raises
        EffectsUnknownError when no such connection can tell, and FaultError.
        """
        placed = self._place(fault, node)
        try:
            counted = self._api.effects()
            met = self._met(placed) if counted is None else None
        except ProxyApiError as error:
            raise FaultError(str(error)) from None
        if counted is None:
            if met is None:
                raise EffectsUnknownError(
                    f"The effects of {fault.kind} on node {node} are not known: the Toxiproxy at {self._api.url} does "
                    "not count what its toxics do; use loadgen proxy, which does."
                )
            return met
        proxy = counted.get(self._name(node), {})
        if fault.kind == DOWN:
            now = int(proxy.get("connections", {}).get("closed_by_stop", 0))
            return placed.closed + (now - placed.closed_before if placed.is_on else 0)
        return int(proxy.get("toxics", {}).get(placed.toxic, {}).get("count", 0))

    def seen(self, fault: Fault, node: int) -> int | None:
        """Return None: a proxy relays bytes, and meets no packets."""
        return None

    def _place(self, fault: Fault, node: int) -> _Placed:
        for placed in self._placed:
            if placed.node == node and placed.fault == fault:
                return placed
        placed = _Placed(fault, node, f"loadgen-{len(self._placed) + 1}-{fault.kind}")
        self._placed.append(placed)
        return placed

    def _name(self, node: int) -> str:
        if node not in self._proxies:
            raise FaultError(f"Node {node} has no proxy: faults of the layer proxy need one before each node.")
        return self._proxies[node]

    def _closed(self, node: int) -> int:
        """Return the connections of a node's proxy that a stop has closed; 0 when the proxy does not count."""
        counted = self._api.effects() or {}
        return int(counted.get(self._name(node), {}).get("connections", {}).get("closed_by_stop", 0))

    # ── Where the proxy does not count ──────────────────────────────────────────────────────────────────────────────

    def _counted_by_proxy(self) -> bool:
        if self._counts is None:
            self._counts = self._api.effects() is not None
        return self._counts

    def _prepare_probe(self, placed: _Placed) -> None:
        """Find out if the beginning spell can be met by a probe."""
        if self._counted_by_proxy():
            return
        probe = evidence.probe_of(placed.fault)
        answers = probe is not None and evidence.answers(self._address(placed.node), probe)
        placed.probe = probe if answers else None

    def _met(self, placed: _Placed) -> int | None:
        """Return the probes that have met the fault, those of a current spell included; None when none can tell."""
        if not placed.is_on or self._counted_by_proxy():
            return placed.met
        at = self._address(placed.node)
        if placed.fault.kind == DOWN:
            return (placed.met or 0) + evidence.refuses(at)
        if placed.probe is None:
            return placed.met
        return (placed.met or 0) + evidence.met(at, placed.probe, placed.fault)

    def _address(self, node: int) -> tuple[str, int]:
        """Return the address on which the proxy of a node can be reached."""
        host, port = address.split(str(self._api.proxy(self._name(node))["listen"]))
        return (self._api.host if host in ("", "::", "0.0.0.0") else host), port

    def _failure(self, what: str, fault: Fault, node: int, error: ProxyApiError) -> str:
        if error.status == 400 and "invalid toxic type" in str(error):
            return (
                f"The fault {fault.kind} cannot be {what} on node {node}: the proxy at {self._api.url} has no such "
                "toxic; use loadgen proxy."
            )
        return f"The fault {fault.kind} could not be {what} on node {node}: {error}"


def toxic_of(fault: Fault, name: str) -> NewToxic:
    """Return the toxic that carries out a fault. Raises FaultError for a kind that no toxic has."""
    if fault.kind not in ATTRIBUTES:
        raise FaultError(f"The fault {fault.kind} is none of the proxy's.")
    return NewToxic(
        name,
        fault.kind,
        str(fault.parameters.get("stream", "downstream")),
        float(fault.parameters.get("toxicity", 1.0)),
        {
            attribute: _converted(fault.parameters[parameter], unit)
            for attribute, (parameter, unit) in ATTRIBUTES[fault.kind].items()
        },
        fault.seed,
    )


def _converted(value: int | float | str, unit: int) -> int:
    """Return a parameter in a larger unit, rounded; a value above 0 is 1 at least, because 0 means something else."""
    number = float(value)
    return max(round(number / unit), 1) if number > 0 else 0
