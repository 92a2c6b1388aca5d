"""memcache's text protocol on a conversation: a line, or a listing up to its `END`."""

from __future__ import annotations

import re

from loadgen.target.talk.conversation import Conversation, NoAnswerError, Silence

LONGEST_LINE = 4096

_END = re.compile(rb"(?:^|\n)(?:END|ERROR)\r?\n\Z")


def line(conversation: Conversation, request: bytes) -> str:
    """The first line of an answer without its end, cut to 4 KiB; bytes that are no UTF-8 are escaped.

    Words whose end does not come are an answer too, if a wrong one. Raises NoAnswerError.
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


def stats(conversation: Conversation) -> str:
    """What `stats` lists; of a listing without an end, as far as it came within the conversation's limits.

    Raises NoAnswerError when nothing came.
    """
    conversation.tell(b"stats\r\n")
    heard = b""
    try:
        while not _END.search(heard[-16:]):
            heard += conversation.hear()
    except NoAnswerError as end:
        if not heard or end.silence is Silence.REFUSED:
            raise
    return heard.decode(errors="backslashreplace")
