"""The readiness of a server that was just started, and the process id that it reports.

Each question uses a fresh connection and waits for a bounded time. This file knows the protocols' questions
(redis.io/docs/latest/develop/reference/protocol-spec, memcached's protocol.txt), and nothing of processes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import Enum

from loadgen import greeting
from loadgen.escape import printable
from loadgen.plan import Endpoint, Target
from loadgen.protocol import Wire
from loadgen.secret import masked
from loadgen.target.talk import memcached
from loadgen.target.talk.conversation import Conversation, NoAnswerError, Silence
from loadgen.target.talk.resp import Asker, Reply, ReplyKind

ANSWER_TIMEOUT_S = 1.0
"""A server that has accepted a connection but does not answer for this long is asked again on another connection."""

# A process id has at most seven digits on Linux, and ten anywhere; a run id has forty characters.
_PID = re.compile(r"^(?:process_id:|STAT pid )(\d{1,10})\b", re.MULTILINE)
_RUN_ID = re.compile(r"^run_id:(\w{1,64})\b", re.MULTILINE)

# An absent key, for servers that close a connection on any request other than one for data.
_KEY = b"loadgen:ready"

_ANY = (ReplyKind.TEXT, ReplyKind.OTHER)


class State(Enum):
    """The state of a starting server."""

    READY = "ready"
    SILENT = "silent"
    """Nothing listens, or the listener has not answered yet."""
    BUSY = "busy"
    """The server answers that it is loading, and will be ready."""
    LOCKED = "locked"
    """The server requires a password, or another password."""
    FOREIGN = "foreign"
    """The answer does not follow this protocol: waiting does not help."""
    UNWILLING = "unwilling"
    """The server answers that it serves no requests, or not ours, for another reason than a password."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """The state of a server, and its answer."""

    state: State
    words: str = ""
    """The server's own words; as returned by `ask`, printable and without the password."""


@dataclass(frozen=True, slots=True)
class Instance:
    """The identity of a server's process, as the server reports it; a restart changes it."""

    pid: int = 0
    """0 when the server does not say."""
    run_id: str = ""


def ask(target: Target, timeout_s: float = ANSWER_TIMEOUT_S) -> Readiness:
    """Greet a target's only server once, as the load will: by PING, HELLO or memcache's `version`, after AUTH if the
    target has a password.

    A server that closes the connection on PING or `version` is sent a GET on another. Without a precheck, a server is
    ready when it accepts a connection.
    """
    found = _ask(target, timeout_s)
    return replace(found, words=printable(masked(found.words, target.password)))


def _ask(target: Target, timeout_s: float) -> Readiness:
    try:
        return _asked(target, timeout_s, by_get=False)
    except NoAnswerError as end:
        if end.silence not in (Silence.CLOSED, Silence.BROKEN) or _question(target) in ("", "HELLO"):
            return _silent(end)
    try:
        return _asked(target, timeout_s, by_get=True)
    except NoAnswerError as end:
        return _silent(end)


def instance(target: Target, timeout_s: float = ANSWER_TIMEOUT_S) -> Instance | None:
    """Return the process that answers; None when nothing listens, an empty Instance when the server does not say."""
    try:
        with Conversation(_where(target), timeout_s, tls=target.tls) as conversation:
            if target.speaks.wire is Wire.MEMCACHE:
                return _instance(memcached.stats(conversation, target))
            asker = Asker(conversation)
            if target.password:
                asker.ask(*_auth(target))
            return _instance(asker.ask(b"INFO", b"server").said)
    except NoAnswerError as end:
        # A server that listens need not answer this question, and may close the connection on it.
        return None if end.silence is Silence.REFUSED else Instance()


def _instance(said: str) -> Instance:
    pid, run_id = _PID.search(said), _RUN_ID.search(said)
    return Instance(int(pid[1]) if pid else 0, run_id[1] if run_id else "")


def _silent(end: NoAnswerError) -> Readiness:
    return Readiness(State.SILENT, end.silence.value if end.silence is Silence.REFUSED else end.words)


def _where(target: Target) -> Endpoint:
    [endpoint] = target.endpoints
    return endpoint


def _question(target: Target) -> str:
    # The plain protocol's question, even if the load sends HELLO 3: PING suffices, and old servers know no HELLO.
    return target.speaks.server.question(target.precheck)


def _asked(target: Target, timeout_s: float, *, by_get: bool) -> Readiness:
    question = _question(target)
    with Conversation(_where(target), timeout_s, tls=target.tls) as conversation:
        if target.speaks.wire is Wire.MEMCACHE:
            if not question:
                return Readiness(State.READY)
            if by_get:
                return _found_memcache(memcached.absent(conversation, target, _KEY))
            return _found_memcache(memcached.version(conversation, target))
        asker = Asker(conversation)
        if target.password:
            found = _found(asker.ask(*_auth(target)), due=(ReplyKind.TEXT,))
            if found.state is not State.READY:
                return found
        if not question:
            return Readiness(State.READY)
        version = b"%d" % target.speaks.version
        words = (b"GET", _KEY) if by_get else (b"HELLO", version) if question == "HELLO" else (b"PING",)
        return _found(asker.ask(*words), due=(ReplyKind.TEXT,) if question == "PING" and not by_get else _ANY)


def _auth(target: Target) -> tuple[bytes, ...]:
    return (b"AUTH", *filter(None, (target.username.encode(), target.password.encode())))


def _found(reply: Reply, due: tuple[ReplyKind, ...]) -> Readiness:
    if reply.kind is ReplyKind.ERROR:
        return _found_error(reply.text)
    return Readiness(State.READY if reply.kind in due else State.FOREIGN, reply.text)


def _found_memcache(said: memcached.Said) -> Readiness:
    if said.is_error:
        return _found_error(said.words)
    return Readiness(State.FOREIGN if said.is_foreign else State.READY, said.words)


def _found_error(words: str) -> Readiness:
    """Return the readiness of a server that answered with an error."""
    if greeting.is_loading(words):
        return Readiness(State.BUSY, words)
    if greeting.is_locked(words):
        return Readiness(State.LOCKED, words)
    return Readiness(State.UNWILLING if greeting.is_turned_away(words) else State.READY, words)
