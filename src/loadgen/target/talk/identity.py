"""The name and version of a server, in the server's own words, for the readers of results."""

from __future__ import annotations

import contextlib
import re
import time

from loadgen.plan import Endpoint, Target
from loadgen.protocol import Wire
from loadgen.secret import masked
from loadgen.target.talk import memcached
from loadgen.target.talk.conversation import Conversation, NoAnswerError
from loadgen.target.talk.resp import Asker

# The time for a server, and for all servers, to answer; servers that do not answer are measured all the same.
PATIENCE_S = 1.0
PATIENCE_FOR_ALL_S = 2.0

# Servers that speak RESP report redis_version for compatibility, and their own version in a field of their own.
RESP_NAMES = {
    "loadgen_version": "loadgen serve",
    "dragonfly_version": "dragonfly",
    "valkey_version": "valkey",
    "redis_version": "redis",
}

LONGEST_VERSION = 64
"""In characters; the rest of a longer one is left out."""


def identify(target: Target) -> str:
    """Return the name and version of the server at each endpoint, such as `redis 7.0.15`; empty when none answers.

    Sends `INFO server`, or memcache's `version`, once per endpoint on a connection of its own. Never takes more than
    2 s, whatever the servers answer, and however slowly.
    """
    ask = _ASKED[target.speaks.wire]
    names: dict[str, None] = {}
    deadline_s = time.monotonic() + PATIENCE_FOR_ALL_S
    for endpoint in target.endpoints:
        with contextlib.suppress(NoAnswerError):
            name = ask(endpoint, target, min(PATIENCE_S, deadline_s - time.monotonic()))
            names[masked(name, target.password)] = None
    return ", ".join(filter(None, names))


def _resp(endpoint: Endpoint, target: Target, timeout_s: float) -> str:
    with Conversation(endpoint, timeout_s, tls=target.tls) as conversation:
        asker = Asker(conversation)
        if target.password:
            asker.ask(b"AUTH", *filter(None, (target.username.encode(), target.password.encode())))
        info = asker.ask(b"INFO", b"server").said
    found = ((name, re.search(rf"^{field}:([^\r\n]+)", info, re.MULTILINE)) for field, name in RESP_NAMES.items())
    of_cluster = ", a node of a cluster" if re.search(r"^redis_mode:cluster\r?$", info, re.MULTILINE) else ""
    return next((f"{name} {match[1][:LONGEST_VERSION]}{of_cluster}" for name, match in found if match), "")


def _memcache(endpoint: Endpoint, target: Target, timeout_s: float) -> str:
    with Conversation(endpoint, timeout_s, tls=target.tls) as conversation:
        said = memcached.version(conversation, target)
    return f"memcached {said.words.strip()[:LONGEST_VERSION]}" if said.is_answer else ""


_ASKED = {Wire.RESP: _resp, Wire.MEMCACHE: _memcache}
