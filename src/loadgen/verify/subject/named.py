"""Subjects by the words that name them on a command line, brought up and taken down.

A subject is a server that loadgen starts (redis, valkey, memcached, builtin, fakeredis), the model, or an address.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from loadgen.errors import TargetError, UsageError
from loadgen.escape import printable
from loadgen.events import Progress
from loadgen.faults.interpreter import FaultError
from loadgen.faults.surroundings import surroundings_for
from loadgen.plan import Target, TlsPlan
from loadgen.protocol import Wire
from loadgen.secret import without_user
from loadgen.server_address import is_url, parse
from loadgen.server_plan import ServerPlan, builtin, loopback
from loadgen.target.server import ManagedServer
from loadgen.verify.subject.fake import FakeredisSubject
from loadgen.verify.subject.of_model import ModelSubject
from loadgen.verify.subject.server import ServerSubject
from loadgen.verify.subject.subject import Restart, Subject

Emit = Callable[[Progress], None]

AUTO = "auto"
"""The first of `FIRST` that is installed."""

WORDS = ("redis", "valkey", "memcached", "builtin", "model", "fakeredis")
"""The words that name a subject, beside an address."""

SUBJECTS = f"{', '.join(WORDS)}, HOST:PORT or memcache://HOST:PORT"
"""What a command line may name, in words."""

FIRST = {Wire.RESP: ("redis", "valkey", "builtin"), Wire.MEMCACHE: ("memcached", "builtin")}
"""What `auto` tries, in order; the built-in server is always there."""

PROGRAMS = {"redis": "redis-server", "valkey": "valkey-server", "memcached": "memcached"}
"""By word, the program of a server that loadgen starts."""

PERSISTENT = ("redis", "valkey")
"""The words of servers that loadgen starts and that have files."""

_OWN_WIRE = {"redis": Wire.RESP, "valkey": Wire.RESP, "fakeredis": Wire.RESP, "memcached": Wire.MEMCACHE}

REDIS = ("--bind", "{host}", "--port", "{port}", "--dir", "{dir}", "--daemonize", "no", "--save", "")
"""The arguments of redis and valkey, which have no file with these."""

_NUMERIC = re.compile(r"[0-9.]+|\[[0-9A-Fa-f:.]+\]", re.ASCII)
"""A host that is no name."""

# DEBUG DIGEST-VALUE, by which two servers compare what they hold. Before 7.0, DEBUG is there without an option.
_DEBUG = ("--enable-debug-command", "local")
_FIRST_WITH_DEBUG_OPTION = 7
_VERSION_PATIENCE_S = 5.0
DURABLE = ("--appendonly", "yes", "--appendfsync", "always")
"""The arguments with which every write of redis is durable before its reply."""
_MEMCACHED = ("-l", "{host}", "-p", "{port}", "-U", "0", "-u", "nobody", "-m", "64")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A subject, as words."""

    word: str
    wire: Wire
    durable: bool = False
    """True: every write is durable before its reply, and the server can be restarted with its data, where it can."""

    @property
    def can_restart(self) -> bool:
        """True for a server that loadgen starts and that has files."""
        return self.word in PERSISTENT


def wire_of(word: str, other: str = "") -> Wire:
    """Return the protocol of a subject, that of the subject beside it where it speaks both. Raises UsageError.

    An address speaks RESP, or memcache where it is written `memcache://HOST:PORT`.
    """
    for each in (word, other):
        if each in _OWN_WIRE:
            return _OWN_WIRE[each]
        if each not in ("", AUTO, *WORDS):
            return address(each).speaks.wire
    return Wire.RESP


def checked(word: str) -> str:
    """Return a word that names a subject. Raises UsageError for any other."""
    if word != AUTO and word not in WORDS:
        address(word)
    return word


def address(word: str) -> Target:
    """Return the server at an address such as 127.0.0.1:6379 or memcache://127.0.0.1. Raises UsageError."""
    # The port of a numeric address and of localhost may be left out, as in a URL.
    assumed = f"redis://{word}" if not is_url(word) and (_NUMERIC.fullmatch(word) or word == "localhost") else word
    try:
        given = parse(assumed)
    except ValueError:
        raise UsageError(
            f'"{printable(without_user(word), 60)}" is no server to verify: write {", ".join(WORDS)}, an address such '
            "as 127.0.0.1:6379, or memcache://127.0.0.1:11211."
        ) from None
    if given.database or given.password:
        raise UsageError(
            f'"{printable(without_user(word), 60)}" is no server to verify: a password and a database are not there '
            "for it; write an address alone."
        )
    endpoint = given.endpoint
    tls = TlsPlan() if given.tls else None
    return Target(given.protocol or "resp", (replace(endpoint, address=endpoint.host),), tls=tls)


def resolved(word: str, wire: Wire) -> str:
    """Return the subject that `auto` is on this machine, and any other word as it is."""
    if word != AUTO:
        return word
    return next(each for each in FIRST[wire] if each == "builtin" or shutil.which(PROGRAMS[each]))


@contextlib.contextmanager
def opened(wanted: Wanted, emit: Emit, keys: Sequence[bytes] = ()) -> Iterator[Subject]:
    """Bring up a subject, which ends on exit; a server at an address goes on, without `keys`.

    Raises TargetError when the subject cannot be brought up.
    """
    if wanted.word == "model":
        yield ModelSubject(wanted.wire)
        return
    if wanted.word == "fakeredis":
        yield FakeredisSubject()
        return
    if wanted.word not in WORDS:
        target = address(wanted.word)
        with contextlib.closing(ServerSubject(wanted.word, target)) as subject:
            if refusal := subject.refusal():
                [endpoint] = target.endpoints
                raise TargetError(f"The server at {endpoint} {refusal.words}: {refusal.remedy}.")
            try:
                yield subject
            finally:
                # A server that has gone is told by whoever asked it last.
                with contextlib.suppress(TargetError):
                    subject.reset(keys)
        return
    plan, restarts = _plan(wanted)
    with ManagedServer(plan, emit) as server:
        target = replace(plan.target, endpoints=(server.endpoint,))
        with contextlib.closing(ServerSubject(wanted.word, target, server, restarts)) as subject:
            yield subject


def _plan(wanted: Wanted) -> tuple[ServerPlan, frozenset[Restart]]:
    """Return the server's plan, and how it can be restarted with its data."""
    protocol = "resp" if wanted.wire is Wire.RESP else "memcache"
    if wanted.word == "builtin":
        return builtin(protocol, name="builtin"), frozenset()
    program = PROGRAMS[wanted.word]
    if shutil.which(program) is None:
        raise TargetError(f"{program} is not in PATH: install it, or name another server or an address.")
    if wanted.word == "memcached":
        return ServerPlan("memcached", (program, *_MEMCACHED), loopback(protocol)), frozenset()
    if not wanted.durable:
        debug = _DEBUG if _major_version(program) >= _FIRST_WITH_DEBUG_OPTION else ()
        return ServerPlan(wanted.word, (program, *REDIS, *debug), loopback(protocol)), frozenset()
    plan = ServerPlan(wanted.word, (program, *REDIS, *DURABLE), loopback(protocol))
    try:
        return replace(plan, surroundings=surroundings_for(["power_cut"])), frozenset(Restart)
    except FaultError:
        # Without a C compiler there is no library that knows what is durable: a power cut cannot be made.
        return plan, frozenset((Restart.KILL,))


def _major_version(program: str) -> int:
    """Return the first number of a server's version, as `redis-server --version` says it; 0 when it does not."""
    try:
        ran = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=_VERSION_PATIENCE_S)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    version = re.search(r"\bv=(\d+)", ran.stdout)
    return int(version[1]) if version else 0
