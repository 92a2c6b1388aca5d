"""RESP on a conversation: one question and one reply of any type. Only texts and errors are decoded.

hiredis parses the replies. hiredis allocates the number of elements that an aggregate claims to have, so the claimed
numbers are checked first: the claims of a reply never decide how much memory the reply takes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

import hiredis

from loadgen.target.talk.conversation import Conversation, NoAnswerError, Silence

MOST_ELEMENTS = 10_000
"""The limit for all aggregates of a conversation together. HELLO's reply has seven, and some for each module."""

# A line that begins an aggregate. hiredis itself rejects longer counts.
_AGGREGATE = re.compile(rb"(?<=\n)[*%~>|](\d{1,18})\r(?=\n)")
_LONGEST_HEAD = 24

_NOTHING = object()


class ReplyKind(Enum):
    """The kind of a reply."""

    TEXT = "text"
    """A status, a bulk string or a verbatim string."""
    CUT = "cut"
    """The beginning of a text whose end did not come within the conversation's limits."""
    ERROR = "error"
    OTHER = "other"
    """A well-formed reply without text: null, a number, a boolean, an aggregate."""
    GARBAGE = "garbage"
    """Not RESP, or beyond the limits."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply."""

    kind: ReplyKind
    text: str
    """A text or an error in full; of any other kind the first line, cut."""

    @property
    def said(self) -> str:
        """The text, whole or cut; empty for any other kind."""
        return self.text if self.kind in (ReplyKind.TEXT, ReplyKind.CUT) else ""


def command(*words: bytes) -> bytes:
    """Return a request in RESP."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


class Asker:
    """Questions and replies on a conversation. After GARBAGE, no further question is possible."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._reader = hiredis.Reader(notEnoughData=_NOTHING)
        self._elements = 0
        self._line = b""
        """The beginning of a line whose end has not come yet."""

    def ask(self, *words: bytes) -> Reply:
        """Return the reply to a command; skip pushes, which are no replies. Raises NoAnswerError."""
        value, heard = self._answer(words)
        return value if isinstance(value, Reply) else _reply_of(value, heard)

    def value(self, *words: bytes) -> object:
        """Return the reply to a command as hiredis reads it: bytes, a number, a list or a mapping of such.

        An error, or what is no whole reply, is a Reply. Raises NoAnswerError.
        """
        value, heard = self._answer(words)
        return _reply_of(value, heard) if isinstance(value, hiredis.ReplyError) else value

    def _answer(self, words: tuple[bytes, ...]) -> tuple[object, bytes]:
        """Return what hiredis reads, or a Reply of what it cannot read, and the bytes."""
        self._conversation.tell(command(*words))
        heard = b""
        while True:
            try:
                reply = self._reader.gets()
            except (hiredis.HiredisError, TypeError, ValueError, MemoryError):
                # TypeError: a map with a key that Python cannot hash.
                return Reply(ReplyKind.GARBAGE, _shown(heard)), heard
            if isinstance(reply, hiredis.PushNotification):
                continue
            if reply is not _NOTHING:
                return reply, heard
            try:
                more = self._conversation.hear()
            except NoAnswerError as end:
                if not heard or end.silence not in (Silence.LATE, Silence.ENDLESS):
                    raise
                if heard.startswith((b"$", b"=")):
                    return Reply(ReplyKind.CUT, _text(heard.partition(b"\n")[2])), heard
                return Reply(ReplyKind.GARBAGE, _shown(heard)), heard
            heard += more
            if self._claims_too_much(more):
                return Reply(ReplyKind.GARBAGE, _shown(heard)), heard
            self._reader.feed(more)

    def _claims_too_much(self, more: bytes) -> bool:
        """True when the aggregates so far, those of `more` included, claim more elements than MOST_ELEMENTS."""
        lines = b"\n" + self._line + more
        self._elements += sum(int(count) for count in _AGGREGATE.findall(lines))
        self._line = lines.rpartition(b"\n")[2][:_LONGEST_HEAD]
        return self._elements > MOST_ELEMENTS


def _reply_of(reply: object, heard: bytes) -> Reply:
    match reply:
        case bytes():
            return Reply(ReplyKind.TEXT, _text(reply))
        case hiredis.ReplyError():
            return Reply(ReplyKind.ERROR, str(reply))
    return Reply(ReplyKind.OTHER, _shown(heard))


def _text(said: bytes) -> str:
    return said.decode(errors="backslashreplace")


def _shown(heard: bytes) -> str:
    """Return the first line, cut."""
    return _text(heard[:200].partition(b"\n")[0].rstrip(b"\r"))
