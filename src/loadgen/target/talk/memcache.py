"""memcache's text protocol on a conversation: the answer is a line, or a listing up to its `END`."""

from __future__ import annotations

import re

from loadgen.target.talk.conversation import Conversation, NoAnswerError, Silence

LONGEST_LINE = 4096

_END = re.compile(rb"(?:^|\n)(?:END|ERROR)\r?\n\Z")


def line(conversation: Conversation, request: bytes) -> str:
    """Return the first line of an answer without its end, cut to 4 KiB, with bytes that are not UTF-8 escaped.

    A line whose end does not come is returned as well. Raises NoAnswerError when nothing came.
    """
    conversation.tell(request)
    heard = b""
    while b"\n" not in heard and len(heard) < LONGEST_LINE:
        try:
            heard += conversation.hear()
        except NoAnswerError:
            if heard:
                break
            raise
    return heard[:LONGEST_LINE].partition(b"\n")[0].rstrip(b"\r").decode(errors="backslashreplace")


def log_in(username: str, password: str) -> bytes:
    """Return the request that logs in, where memcached has the option -Y: a set of any key."""
    token = f"{username} {password}".encode()
    return b"set auth 0 0 %d\r\n%b\r\n" % (len(token), token)


def stats(conversation: Conversation, kind: str = "") -> str:
    """Return the listing of `stats`, or of one kind such as `slabs`; without its end, the part that came within the
    conversation's limits.

    Raises NoAnswerError when nothing came.
    """
    conversation.tell(b"stats %b\r\n" % kind.encode() if kind else b"stats\r\n")
    heard = b""
    try:
        while not _END.search(heard[-16:]):
            heard += conversation.hear()
    except NoAnswerError as end:
        if not heard or end.silence is Silence.REFUSED:
            raise
    return heard.decode(errors="backslashreplace")
