"""The interface of the types of toxics: attributes, and what is done with a stub's chunks.

A behaviour is shared by all connections of a proxy: the state of a connection is in its stub. Attributes are whole
numbers in the units of Toxiproxy's API; the behaviour converts them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from loadgen.faults.proxy.chain.stub import Stub

US = 1_000
MS = 1_000_000
"""Nanoseconds."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute of a type of toxic."""

    name: str
    unit: str
    go_type: str = "int64"
    """The type in Toxiproxy, which its messages name."""


class Behaviour:
    """One type of toxic with its attributes. The base class passes everything on: `noop`."""

    name: ClassVar[str] = "noop"
    go_name: ClassVar[str] = "NoopToxic"
    """The type's name in Toxiproxy, which its messages name."""
    takes: ClassVar[tuple[Attribute, ...]] = ()
    buffered: ClassVar[int] = 0
    """The chunks that a stub takes besides the one that it works on."""
    resets: ClassVar[bool] = False
    """True when connections made while the toxic is there end by a reset."""
    passes: ClassVar[bool] = False
    """True when chunks pass unchanged and at once."""

    __slots__ = ("_values",)

    def __init__(self, values: dict[str, int] | None = None) -> None:
        self._values = {attribute.name: 0 for attribute in self.takes} | (values or {})

    def attributes(self) -> dict[str, int]:
        """Return the attributes by name, in the order of the API."""
        return dict(self._values)

    def changed(self, values: dict[str, int]) -> Behaviour:
        """Return the same type with these attributes replaced."""
        return type(self)(self._values | values)

    def begin(self, stub: Stub, now_ns: int) -> None:
        """Begin on a connection, or begin anew after an interruption."""

    def step(self, stub: Stub, now_ns: int) -> bool:
        """Do all that is due at this time; return True when anything went on.

        Sets `stub.wake_ns` when something is due later.
        """
        return pass_on(stub)

    def interrupt(self, stub: Stub) -> bool:
        """Hand on what is held for a connection; return False when the toxic cannot be interrupted there."""
        return True

    def on_removed(self, stub: Stub) -> None:
        """Do what the removal of the toxic does to a connection, besides handing on what waits."""


def pass_on(stub: Stub) -> bool:
    """Hand on every chunk for which there is room, and the end after the last one; return True when any went on."""
    moved = False
    while stub.queue and stub.after.has_room():
        stub.hand_on()
        moved = True
    return end_on(stub) or moved


def end_on(stub: Stub) -> bool:
    """End the output when nothing is left of the input; return True when it ended."""
    if stub.input_ended and not stub.queue:
        stub.close()
        return True
    return False
