"""What must hold of a codec for every stream of replies, however it is cut. No I/O.

- Cut at any place, and at every place at once, a stream says the same: the same outcomes, and the same end, which is to
  wait for more, or a refusal. By how many bytes a refusal comes later may depend on the cut, and which reply is refused
  may not.
- The outcomes of its first bytes are the first outcomes of all.
"""

from __future__ import annotations

from collections.abc import Sequence

from loadgen._codec import Codec
from loadgen.verify.fuzz.examined import Examined

Said = list[str | tuple[str, str]]

WAITING = "waiting for more"
TAKEN, REFUSED = "taken", "refused"
_ANOTHER = "another"
SAME = "a stream says the same however it is cut"


class _Stream:
    """One stream of replies."""

    def __init__(self, codec: Codec, commands: Sequence[str], in_load: bool = False) -> None:
        self._decoder = codec.decoder(in_load=True) if in_load else codec.decoder()
        self._in_line = [*commands]
        self.replies: Said = []
        self.end = WAITING
        """WAITING, or the first words of the refusal, after which nothing is decoded."""

    def feed(self, data: bytes) -> None:
        if self.end != WAITING:
            return
        try:
            self._decoder.feed(data, self._in_line, self.replies)
        except ValueError as refusal:
            self.end = str(refusal).partition(":")[0]
        if self.replies[-1:] == [_ANOTHER]:
            self.end = _ANOTHER

    def said(self) -> tuple[Said, str]:
        return self.replies, self.end


def said(codec: Codec, commands: Sequence[str], pieces: Sequence[bytes], *, in_load: bool = False) -> tuple[Said, str]:
    """Return the outcomes of a stream, and its end: WAITING, or the first words of the refusal.

    `in_load` is as of `Codec.decoder`.
    """
    stream = _Stream(codec, commands, in_load)
    for piece in pieces:
        stream.feed(piece)
    return stream.said()


def cut(
    codec: Codec, commands: Sequence[str], data: bytes, whole: tuple[Said, str], *, in_load: bool = False
) -> Examined | None:
    """Return how a cut changes what a stream says; None when none does."""
    for place in range(1, len(data)):
        stream = _Stream(codec, commands, in_load)
        stream.feed(data[:place])
        replies = len(stream.replies)
        if stream.replies != whole[0][:replies] or (stream.end != WAITING and stream.said() != whole):
            return _differs(f"its first {place} bytes say {_words(stream.said())}", whole, "of a prefix")
        stream.feed(data[place:])
        if stream.said() != whole:
            return _differs(f"cut after {place} bytes it says {_words(stream.said())}", whole, "cut in two")
    single = said(codec, commands, [data[at : at + 1] for at in range(len(data))], in_load=in_load)
    return None if single == whole else _differs(f"byte by byte it says {_words(single)}", whole, "byte by byte")


def states(whole: tuple[Said, str]) -> tuple[str, ...]:
    """Return the states that a stream reached."""
    kinds = {reply if isinstance(reply, str) else reply[0] for reply in whole[0]}
    return (*sorted(kinds), TAKEN if whole[1] == WAITING else REFUSED)


def _differs(found: str, whole: tuple[Said, str], shape: str) -> Examined:
    return Examined((), SAME, f"{found}, and whole {_words(whole)}", f"says something else {shape}")


def _words(of: tuple[Said, str]) -> str:
    replies, end = of
    shown = ", ".join(reply if isinstance(reply, str) else f"{reply[0]} {reply[1]!r}" for reply in replies[-4:])
    return f"{len(replies)} replies ({shown}), then {end}" if replies else end
