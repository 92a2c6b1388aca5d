"""The connections that a server has, and how many it takes: `INFO clients`, or memcached's `stats`. No judging."""

from __future__ import annotations

import re
from dataclasses import dataclass

from loadgen.plan import Endpoint, Target
from loadgen.protocol import Wire
from loadgen.target.talk import memcache
from loadgen.target.talk.conversation import Conversation, NoAnswerError
from loadgen.target.talk.resp import Asker

PATIENCE_S = 1.0

_STATS = re.compile(r"^STAT (curr_connections|maxconns) (\d+)\r?$", re.MULTILINE)
_FIELDS = re.compile(r"^(connected_clients|maxclients):(\d+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Connected:
    """The connections of a server at one time."""

    connections: int
    """Those of the question itself are among them."""
    limit: int | None
    """The most that the server takes (`maxclients`); None where it does not say."""


def connected(target: Target, endpoint: Endpoint | None = None) -> Connected | None:
    """Return the connections of an endpoint, by default the first; None where it does not say."""
    endpoint = endpoint or target.endpoints[0]
    try:
        with Conversation(endpoint, PATIENCE_S, tls=target.tls) as conversation:
            if target.speaks.wire is Wire.MEMCACHE:
                stats = f"{memcache.stats(conversation)}{memcache.stats(conversation, 'settings')}"
                found = {name: int(number) for name, number in _STATS.findall(stats)}
                open_now = found.get("curr_connections")
                return None if open_now is None else Connected(open_now, found.get("maxconns"))
            asker = Asker(conversation)
            if target.password:
                asker.ask(b"AUTH", *filter(None, (target.username.encode(), target.password.encode())))
            fields = dict(_FIELDS.findall(asker.ask(b"INFO", b"clients").said))
    except NoAnswerError:
        return None
    if "connected_clients" not in fields:
        return None
    limit = fields.get("maxclients")
    return Connected(int(fields["connected_clients"]), None if limit is None else int(limit))
