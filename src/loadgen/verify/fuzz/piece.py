"""An input as pieces: texts, and frames whose length or number is written before them. No I/O.

A frame's number follows from its body, so that an input stays well-formed when a part of the body is left out. A
mutation makes the number a wrong one by claiming another.

Every text of an input is on the tape, byte for byte: a seed draws what the mutation of the corpus gives, and shrinking
leaves out frames and bytes of what was found, whatever it was made from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from loadgen.verify.tape import OPERATION, Tape

MOST_BYTES = 2048
"""The most bytes of an input: longer than any limit of a line or a head in the codecs."""

MOST_ITEMS = 16
MOST_PIECES = 2 * MOST_BYTES
"""The most pieces of one body; an input of bytes that are a piece each has fewer."""

DEEPEST = 8
"""The deepest nesting of frames. Deeper nesting is a text."""

_PIECE = "piece"


@dataclass(frozen=True, slots=True)
class Numbering:
    """How the number of a frame is written."""

    name: str
    written: Callable[[bytes, int], bytes]
    """Returns the number for the bytes of a body and the number of its pieces."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A body between texts, with its number: `head`, number, `tail`, body, `end`."""

    numbering: int
    """The place in the form's numberings."""
    head: bytes
    tail: bytes
    body: tuple[Piece, ...]
    end: bytes
    claim: bytes | None = None
    """What stands in the place of the number; None for the right one."""


Piece: TypeAlias = "bytes | Frame"


@dataclass(frozen=True, slots=True)
class Item:
    """One part of an input: a reply and the command that it answers, a request, a line."""

    word: int
    """The place in the form's words; 0 where the form has none."""
    pieces: tuple[Piece, ...]


def rendered(pieces: Sequence[Piece], numberings: Sequence[Numbering]) -> bytes:
    """Return the bytes of pieces."""
    return b"".join(piece if isinstance(piece, bytes) else _frame_rendered(piece, numberings) for piece in pieces)


def _frame_rendered(frame: Frame, numberings: Sequence[Numbering]) -> bytes:
    body = rendered(frame.body, numberings)
    number = frame.claim
    if number is None:
        number = numberings[frame.numbering].written(body, len(frame.body))
    return b"".join((frame.head, number, frame.tail, body, frame.end))


# ── On the tape ───────────────────────────────────────────────────────────────────────────────────────────────────────


def drawn(tape: Tape, items: Sequence[Item], words: int, numberings: Sequence[Numbering]) -> tuple[Item, ...]:
    """Draw an input. A seed draws `items`; recorded values may name any others.

    `words` is the number of words that the form has. A frame that is nested more than DEEPEST deep becomes a text.
    """
    found = []
    for item in tape.each(OPERATION, items, MOST_ITEMS):
        word = tape.given(item.word if item is not None else 0, max(1, words), "word")
        found.append(Item(word, tuple(_pieces(tape, item.pieces if item is not None else (), numberings, 0))))
    return tuple(found)


def _pieces(tape: Tape, given: Sequence[Piece], numberings: Sequence[Numbering], depth: int) -> Iterator[Piece]:
    # A text, and each numbering; at the deepest level there are texts only.
    kinds = 1 + len(numberings) if depth < DEEPEST else 1
    for piece in tape.each(_PIECE, given, MOST_PIECES):
        frame = piece if isinstance(piece, Frame) and kinds > 1 else None
        kind = tape.given(frame.numbering + 1 if frame is not None else 0, kinds, "kind of piece")
        if kind:
            yield _frame(tape, replace(frame or _EMPTY, numbering=kind - 1), numberings, depth)
        else:
            yield tape.text(rendered([piece or b""], numberings) if frame is None else b"", MOST_BYTES, "byte")


def _frame(tape: Tape, given: Frame, numberings: Sequence[Numbering], depth: int) -> Frame:
    def text(bytes_: bytes) -> bytes:
        return tape.text(bytes_, MOST_BYTES, "byte")

    claims = tape.given(int(given.claim is not None), 2, "claims another number")
    return Frame(
        given.numbering,
        head=text(given.head),
        claim=text(given.claim or b"") if claims else None,
        tail=text(given.tail),
        body=tuple(_pieces(tape, given.body, numberings, depth + 1)),
        end=text(given.end),
    )


_EMPTY = Frame(0, b"", b"", (), b"")


# ── Changes at one place ──────────────────────────────────────────────────────────────────────────────────────────────


def count(pieces: Sequence[Piece]) -> int:
    """Return the number of pieces, those within frames included."""
    return sum(1 if isinstance(piece, bytes) else 1 + count(piece.body) for piece in pieces)


def at(pieces: Sequence[Piece], place: int) -> Piece:
    """Return the piece at a place, where a frame comes before what is within it."""
    for piece in pieces:
        if place == 0:
            return piece
        size = count((piece,))
        if place < size:
            assert isinstance(piece, Frame)
            return at(piece.body, place - 1)
        place -= size
    raise IndexError(place)


def exchanged(pieces: Sequence[Piece], place: int, by: Sequence[Piece]) -> tuple[Piece, ...]:
    """Return pieces with others in the place of one."""
    found: list[Piece] = []
    for piece in pieces:
        size = count((piece,))
        if place == 0:
            found += by
        elif 0 < place < size:
            assert isinstance(piece, Frame)
            found.append(replace(piece, body=exchanged(piece.body, place - 1, by)))
        else:
            found.append(piece)
        place -= size
    return tuple(found)
