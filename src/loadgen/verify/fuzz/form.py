"""The form of a target's inputs: how bytes are read as pieces, and what mutations put into them. Values; no I/O."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from loadgen.verify.fuzz.piece import Frame, Item, Numbering, Piece, rendered

NUMBERS = (
    b"0", b"-1", b"-0", b"00", b"1", b"+1", b"511", b"512", b"513", b"65536", b"2147483647", b"2147483648",
    b"4294967296", b"1099511627775", b"1099511627776", b"9" * 18, b"9223372036854775807", b"-9223372036854775808",
    b"9223372036854775808", b"18446744073709551615", b"18446744073709551616", b"9" * 400, b"1e999", b"0.5", b"",
)  # fmt: skip
"""What stands in the place of a number: bounds of types and of limits, and what is no number."""


@dataclass(frozen=True, slots=True)
class Form:
    """The form of inputs."""

    name: str
    """The name of the corpus file."""
    read: Callable[[bytes], tuple[Piece, ...]]
    """Returns the pieces of some bytes, all of which are in them. Bytes of another form are texts."""
    tokens: tuple[bytes, ...]
    """Texts that a mutation inserts."""
    numberings: tuple[Numbering, ...] = ()
    around: tuple[Frame, ...] = ()
    """Frames without a body that a mutation puts around a piece."""
    words: tuple[str, ...] = ()
    """What an item may be, such as the command that a reply answers; empty where items are bytes only."""
    numbers: tuple[bytes, ...] = NUMBERS
    """What stands in the place of numbers."""
    most_items: int = 4
    """The most entries of the corpus in one input."""

    def word(self, item: Item) -> str:
        """Return the word of an item; empty in a form without words."""
        return self.words[item.word] if self.words else ""

    def bytes_of(self, item: Item) -> bytes:
        """Return the bytes of an item."""
        return rendered(item.pieces, self.numberings)
