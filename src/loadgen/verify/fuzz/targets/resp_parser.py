"""The codec of RESP's replies, held against hiredis.

hiredis knows no blob errors and no streamed types, nests less deeply, and returns an attribute as a reply of its own: a
stream with one of these is compared up to the first of them only. It refuses some elements of aggregates, which the
codec passes over unread, and knows what a verbatim string begins with.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import hiredis

from loadgen._resp import Resp
from loadgen.verify.fuzz.examined import Examined
from loadgen.verify.fuzz.targets import codec
from loadgen.verify.fuzz.targets.codec import Said

_CODEC = Resp()

AGREES = "the codec says what hiredis says"
COMPARED = "compared with hiredis to the end"

_MORE = object()
"""What hiredis returns where a reply has not come yet."""

_ERROR_TEXT = 200
"""The bytes of an error's text that the codec keeps."""


def examine(commands: Sequence[str], data: bytes) -> Examined:
    """Decode a stream of replies to commands, whole and cut, and as hiredis does."""
    whole = codec.said(_CODEC, commands, [data])
    if (wrong := codec.cut(_CODEC, commands, data, whole)) is not None:
        return wrong
    wrong, to_the_end = _compared(commands, data, whole[0])
    return wrong or Examined((*codec.states(whole), *[COMPARED] * to_the_end))


def _compared(commands: Sequence[str], data: bytes, said: Said) -> tuple[Examined | None, bool]:
    """Return the first reply of which hiredis says something else, if any, and whether all could be compared."""
    theirs = _replies(data)
    in_line = iter(commands)
    for number, ours in enumerate(said, 1):
        reply = next(theirs)
        if reply is _NOT_COMPARED:
            return None, False
        command = "push" if ours == "push" else next(in_line)
        if isinstance(reply, hiredis.ProtocolError):
            if command in ("push", "hello"):
                return None, False
            return _differs(number, command, ours, f"hiredis refuses it: {reply}", "hiredis refuses it"), True
        if reply is _MORE:
            return _differs(number, command, ours, "hiredis waits for more", "hiredis waits"), True
        if not _agree(command, ours, reply):
            kind = type(reply).__name__
            return _differs(number, command, ours, f"hiredis has {reply!r:.60}", f"hiredis has {kind}"), True
    return None, True


_NOT_COMPARED = object()


def _replies(data: bytes) -> Iterator[Any]:
    """Yield what hiredis makes of a stream; at its end _MORE, a ProtocolError or _NOT_COMPARED, which goes on."""
    reader = hiredis.Reader(notEnoughData=_MORE)
    at = _first_uncommon(data)
    reader.feed(data[:at])
    last: Any = None
    while last is not _MORE and not isinstance(last, hiredis.ProtocolError):
        try:
            last = reader.gets()
        except hiredis.ProtocolError as error:
            last = error
        except (TypeError, ValueError):
            # A map with a key that Python cannot have.
            last = _NOT_COMPARED
        yield _NOT_COMPARED if last is _MORE and at < len(data) else last
    while True:
        yield _NOT_COMPARED if at < len(data) else last


def _first_uncommon(data: bytes) -> int:
    """Return where a line begins that hiredis does not know, or does not take as the codec does."""
    at = 0
    while at < len(data):
        end = data.find(b"\n", at)
        if data[at : at + 1] in (b"!", b"|", b"=") or data[at + 1 : at + 2] == b"?":
            return at
        at = end + 1 if end >= 0 else len(data)
    return len(data)


def _agree(command: str, ours: str | tuple[str, str], reply: Any) -> bool:
    """True when an outcome of ours is that of a reply to the command as hiredis has it."""
    if isinstance(reply, hiredis.PushNotification):
        return ours == "push"
    if isinstance(reply, hiredis.ReplyError):
        text = str(reply)
        # hiredis replaces bytes that are not UTF-8.
        return ours[0] == "error reply" and (not text.isascii() or ours[1] == text[:_ERROR_TEXT])
    match command:
        case "get":
            return ours == ("miss" if reply is None else "hit") and isinstance(reply, bytes | None)
        case "set" | "backfill":
            return ours == ("not stored" if reply is None else "stored") and reply in (None, b"OK")
        case "delete":
            return isinstance(reply, int) and ours == ("deleted" if reply > 0 else "not found")
    return ours == "ok"


def _differs(number: int, command: str, ours: str | tuple[str, str], theirs: str, shape: str) -> Examined:
    said = ours if isinstance(ours, str) else ours[0]
    found = f"reply {number}, to {command}, is {said}, and {theirs}"
    return Examined((), AGREES, found, f"{said} to {command}, and {shape}")
