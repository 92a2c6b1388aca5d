"""The memory that a server says it uses for what it holds: redis' `INFO memory`, memcached's `stats`. No judging."""

from __future__ import annotations

import re

from loadgen.plan import Endpoint, Target
from loadgen.protocol import Wire
from loadgen.target.talk import memcached
from loadgen.target.talk.conversation import Conversation, NoAnswerError
from loadgen.target.talk.resp import Asker

PATIENCE_S = 1.0

_USED = re.compile(r"^used_memory:(\d+)", re.MULTILINE)
_BYTES = re.compile(r"^STAT bytes (\d+)", re.MULTILINE)


def used_bytes(target: Target) -> int | None:
    """Return the sum over all endpoints; None where one does not say. Sends one question to each."""
    found = [_used(endpoint, target) for endpoint in target.endpoints]
    known = [each for each in found if each is not None]
    return sum(known) if known and len(known) == len(found) else None


def _used(endpoint: Endpoint, target: Target) -> int | None:
    try:
        with Conversation(endpoint, PATIENCE_S, tls=target.tls) as conversation:
            if target.speaks.wire is Wire.MEMCACHE:
                said = _BYTES.search(memcached.stats(conversation, target))
            else:
                asker = Asker(conversation)
                if target.password:
                    asker.ask(b"AUTH", *filter(None, (target.username.encode(), target.password.encode())))
                said = _USED.search(asker.ask(b"INFO", b"memory").said)
    except NoAnswerError:
        return None
    return int(said[1]) if said is not None else None
