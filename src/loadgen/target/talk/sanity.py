"""The check of a server's answers before any load: PING, SET and GET of a key of our own, byte by byte on a socket.

This file follows the protocols' own pages (redis.io/docs/latest/develop/reference/protocol-spec, memcached's
protocol.txt) and does not use the codecs of the load, so that an error in a codec cannot hide here.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from loadgen import greeting
from loadgen.errors import TargetError
from loadgen.escape import printable
from loadgen.plan import Endpoint, Target
from loadgen.protocol import Dialect, Wire
from loadgen.secret import masked
from loadgen.target.talk import binary, memcache
from loadgen.target.talk.conversation import Conversation, NoAnswerError, Silence
from loadgen.target.talk.resp import command

PATIENCE_S = 5.0
"""The longest time for connecting, and for each answer. The load measures how quickly a server answers."""

TTL_S = 60
"""The lifetime of our key, in case the key is not deleted."""

_LONGEST_ANSWER = 65536
_LONGEST_TALK = 8 * _LONGEST_ANSWER
"""The limit for the few answers on one connection."""


class _ClosedError(TargetError):
    """A server closed the connection on a greeting that it need not support."""


@dataclass(frozen=True, slots=True)
class Question:
    """A request, and the answer that is due."""

    name: str
    """For people: the command and its key, never a password."""
    asked: bytes
    due: bytes
    """The whole answer; with `end`, its beginning."""
    end: bytes = b""
    """The end of an answer that is not wholly known beforehand."""
    greets: bool = False
    """True for a sign of life: a server that answers with an error may serve other requests all the same."""

    def judge(self, received: bytes) -> bool | None:
        """Return True for the right answer, False for a wrong one, and None while more bytes may come."""
        if self.greets and self.refused(received):
            return True
        begun = received[: len(self.due)]
        if not self.due.startswith(begun):
            # Read the rest of a wrong line as well, to show the whole line.
            return False if received.endswith(b"\n") or len(received) > _LONGEST_ANSWER else None
        if self.end:
            return True if received.endswith(self.end) else False if len(received) > _LONGEST_ANSWER else None
        return None if len(received) < len(self.due) else received == self.due

    def refused(self, received: bytes) -> bool:
        """True for a single error reply after which other requests can still succeed."""
        words = received.decode(errors="replace")
        in_resp = self.asked.startswith(b"*")
        is_error = words.startswith("-" if in_resp else ("ERROR", "CLIENT_ERROR", "SERVER_ERROR"))
        whole = received.endswith(b"\r\n") and received.count(b"\n") == 1
        return is_error and whole and not greeting.is_turned_away(words.removeprefix("-"))


@dataclass(frozen=True, slots=True)
class BinaryQuestion(Question):
    """A request in memcache's binary protocol. `due` is the body of the answer, or empty for any."""

    def judge(self, received: bytes) -> bool | None:
        try:
            taken = binary.first(received)
        except ValueError:
            # Read the rest of a line as well, to show the whole line.
            return False if received.endswith(b"\n") or len(received) > _LONGEST_ANSWER else None
        if taken is None:
            return None
        message, rest = taken
        if self.greets and self.refused(received):
            return True
        return message.opcode == self.asked[1] and not message.status and not rest and self.due in (b"", message.body)

    def refused(self, received: bytes) -> bool:
        taken = binary.first(received)
        return taken is not None and taken[0].status not in (0, binary.AUTH_ERROR)


def check(target: Target, patience_s: float = PATIENCE_S) -> str:
    """Question every server of a target, and return which questions were answered right, as words.

    A key of our own is written, read and deleted again. Raises TargetError, with the answer received and the answer
    due, at the first answer that is wrong, missing or late.
    """
    token = uuid.uuid4().hex
    # The null and the line end in the value find servers that stop or split a value at them.
    key, value = f"loadgen:smoke:{token}", b"\0\xff\r\n" + token.encode()
    dialect = _DIALECTS[_spoken(target)]
    storing = dialect.storing(key, value) if target.speaks.has_keys else ()
    answered: dict[str, None] = {}
    refused: dict[str, None] = {}
    for endpoint in target.endpoints:
        with contextlib.ExitStack() as stack:
            conversation, greetings = _greeted(stack, target, endpoint, patience_s)
            try:
                for question in storing:
                    _ask(conversation, endpoint, question, patience_s, target.password)
            finally:
                if storing:
                    conversation.allow(patience_s)
                    _send_and_ignore(conversation, dialect.removal(key))
        for question, reply in greetings:
            if question.refused(reply):
                refused[f"{question.name} was answered with {_shown(reply, target.password)}"] = None
            else:
                answered[question.name] = None
        answered |= {question.name.partition(" ")[0]: None for question in storing}
    return "; ".join([f"{', '.join(answered)} answered right" if answered else "not asked anything", *refused])


def greet(target: Target, patience_s: float = PATIENCE_S) -> None:
    """Raise TargetError when a server of the target cannot be reached, or refuses to serve.

    The greeting is that of the load. An error reply after which requests can still succeed counts as an answer.
    """
    for endpoint in target.endpoints:
        with contextlib.ExitStack() as stack:
            _greeted(stack, target, endpoint, patience_s)


def _greeted(
    stack: contextlib.ExitStack, target: Target, endpoint: Endpoint, patience_s: float
) -> tuple[Conversation, list[tuple[Question, bytes]]]:
    """Return a conversation that has begun with the target's greeting, and the answers to the greeting.

    A server that closes the connection on PING or `version` is greeted by a GET on another connection.
    """
    closed: list[_ClosedError] = []
    for by_get in (False, True):
        conversation = _connected(stack, endpoint, target, patience_s)
        try:
            questions = _DIALECTS[_spoken(target)].greetings(target, by_get)
            return conversation, [
                (each, _ask(conversation, endpoint, each, patience_s, target.password)) for each in questions
            ]
        except _ClosedError as error:
            closed.append(error)
    raise closed[0]


# ── Questions ───────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Dialect:
    """The questions in one dialect of a wire protocol."""

    greetings: Callable[[Target, bool], Sequence[Question]]
    """Returns the greeting of the load's connections; if the second argument is true, with a GET for the probe."""
    storing: Callable[[str, bytes], Sequence[Question]]
    """Returns the questions that write a key with a value, and read the key."""
    removal: Callable[[str], bytes]
    """Returns the request that deletes a key."""


def _memcache_greetings(target: Target, by_get: bool) -> Sequence[Question]:
    greetings = []
    if target.password:
        token = memcache.log_in(target.username, target.password)
        greetings.append(Question("the log-in", token, b"STORED\r\n", greets=True))
    if by_get:
        greetings.append(Question("get", b"get loadgen:smoke\r\n", b"", b"\r\n", greets=True))
    elif target.speaks.question(target.precheck):
        greetings.append(Question("version", b"version\r\n", b"VERSION ", b"\r\n", greets=True))
    return greetings


def _binary_greetings(target: Target, by_get: bool) -> Sequence[Question]:
    greetings: list[Question] = []
    if target.password:
        greetings.append(
            BinaryQuestion("the log-in", binary.log_in(target.username, target.password), b"", greets=True)
        )
    if by_get:
        greetings.append(BinaryQuestion("Get", binary.request(binary.GET, b"loadgen:smoke"), b"", greets=True))
    elif target.speaks.question(target.precheck):
        greetings.append(BinaryQuestion("Version", binary.request(binary.VERSION), b"", greets=True))
    return greetings


def _resp_greetings(target: Target, by_get: bool) -> Sequence[Question]:
    user, password = target.username.encode(), target.password.encode()
    question = target.speaks.question(target.precheck)
    ping = Question("PING", command(b"PING"), b"+PONG\r\n", greets=True)
    select = Question("SELECT", command(b"SELECT", b"%d" % target.database), b"+OK\r\n")
    selected = [select] if target.database else []
    if target.speaks.begins_with_hello:
        credentials = (b"AUTH", user or b"default", password) if password else ()
        # The content of HELLO's reply varies by server; the answer to a PING sent behind HELLO marks its end.
        hello = command(b"HELLO", b"3", *credentials) + ping.asked
        return [
            Question("HELLO", hello, b"%", b"\r\n" + ping.due),
            *selected,
            *([ping] if target.precheck == "ping" else []),
        ]
    greetings = []
    if password:
        greetings.append(Question("AUTH", command(b"AUTH", *filter(None, (user, password))), b"+OK\r\n", greets=True))
    greetings += selected
    if by_get:
        greetings.append(Question("GET", command(b"GET", b"loadgen:smoke"), b"", b"\r\n", greets=True))
    elif question == "PING":
        greetings.append(ping)
    elif question == "HELLO":
        hello = command(b"HELLO", b"2") + ping.asked
        greetings.append(Question("HELLO", hello, b"*", b"\r\n" + ping.due, greets=True))
    return greetings


def _memcache_storing(key: str, value: bytes) -> Sequence[Question]:
    name, block = key.encode(), b"%d\r\n%b\r\n" % (len(value), value)
    return [
        Question(f"set {key}", b"set %b 0 %d %b" % (name, TTL_S, block), b"STORED\r\n"),
        Question(f"get {key}", b"get %b\r\n" % name, b"VALUE %b 0 %bEND\r\n" % (name, block)),
    ]


def _meta_storing(key: str, value: bytes) -> Sequence[Question]:
    name, block = key.encode(), b"%d\r\n%b\r\n" % (len(value), value)
    return [
        Question(f"ms {key}", b"ms %b %d T%d\r\n%b\r\n" % (name, len(value), TTL_S, value), b"HD\r\n"),
        Question(f"mg {key}", b"mg %b v\r\n" % name, b"VA %b" % block),
    ]


def _binary_storing(key: str, value: bytes) -> Sequence[Question]:
    name = key.encode()
    return [
        BinaryQuestion(f"Set {key}", binary.request(binary.SET, name, value, bytes(4) + TTL_S.to_bytes(4)), b""),
        BinaryQuestion(f"Get {key}", binary.request(binary.GET, name), bytes(4) + value),
    ]


def _resp_storing(key: str, value: bytes) -> Sequence[Question]:
    name = key.encode()
    return [
        Question(f"SET {key}", command(b"SET", name, value, b"EX", b"%d" % TTL_S), b"+OK\r\n"),
        Question(f"GET {key}", command(b"GET", name), b"$%d\r\n%b\r\n" % (len(value), value)),
    ]


_DIALECTS = {
    Wire.RESP: _Dialect(_resp_greetings, _resp_storing, lambda key: command(b"DEL", key.encode())),
    Dialect.TEXT: _Dialect(_memcache_greetings, _memcache_storing, lambda key: b"delete %b\r\n" % key.encode()),
    Dialect.META: _Dialect(_memcache_greetings, _meta_storing, lambda key: b"md %b\r\n" % key.encode()),
    Dialect.BINARY: _Dialect(
        _binary_greetings, _binary_storing, lambda key: binary.request(binary.DELETE, key.encode())
    ),
}


def _spoken(target: Target) -> Wire | Dialect:
    return target.speaks.dialect or target.speaks.wire


# ── Answers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _connected(stack: contextlib.ExitStack, endpoint: Endpoint, target: Target, patience_s: float) -> Conversation:
    try:
        return stack.enter_context(Conversation(endpoint, patience_s, _LONGEST_TALK, tls=target.tls))
    except NoAnswerError as end:
        if end.silence is Silence.TLS:
            raise TargetError(f"TLS with {endpoint} failed: {end.words}.") from None
        why = "it does not answer" if end.silence is Silence.LATE else end.words
        raise TargetError(f"{endpoint} cannot be reached ({why}): see whether a server listens there.") from None


def _ask(conversation: Conversation, endpoint: Endpoint, question: Question, patience_s: float, password: str) -> bytes:
    """Send a question, and return its answer. Raises TargetError when the answer is wrong or does not come."""
    received, silence, closed = b"", "", False
    conversation.allow(patience_s)
    try:
        conversation.tell(question.asked)
        while (right := question.judge(received)) is None:
            received += conversation.hear()
    except NoAnswerError as end:
        right, silence = False, _until_when(end, patience_s)
        closed = not received and end.silence in (Silence.CLOSED, Silence.BROKEN)
    if right:
        return received
    came = (
        f"answered {question.name} with {_shown(received, password)}" if received else f"did not answer {question.name}"
    )
    due = _shown(question.due) if not question.end else f"{_shown(question.due)}…{_shown(question.end)}"
    sentence = f"{endpoint} {came}{_unless_whole(received, silence)}, where {due} was due."
    raise _ClosedError(sentence) if closed and question.greets else TargetError(sentence)


def _until_when(end: NoAnswerError, patience_s: float) -> str:
    match end.silence:
        case Silence.LATE:
            return f"within {patience_s:g} s"
        case Silence.CLOSED:
            return "before it closed the connection"
        case Silence.ENDLESS:
            return f"within {_LONGEST_TALK:,} bytes"
    return f"before the connection broke ({end.words})"


def _unless_whole(received: bytes, silence: str) -> str:
    return "" if received.endswith(b"\n") or not silence else f" {silence}"


def _send_and_ignore(conversation: Conversation, request: bytes) -> None:
    """Send a request, wait for any answer, and ignore failures: deleting our key is not part of the check."""
    with contextlib.suppress(NoAnswerError):
        conversation.tell(request)
        conversation.hear()


def _shown(answer: bytes, password: str = "") -> str:
    """Return an answer with unprintable bytes escaped and the password masked."""
    return printable(masked(repr(answer)[1:], password))
