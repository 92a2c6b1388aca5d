"""The questions to a memcached, in whichever dialect a target speaks, after the target's log-in."""

from __future__ import annotations

from dataclasses import dataclass

from loadgen.plan import Target
from loadgen.protocol import Dialect
from loadgen.target.talk import binary, memcache
from loadgen.target.talk.conversation import Conversation

_ERRORS = ("ERROR", "CLIENT_ERROR", "SERVER_ERROR")


@dataclass(frozen=True, slots=True)
class Said:
    """An answer."""

    words: str
    """The server's own words; of an answer, without what only marks it as one."""
    is_error: bool = False
    is_foreign: bool = False
    """True for bytes that are not the protocol."""

    @property
    def is_answer(self) -> bool:
        return not self.is_error and not self.is_foreign


def log_in(conversation: Conversation, target: Target) -> Said | None:
    """Log in, if the target has a password; None where there is nothing to say against it."""
    if not target.password:
        return None
    said = (
        _of_message(conversation, binary.log_in(target.username, target.password))
        if target.speaks.dialect is Dialect.BINARY
        else _of_line(conversation, memcache.log_in(target.username, target.password), "STORED")
    )
    return None if said.is_answer else said


def version(conversation: Conversation, target: Target) -> Said:
    """Ask for the version: the words are it. Raises NoAnswerError when nothing came."""
    if (wrong := log_in(conversation, target)) is not None:
        return wrong
    if target.speaks.dialect is Dialect.BINARY:
        return _of_message(conversation, binary.request(binary.VERSION))
    return _of_line(conversation, b"version\r\n", "VERSION ")


def absent(conversation: Conversation, target: Target, key: bytes) -> Said:
    """Ask for a key that is not there. Raises NoAnswerError when nothing came."""
    if (wrong := log_in(conversation, target)) is not None:
        return wrong
    if target.speaks.dialect is Dialect.BINARY:
        return _of_message(conversation, binary.request(binary.GET, key), also=binary.NOT_FOUND)
    return _of_line(conversation, b"get %b\r\n" % key, "END")


def stats(conversation: Conversation, target: Target, kind: str = "") -> str:
    """Return the listing of `stats`, or of one kind such as `slabs`, as the text protocol writes it.

    Empty where the server says something else. Raises NoAnswerError when nothing came.
    """
    return listing(conversation, target, kind) if log_in(conversation, target) is None else ""


def listing(conversation: Conversation, target: Target, kind: str = "") -> str:
    """Return a listing as `stats` does, on a connection that has logged in."""
    if target.speaks.dialect is not Dialect.BINARY:
        return memcache.stats(conversation, kind)
    try:
        found = binary.answers(conversation, binary.request(binary.STAT, kind.encode()))
    except ValueError:
        return ""
    lines = [b"STAT %b %b\r\n" % (message.key, message.value) for message in found if message.key]
    return b"".join([*lines, b"END\r\n"]).decode(errors="backslashreplace")


def _of_line(conversation: Conversation, asked: bytes, due: str) -> Said:
    line = memcache.line(conversation, asked)
    if line.startswith(_ERRORS):
        return Said(line, is_error=True)
    return Said(line.removeprefix(due), is_foreign=not line.startswith(due))


def _of_message(conversation: Conversation, asked: bytes, also: int = 0) -> Said:
    try:
        [message] = binary.answers(conversation, asked)
    except ValueError as error:
        return Said(str(error), is_foreign=True)
    return Said(message.words, is_error=message.status not in (0, also))
