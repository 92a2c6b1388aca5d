"""The connections that a server that speaks RESP has, and how many it takes: `INFO clients`. No judging."""

from __future__ import annotations

import re
from dataclasses import dataclass

from loadgen.plan import Target
from loadgen.target.talk.conversation import Conversation, NoAnswerError
from loadgen.target.talk.resp import Asker

PATIENCE_S = 1.0

_FIELDS = re.compile(r"^(connected_clients|maxclients):(\d+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Connected:
    """The connections of a server at one time."""

    connections: int
    """Those of the question itself are among them."""
    limit: int | None
    """The most that the server takes (`maxclients`); None where it does not say."""


def connected(target: Target) -> Connected | None:
    """Return the connections of the first endpoint; None where it does not say."""
    endpoint = target.endpoints[0]
    try:
        with Conversation(endpoint, PATIENCE_S, tls=target.tls) as conversation:
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
