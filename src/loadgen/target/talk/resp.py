"""RESP on a conversation: one question, one reply of any type, understood as far as what a server says of itself needs.

hiredis does the parsing. It takes a server at its word on how many elements an aggregate has, so that is looked at
first: what a reply claims never decides how much memory it takes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

import hiredis

from loadgen.target.talk.conversation import Conversation, NoAnswerError, Silence

MOST_ELEMENTS = 10_000
"""Of all aggregates of a conversation together. HELLO has seven, and some for each module."""

# A line that begins an aggregate. Longer counts are refused by hiredis itself.
_AGGREGATE = re.compile(rb"(?<=\n)[*%~>|](\d{1,18})\r(?=\n)")
_LONGEST_HEAD = 24

_NOTHING = object()


class ReplyKind(Enum):
    """What a reply is."""

    TEXT = "text"
    """A status, a bulk string or a verbatim one."""
    CUT = "cut"
    """Text whose end did not come within the conversation's limits, as far as it came."""
    ERROR = "error"
    OTHER = "other"
    """Well-formed, and of a type that says nothing here: null, a number, a boolean, an aggregate."""
    GARBAGE = "garbage"
    """No RESP, or more of it than is taken."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply."""

    kind: ReplyKind
    text: str
    """Of a text or an error, in full; of anything else its first line, cut."""

    @property
    def said(self) -> str:
        """Text, whole or not; empty for anything else."""
        return self.text if self.kind in (ReplyKind.TEXT, ReplyKind.CUT) else ""


def command(*words: bytes) -> bytes:
    """A request in RESP."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


class Asker:
    """Asks on a conversation. After garbage it can go no further."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._reader = hiredis.Reader(notEnoughData=_NOTHING)
        self._elements = 0
        self._line = b""
        """The beginning of a line whose end has not come yet."""

    def ask(self, *words: bytes) -> Reply:
        """The reply to a command; pushes, which answer nobody, are passed over. Raises NoAnswerError."""
        self._conversation.tell(command(*words))
        heard = b""
        while True:
            try:
                reply = self._reader.gets()
            except (hiredis.HiredisError, TypeError, ValueError, MemoryError):
                # TypeError: a map with a key that Python can have none of.
                return Reply(ReplyKind.GARBAGE, _shown(heard))
            if isinstance(reply, hiredis.PushNotification):
                continue
            if reply is not _NOTHING:
                return _understood(reply, heard)
            try:
                more = self._conversation.hear()
            except NoAnswerError as end:
                if not heard or end.silence not in (Silence.LATE, Silence.ENDLESS):
                    raise
                if heard.startswith((b"$", b"=")):
                    return Reply(ReplyKind.CUT, _text(heard.partition(b"\n")[2]))
                return Reply(ReplyKind.GARBAGE, _shown(heard))
            heard += more
            if self._claims_too_much(more):
                return Reply(ReplyKind.GARBAGE, _shown(heard))
            self._reader.feed(more)

    def _claims_too_much(self, more: bytes) -> bool:
        """Whether all aggregates so far, this text's too, say that they have more elements than is taken."""
        lines = b"\n" + self._line + more
        self._elements += sum(int(count) for count in _AGGREGATE.findall(lines))
        self._line = lines.rpartition(b"\n")[2][:_LONGEST_HEAD]
        return self._elements > MOST_ELEMENTS


def _understood(reply: object, heard: bytes) -> Reply:
    match reply:
        case bytes():
            return Reply(ReplyKind.TEXT, _text(reply))
        case hiredis.ReplyError():
            return Reply(ReplyKind.ERROR, str(reply))
    return Reply(ReplyKind.OTHER, _shown(heard))


def _text(said: bytes) -> str:
    return said.decode(errors="backslashreplace")


def _shown(heard: bytes) -> str:
    """The first line, cut."""
    return _text(heard[:200].partition(b"\n")[0].rstrip(b"\r"))
