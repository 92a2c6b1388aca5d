"""Whether a server that was just started answers yet, and which process it says it is.

Each question goes on a fresh connection and waits for a bounded time. It knows the protocols from their own pages
(redis.io/docs/latest/develop/reference/protocol-spec, memcached's protocol.txt), and nothing of processes.
"""

from __future__ import annotations

import contextlib
import re
import socket
from dataclasses import dataclass
from enum import Enum

from loadgen.errors import printable

ANSWER_TIMEOUT_S = 1.0
"""A server that has accepted a connection and says nothing for so long is asked again on another."""

_LONGEST_LINE = 4096
_LONGEST_INFO = 1 << 20


class State(Enum):
    """How far a server is."""

    READY = "ready"
    SILENT = "silent"
    """Nothing listens, or what listens has not answered yet."""
    BUSY = "busy"
    """It answers that it is loading: it will be ready."""
    LOCKED = "locked"
    """It wants a password, or another one."""
    FOREIGN = "foreign"
    """It answers, but not as this protocol has it: waiting does not help."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server is found to be, and what it said."""

    state: State
    words: str = ""
    """Its own, fit to be shown."""


@dataclass(frozen=True, slots=True)
class Instance:
    """Which process answers, in the server's own words; another one after a restart."""

    pid: int = 0
    """0: it does not say."""
    run_id: str = ""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is to answer, and how it is spoken to."""

    host: str
    port: int
    protocol: str
    """As in a Plan."""
    username: str = ""
    password: str = ""


def ask(address: Address, timeout_s: float = ANSWER_TIMEOUT_S) -> Answer:
    """Greets the server once: PING, after AUTH where there is a password, or memcache's `version`."""
    try:
        with socket.create_connection((address.host, address.port), timeout_s) as connection:
            connection.settimeout(timeout_s)
            for request, due in _greetings(address):
                connection.sendall(request)
                if not (line := _line(connection)):
                    return Answer(State.SILENT, "it closed the connection")
                if not line.startswith(due):
                    return _refusal(line)
    except ConnectionRefusedError:
        return Answer(State.SILENT, "nothing listens there")
    except TimeoutError:
        return Answer(State.SILENT, "it accepts connections and says nothing")
    except OSError as error:
        return Answer(State.SILENT, error.strerror or str(error))
    return Answer(State.READY)


def instance(address: Address, timeout_s: float = ANSWER_TIMEOUT_S) -> Instance | None:
    """Which process answers there; None when none does, and empty when it does not say: it need not."""
    try:
        with socket.create_connection((address.host, address.port), timeout_s) as connection:
            connection.settimeout(timeout_s)
            if address.protocol == "memcache":
                connection.sendall(b"stats\r\n")
                said = _until(connection, re.compile(rb"(^|\n)(END|ERROR)\r\n"))
                return Instance(pid=int(_field(rb"STAT pid (\d+)", said) or 0))
            for request, _ in _greetings(address)[:-1]:
                connection.sendall(request)
                _line(connection)
            connection.sendall(b"*2\r\n$4\r\nINFO\r\n$6\r\nserver\r\n")
            said = _bulk(connection)
            return Instance(int(_field(rb"process_id:(\d+)", said) or 0), _field(rb"run_id:(\w+)", said))
    except OSError:
        return None


def _greetings(address: Address) -> list[tuple[bytes, bytes]]:
    """What is sent, and how the line begins that is due."""
    if address.protocol == "memcache":
        return [(b"version\r\n", b"VERSION ")]
    ping = (b"*1\r\n$4\r\nPING\r\n", b"+PONG\r\n")
    if not address.password:
        return [ping]
    words = [b"AUTH", *filter(None, (address.username.encode(), address.password.encode()))]
    return [(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(w), w) for w in words), b"+OK\r\n"), ping]


def _refusal(line: bytes) -> Answer:
    words = printable(line.partition(b"\n")[0].decode(errors="backslashreplace").rstrip("\r"))
    if line.startswith(b"-LOADING"):
        return Answer(State.BUSY, words)
    if line.startswith((b"-NOAUTH", b"-WRONGPASS", b"-NOPERM")):
        return Answer(State.LOCKED, words)
    return Answer(State.FOREIGN, words)


def _line(connection: socket.socket) -> bytes:
    """Up to the end of a line, of the connection, or of what may be called a line."""
    received = b""
    while not received.endswith(b"\n") and len(received) < _LONGEST_LINE:
        try:
            more = connection.recv(_LONGEST_LINE)
        except TimeoutError:
            # Words without an end are an answer too, if a wrong one.
            if received:
                break
            raise
        if not more:
            break
        received += more
    return received


def _bulk(connection: socket.socket) -> bytes:
    """A bulk string, which RESP3 may call verbatim; empty when something else came."""
    head = re.compile(rb"^[$=](\d+)\r\n|^[^$=][^\n]*\n")
    received = _until(connection, head)
    match = head.match(received)
    if match is None or not match[1]:
        return b""
    size = match.end() + int(match[1]) + 2
    while len(received) < min(size, _LONGEST_INFO) and (more := connection.recv(65536)):
        received += more
    return received


def _until(connection: socket.socket, end: re.Pattern[bytes]) -> bytes:
    received = b""
    while not end.search(received) and len(received) < _LONGEST_INFO and (more := connection.recv(65536)):
        received += more
    return received


def _field(pattern: bytes, said: bytes) -> str:
    with contextlib.suppress(UnicodeDecodeError):
        if (match := re.search(pattern, said)) is not None:
            return match[1].decode()
    return ""
