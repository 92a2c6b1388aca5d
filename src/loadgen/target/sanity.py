"""Whether a server answers right before any load: PING, SET and GET of a key of our own, byte by byte on a socket.

It knows the protocols from their own pages (redis.io/docs/latest/develop/reference/protocol-spec, memcached's
protocol.txt) and nothing of the codecs that the load goes through: an error in one of them is not hidden by the other.
"""

from __future__ import annotations

import contextlib
import socket
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from loadgen.errors import TargetError, printable
from loadgen.plan import Endpoint, Plan

PATIENCE_S = 5.0
"""How long connecting, and each answer, may take. How quickly a server answers is for the load to find out."""

TTL_S = 60
"""Our key goes by itself after this, should it not be deleted."""

_LONGEST_ANSWER = 65536


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and the answer that is due."""

    name: str
    """For people: the command and its key, never a password."""
    asked: bytes
    due: bytes
    """The whole answer; with `end`, how it begins."""
    end: bytes = b""
    """How an answer ends of which not everything is known beforehand."""

    def judge(self, received: bytes) -> bool | None:
        """Whether that is the answer; None while more of it may come."""
        begun = received[: len(self.due)]
        if not self.due.startswith(begun):
            # The rest of a wrong line is read too, to be shown.
            return False if received.endswith(b"\n") or len(received) > _LONGEST_ANSWER else None
        if self.end:
            return True if received.endswith(self.end) else False if len(received) > _LONGEST_ANSWER else None
        return None if len(received) < len(self.due) else received == self.due


def check(plan: Plan, patience_s: float = PATIENCE_S) -> str:
    """Asks every server of a plan, and says which questions all of them answered right.

    One key with a value of its own is written, read and deleted again. Raises TargetError, with what came and what was
    due, at the first answer that is wrong, does not come, or does not come in time.
    """
    token = uuid.uuid4().hex
    # A value may hold any bytes: one with a null and the end of a line in it finds out who stops or splits at them.
    key, value = f"loadgen:smoke:{token}", b"\0\xff\r\n" + token.encode()
    greetings, storing, removal = _greetings(plan), _storing(plan.protocol, key, value), _removal(plan.protocol, key)
    for endpoint in plan.endpoints:
        with _connected(endpoint, patience_s) as connection:
            for question in greetings:
                _ask(connection, endpoint, question, patience_s)
            try:
                for question in storing:
                    _ask(connection, endpoint, question, patience_s)
            finally:
                if storing:
                    _tell(connection, removal)
    names = [question.name.partition(" ")[0] for question in (*greetings, *storing)]
    return f"{', '.join(names)} answered right"


def greet(plan: Plan, patience_s: float = PATIENCE_S) -> None:
    """Raises TargetError when a server of the plan cannot be reached, or does not answer a greeting right."""
    for endpoint in plan.endpoints:
        with _connected(endpoint, patience_s) as connection:
            for question in _greetings(plan):
                _ask(connection, endpoint, question, patience_s)


# ── What is asked ───────────────────────────────────────────────────────────────────────────────────────────────────


def _command(*words: bytes) -> bytes:
    """A request in RESP."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


def _bulk(value: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(value), value)


def _greetings(plan: Plan) -> Sequence[Question]:
    user, password = plan.username.encode(), plan.password.encode()
    ping = Question("PING", _command(b"PING"), b"+PONG\r\n")
    match plan.protocol:
        case "memcache":
            return [Question("version", b"version\r\n", b"VERSION ", b"\r\n")]
        case "resp3":
            credentials = (b"AUTH", user or b"default", password) if password else ()
            # What a server says of itself here is its own; where that ends shows by the answer to a PING behind it.
            hello = _command(b"HELLO", b"3", *credentials) + ping.asked
            return [Question("HELLO", hello, b"%", b"\r\n" + ping.due), ping]
        case _ if password:
            return [Question("AUTH", _command(b"AUTH", *filter(None, (user, password))), b"+OK\r\n"), ping]
    return [ping]


def _storing(protocol: str, key: str, value: bytes) -> Sequence[Question]:
    name = key.encode()
    match protocol:
        case "ping":
            return []
        case "memcache":
            block = b"%d\r\n%b\r\n" % (len(value), value)
            return [
                Question(f"set {key}", b"set %b 0 %d %b" % (name, TTL_S, block), b"STORED\r\n"),
                Question(f"get {key}", b"get %b\r\n" % name, b"VALUE %b 0 %bEND\r\n" % (name, block)),
            ]
    return [
        Question(f"SET {key}", _command(b"SET", name, value, b"EX", b"%d" % TTL_S), b"+OK\r\n"),
        Question(f"GET {key}", _command(b"GET", name), _bulk(value)),
    ]


def _removal(protocol: str, key: str) -> bytes:
    return b"delete %b\r\n" % key.encode() if protocol == "memcache" else _command(b"DEL", key.encode())


# ── How it is asked ─────────────────────────────────────────────────────────────────────────────────────────────────


def _connected(endpoint: Endpoint, patience_s: float) -> socket.socket:
    try:
        return socket.create_connection((endpoint.address, endpoint.port), patience_s)
    except OSError as error:
        why = error.strerror or str(error)
        raise TargetError(f"{endpoint} cannot be reached ({why}): see whether a server listens there.") from None


def _ask(connection: socket.socket, endpoint: Endpoint, question: Question, patience_s: float) -> None:
    received, deadline, silence = b"", time.monotonic() + patience_s, f"within {patience_s:g} s"
    try:
        connection.sendall(question.asked)
        while (right := question.judge(received)) is None:
            if (left_s := deadline - time.monotonic()) <= 0:
                raise TimeoutError
            connection.settimeout(left_s)
            if not (more := connection.recv(_LONGEST_ANSWER)):
                silence = "before it closed the connection"
                break
            received += more
    except TimeoutError:
        right = False
    except OSError as error:
        right, silence = False, f"before the connection broke ({error.strerror or error})"
    if not right:
        came = f"answered {question.name} with {_shown(received)}" if received else f"did not answer {question.name}"
        due = _shown(question.due) if not question.end else f"{_shown(question.due)}…{_shown(question.end)}"
        raise TargetError(f"{endpoint} {came}{_unless_whole(received, silence)}, where {due} was due.")


def _unless_whole(received: bytes, silence: str) -> str:
    return "" if received.endswith(b"\n") else f" {silence}"


def _tell(connection: socket.socket, request: bytes) -> None:
    """Sends it and waits for any answer: whether our key can be deleted is not what a server is judged by."""
    with contextlib.suppress(OSError):
        connection.sendall(request)
        connection.recv(_LONGEST_ANSWER)


def _shown(answer: bytes) -> str:
    """An answer with everything escaped that is no plain letter."""
    return printable(repr(answer)[1:])
