"""An interpreter of one layer for managed servers: begins and ends its faults, and keeps their counts.

How a fault of each kind begins is given to it, by kind. This file does not know the layers.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from loadgen.errors import LoadgenError
from loadgen.faults.fault import Fault
from loadgen.faults.interpreter import FaultError
from loadgen.target.server import ManagedServer


class ActiveFault(Protocol):
    """A fault that has begun on a server. Either method raises LoadgenError or OSError."""

    def effects(self) -> int:
        """Return how often the fault has taken effect since it began. Not called after `end`."""

    def end(self) -> None:
        """End the fault, and return when it has ended."""


@runtime_checkable
class PacketFault(ActiveFault, Protocol):
    """A fault that is about packets. The method raises LoadgenError or OSError."""

    def seen(self) -> int:
        """Return the packets that the fault was about since it began, taken or not. Not called after `end`."""


Beginning = Callable[[ManagedServer, Fault], ActiveFault]
"""Begins a fault on a server, and returns when it has begun. Raises LoadgenError or OSError."""


class LayerFaults:
    """The faults of one layer on managed servers, as an Interpreter. Node 1 is the first server."""

    def __init__(self, servers: Sequence[ManagedServer], beginnings: Mapping[str, Beginning]) -> None:
        self._servers = servers
        self._beginnings = beginnings
        self._active: dict[tuple[str, int], ActiveFault] = {}
        self._ended: Counter[tuple[str, int]] = Counter()
        """The effects of the spells that have ended."""
        self._seen: Counter[tuple[str, int]] = Counter()
        """The packets that those spells were about."""

    def begin(self, fault: Fault, node: int) -> None:
        key = _key(fault, node)
        with _told(fault, node, "begun"):
            if not 1 <= node <= len(self._servers):
                most = len(self._servers)
                raise FaultError(f"there {'is 1 server' if most == 1 else f'are {most} servers'} of loadgen's own.")
            if fault.kind not in self._beginnings:
                raise FaultError(f"the {fault.layer} layer has no such kind of fault.")
            if key in self._active:
                raise FaultError("the same fault lasts already.")
            self._active[key] = self._beginnings[fault.kind](self._servers[node - 1], fault)

    def end(self, fault: Fault, node: int) -> None:
        key = _key(fault, node)
        if (active := self._active.pop(key, None)) is None:
            return
        with _told(fault, node, "ended"):
            try:
                self._ended[key] += active.effects()
                if isinstance(active, PacketFault):
                    self._seen[key] += active.seen()
            finally:
                active.end()

    def effects(self, fault: Fault, node: int) -> int:
        key = _key(fault, node)
        active = self._active.get(key)
        with _told(fault, node, "counted"):
            return self._ended[key] + (active.effects() if active is not None else 0)

    def seen(self, fault: Fault, node: int) -> int | None:
        key = _key(fault, node)
        active = self._active.get(key)
        if not isinstance(active, PacketFault):
            return self._seen.get(key)
        with _told(fault, node, "counted"):
            return self._seen[key] + active.seen()

    def close(self) -> None:
        """End every fault that lasts, whether its server still runs or not."""
        while self._active:
            _, active = self._active.popitem()
            with contextlib.suppress(LoadgenError, OSError):
                active.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _key(fault: Fault, node: int) -> tuple[str, int]:
    # A fault has a mapping of parameters, and is no key itself.
    return repr(fault), node


@contextlib.contextmanager
def _told(fault: Fault, node: int, what: str) -> Iterator[None]:
    """Raise what cannot be done as a FaultError that names the fault."""
    try:
        yield
    except (LoadgenError, OSError) as error:
        raise FaultError(f"The fault {fault.kind} could not be {what} on {fault.place(node)}: {error}") from None
