"""The seal around a simulated world: time, random numbers and sleep, as any Python code sees them, are the world's.

Inside `sealed`, the functions of `time`, `os.urandom`, unseeded `random` and `uuid.uuid1` are replaced wherever a
module has them, and each asks the world that is open; in another thread, and where no world is open, it is the real
one.
`secrets`, `uuid.uuid4` and `random.SystemRandom` follow, as they ask `os.urandom`. Code of a world that looks up a name
or connects a socket without the event loop gets NotImplementedError: it would wait in real time for real servers.

Not sealed, as it cannot be: `datetime.now()` and other C code that reads a clock by itself, the order of a set of
strings (PYTHONHASHSEED) and of objects (their addresses), and threads.
A run that depends on one of them differs from its second run, where it depends on it twice in different ways.
"""

from __future__ import annotations

import gc
import os
import random
import socket
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Protocol

from loadgen.verify.tape import Generator

NS_PER_S = 1_000_000_000


class Clocks(Protocol):
    """What a world gives to the code in it. Times are of the host whose code runs."""

    def monotonic_ns(self) -> int: ...

    def unix_ns(self) -> int: ...

    def sleep_ns(self, wait_ns: int) -> None:
        """Let time pass for the host whose code runs."""


class _Open:
    """The world that is open in one thread."""

    def __init__(self) -> None:
        self.thread = 0
        self.clocks: Clocks | None = None
        self.generator: Generator | None = None


_open = _Open()


def _inside() -> bool:
    return _open.clocks is not None and threading.get_ident() == _open.thread


def _clock(real: Callable[..., Any], of_world: Callable[[Clocks], Any]) -> Callable[..., Any]:
    def now() -> Any:
        return of_world(_open.clocks) if _open.clocks is not None and _inside() else real()

    return now


def _of_time(real: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function such as `gmtime`, whose time is the world's when it is given none."""

    def converted(seconds: float | None = None) -> Any:
        if seconds is None and _open.clocks is not None and _inside():
            seconds = _open.clocks.unix_ns() / NS_PER_S
        return real(seconds)

    return converted


def _sleep(seconds: float) -> None:
    if _open.clocks is not None and _inside():
        _open.clocks.sleep_ns(round(seconds * NS_PER_S))
    else:
        _REAL_SLEEP(seconds)


def _urandom(size: int) -> bytes:
    if _open.generator is None or not _inside():
        return _REAL_URANDOM(size)
    words = (_open.generator.word().to_bytes(8, "big") for _ in range(-(-size // 8)))
    return b"".join(words)[:size]


def _uuid1(node: int | None = None, clock_seq: int | None = None) -> uuid.UUID:
    if _open.clocks is None or not _inside():
        return _REAL_UUID1(node, clock_seq)
    ticks = _open.clocks.unix_ns() // 100 + 0x01B21DD213814000  # From 15 October 1582: RFC 9562, section 5.1.
    sequence = int.from_bytes(_urandom(2)) & 0x3FFF if clock_seq is None else clock_seq
    node = int.from_bytes(_urandom(6)) | 1 << 40 if node is None else node
    low, middle, high = ticks & 0xFFFFFFFF, ticks >> 32 & 0xFFFF, ticks >> 48 & 0x0FFF
    return uuid.UUID(fields=(low, middle, high, sequence >> 8, sequence & 0xFF, node), version=1)


def _seed(self: random.Random, a: Any = None, version: int = 2) -> None:
    """Seed a generator that is given no seed from the world."""
    if a is None and _open.generator is not None and _inside():
        a = _open.generator.word()
    _REAL_SEED(self, a, version)


_REAL_SLEEP = time.sleep
_REAL_URANDOM = os.urandom
_REAL_UUID1 = uuid.uuid1
_REAL_SEED = random.Random.seed

_REPLACED: dict[Callable[..., Any], Callable[..., Any]] = {
    time.time: _clock(time.time, lambda clocks: clocks.unix_ns() / NS_PER_S),
    time.time_ns: _clock(time.time_ns, lambda clocks: clocks.unix_ns()),
    time.monotonic: _clock(time.monotonic, lambda clocks: clocks.monotonic_ns() / NS_PER_S),
    time.monotonic_ns: _clock(time.monotonic_ns, lambda clocks: clocks.monotonic_ns()),
    time.perf_counter: _clock(time.perf_counter, lambda clocks: clocks.monotonic_ns() / NS_PER_S),
    time.perf_counter_ns: _clock(time.perf_counter_ns, lambda clocks: clocks.monotonic_ns()),
    time.gmtime: _of_time(time.gmtime),
    time.localtime: _of_time(time.localtime),
    time.sleep: _sleep,
    os.urandom: _urandom,
    uuid.uuid1: _uuid1,
}
"""By real function, the one that stands in its place."""

_REAL_GETADDRINFO = socket.getaddrinfo
_REAL_CONNECT = socket.socket.connect
_REAL_CONNECT_EX = socket.socket.connect_ex


def _refuse_in_a_world() -> None:
    if _open.clocks is not None and _inside():
        raise NotImplementedError(
            "a simulated world has no sockets of the kernel; connect by the event loop, as redis.asyncio does"
        )


def _getaddrinfo(host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0) -> Any:
    if not flags & socket.AI_NUMERICHOST:
        _refuse_in_a_world()
    return _REAL_GETADDRINFO(host, port, family, type, proto, flags)


def _connect(self: socket.socket, address: Any) -> None:
    _refuse_in_a_world()
    _REAL_CONNECT(self, address)


def _connect_ex(self: socket.socket, address: Any) -> int:
    _refuse_in_a_world()
    return _REAL_CONNECT_EX(self, address)


_OUTSIDE = frozenset({"asyncio", "threading", "selectors", "queue", "socket", "_pytest", "pytest", "faulthandler"})
"""Modules that keep real clocks: those that work below the world, or beside it in other threads."""


@contextmanager
def passed_over() -> Iterator[None]:
    """Have collections of garbage pass over all that is there by now, until the outermost of these contexts ends.

    A process that has frozen its objects itself keeps them frozen.
    """
    is_outermost = not gc.get_freeze_count()
    gc.freeze()
    try:
        yield
    finally:
        if is_outermost:
            gc.unfreeze()


@contextmanager
def sealed() -> Iterator[None]:
    """Put the replacements into every module that is imported, and take them out at the end.

    What is there before is left out of the collections of garbage that follow each run, which would look at all of it.

    This takes milliseconds: a campaign is sealed once, and worlds are opened in it. Modules that are imported inside
    find the replacements, and get the real functions back at the end like all others.
    """
    _exchange(_REPLACED)
    random.Random.seed = _seed  # type: ignore[method-assign]
    socket.getaddrinfo = _getaddrinfo
    socket.socket.connect = _connect  # type: ignore[method-assign, assignment]
    socket.socket.connect_ex = _connect_ex  # type: ignore[method-assign, assignment]
    try:
        # What there is by now is no garbage of a world's, and is not looked through after each.
        with passed_over():
            yield
    finally:
        random.Random.seed = _REAL_SEED  # type: ignore[method-assign]
        socket.getaddrinfo = _REAL_GETADDRINFO
        socket.socket.connect = _REAL_CONNECT  # type: ignore[method-assign]
        socket.socket.connect_ex = _REAL_CONNECT_EX  # type: ignore[method-assign]
        _exchange({stand_in: real for real, stand_in in _REPLACED.items()})


@contextmanager
def opened(clocks: Clocks, state: int) -> Iterator[None]:
    """Have the code of this thread live in a world, whose random numbers follow from `state`."""
    kept = random.getstate()
    _open.thread, _open.clocks, _open.generator = threading.get_ident(), clocks, Generator(state)
    random.seed(_open.generator.word())
    try:
        yield
    finally:
        _open.clocks = _open.generator = None
        random.setstate(kept)


def _exchange(replaced: dict[Callable[..., Any], Callable[..., Any]]) -> None:
    by_id = {id(old): new for old, new in replaced.items()}
    for name, module in [*sys.modules.items()]:
        top = name.partition(".")[0]
        if top in _OUTSIDE or name == __name__ or not isinstance(module, ModuleType):
            continue
        names = vars(module)
        for attribute in [key for key, value in names.items() if id(value) in by_id]:
            names[attribute] = by_id[id(names[attribute])]
