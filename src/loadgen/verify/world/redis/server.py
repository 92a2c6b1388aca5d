"""A Redis server of the simulated world: the model's commands, its connections, and an append-only file.

The server is told bytes and the time, and answers through what it is given: it touches no socket and no clock. Beside
the model's commands there are the blocking ones of lists and streams (`blocking`) and those of a connection
(`redis_connection`). A script is a function that the server was given in its place. There is no pub/sub, no replica and
no cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha1
from typing import Protocol, TypeAlias

from loadgen.verify.model.failed import CommandError, wrong_arity
from loadgen.verify.model.keyspace import Keyspace
from loadgen.verify.model.numbers import integer
from loadgen.verify.model.redis import COMMANDS, Model
from loadgen.verify.model.stream import Stream
from loadgen.verify.reply import OK, QUEUED, Error, Null, Reply
from loadgen.verify.step import Command
from loadgen.verify.world.redis.append_only import AppendOnlyFile

_READS = frozenset(
    b"SCAN TTL PTTL EXPIRETIME PEXPIRETIME HGET HMGET HGETALL HKEYS HVALS HLEN HEXISTS HSTRLEN EXISTS TOUCH TYPE "
    b"KEYS LLEN LRANGE LINDEX LPOS SMEMBERS SCARD SISMEMBER SMISMEMBER SRANDMEMBER SINTER SUNION SDIFF SINTERCARD "
    b"ZRANGE ZREVRANGE ZRANGEBYSCORE ZREVRANGEBYSCORE ZRANGEBYLEX ZREVRANGEBYLEX ZCOUNT ZLEXCOUNT ZSCORE ZMSCORE "
    b"ZCARD ZRANK ZREVRANK XPENDING XLEN XRANGE XREVRANGE XREAD GET MGET STRLEN GETRANGE SUBSTR GETBIT BITCOUNT".split()
)
_FREES = frozenset(
    b"DEL UNLINK EXPIRE PEXPIRE EXPIREAT PEXPIREAT PERSIST GETDEL GETEX HDEL LPOP RPOP LREM LTRIM SREM SPOP SMOVE ZREM "
    b"ZREMRANGEBYSCORE ZREMRANGEBYLEX ZREMRANGEBYRANK ZPOPMIN ZPOPMAX XDEL XTRIM XACK XREADGROUP XCLAIM XAUTOCLAIM "
    b"RENAME RENAMENX".split()
)
"""Commands that write and are carried out beyond maxmemory, as they have no flag `denyoom`."""

_NS_PER_MS = 1_000_000

OUT_OF_MEMORY = Error(b"OOM command not allowed when used memory > 'maxmemory'.")
MISCONF = Error(b"MISCONF Errors writing to the AOF file: No space left on device")

NOTHING: tuple[Reply, ...] = (Null.BULK, Null.ARRAY, ())
"""The replies of a command that found nothing."""

Word: TypeAlias = "bytes | str | int"
Script: TypeAlias = Callable[[Callable[..., Reply], list[bytes], list[bytes]], "Reply | str | None"]
"""Carries out a script, with a function that carries out a command, the keys and the arguments."""
Observe: TypeAlias = Callable[[str, Command, Reply], None]
"""Told of each command that was carried out: the host that asked, the command and the reply."""


class Clock(Protocol):
    """The time of the server's host, and calls at a time."""

    def unix_ns(self) -> int:
        """Return the Unix time."""

    def after(self, wait_ns: int, call: Callable[[], None]) -> None:
        """Make a call after a time, as long as the server's process lives."""


class Asker(Protocol):
    """A connection, as commands see it."""

    @property
    def number(self) -> int: ...

    @property
    def host(self) -> str:
        """The host that the connection comes from."""

    @property
    def queued(self) -> list[Command]:
        """The commands since MULTI."""

    def go_on(self, reply: Reply) -> None:
        """Take the reply to a command that waited."""


class _Ledger(Keyspace):
    """A keyspace that notes which keys were changed."""

    def __init__(self) -> None:
        super().__init__()
        self.changes: dict[bytes, None] = {}

    def touch(self, key: bytes) -> None:
        super().touch(key)
        self.changes[key] = None


class Waiting:
    """A command that waits until one of its keys has something."""

    def __init__(self, asker: Asker, tries: Sequence[Command], nothing: Reply) -> None:
        self.asker = asker
        self.tries = tries
        """The commands that do not block, in the order of the keys."""
        self.nothing = nothing
        """The reply when the time is over."""


class _Running:
    """A script that is being carried out: one step, as whose record the file has what it changed."""

    def __init__(self) -> None:
        self.has_written = False
        self.kept: list[Command] = []
        """The commands that changed something."""


class RedisServer:
    """A server process and its data."""

    def __init__(
        self,
        clock: Clock,
        file: AppendOnlyFile | None = None,
        *,
        maxmemory_bytes: int | None = None,
        end: Callable[[], None] = lambda: None,
        observe: Observe | None = None,
        scripts: dict[bytes, Script] | None = None,
    ) -> None:
        """Start a server, which loads an append-only file and then appends to it. `scripts` are by their SHA1.

        `end` is called when the server ends by itself, as its disk fails.
        """
        self.clock = clock
        self.file = file
        self._maxmemory_bytes = maxmemory_bytes
        self.end = end
        self._observe = observe
        self._scripts = {} if scripts is None else scripts
        self._known: dict[bytes, None] = {}
        self._model = Model()
        self._model.keyspace = self._ledger = _Ledger()
        self._sizes: dict[bytes, int] = {}
        self.used_bytes = 0
        """The bytes of keys and values; counted only where maxmemory bounds them."""
        self._waiting: list[Waiting] = []
        self._waking = self._changed = False
        self._script: _Running | None = None
        self._numbers = 0
        if file is not None:
            for unix_ns, commands in file.records():
                for command in commands:
                    self._model.ask(command, unix_ns)
        self._account()

    def number(self) -> int:
        """Return a number for a connection."""
        self._numbers += 1
        return self._numbers

    @property
    def refuses_writes(self) -> bool:
        return self.file is not None and self.file.refuses

    # ── Commands ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def ask(self, asker: Asker, command: Command) -> Reply:
        """Carry out a command of data, or of a transaction."""
        name = command[0].upper()
        if name == b"TIME":
            return self.time()
        writes = name in COMMANDS and name not in _READS
        if writes:
            # A script that has written is not stopped half way.
            goes_on = self._script is not None and self._script.has_written
            if not goes_on and (refusal := self._refusal(name)) is not None:
                self._model.refuse(asker.number)
                return refusal
            if self._script is not None:
                self._script.has_written = True
        unix_ns = self.clock.unix_ns()
        reply = self._model.ask(command, unix_ns, asker.number)
        if self.file is not None and reply is not QUEUED and not isinstance(reply, Error):
            if name == b"EXEC" and isinstance(reply, tuple):
                if kept := [each for each in asker.queued if each[0].upper() not in _READS]:
                    self.file.log([(b"MULTI",), *kept, (b"EXEC",)], unix_ns)
            elif writes and reply not in NOTHING:
                if self._script is not None:
                    self._script.kept.append(command)
                else:
                    self.file.log([command], unix_ns)
        if self._ledger.changes and self._script is None:
            # A read of a group that finds nothing touches its stream all the same, and is nothing to wait for.
            self._settle(wakes=reply not in NOTHING)
        return reply

    def _settle(self, *, wakes: bool = True) -> None:
        """Account for what was changed, and carry out the commands that wait for it."""
        self._account()
        if wakes and self._waiting:
            self._wake()

    def time(self) -> Reply:
        """Return the reply to TIME."""
        now_us = self.clock.unix_ns() // 1000
        return b"%d" % (now_us // 1_000_000), b"%d" % (now_us % 1_000_000)

    def _refusal(self, name: bytes) -> Error | None:
        """Return the error by which a command that writes is refused now."""
        if self.refuses_writes:
            assert self.file is not None
            self.file.write()
            if self.refuses_writes:
                return MISCONF
        beyond = self._maxmemory_bytes is not None and self.used_bytes > self._maxmemory_bytes
        return OUT_OF_MEMORY if beyond and name not in _FREES else None

    def _account(self) -> None:
        changes, self._ledger.changes = self._ledger.changes, {}
        if self._maxmemory_bytes is None:
            return
        for key in changes:
            entry = self._ledger.entry(key)
            size = 0 if entry is None else len(key) + _size(entry.value)
            self.used_bytes += size - self._sizes.pop(key, 0)
            if size:
                self._sizes[key] = size

    def tell(self, asker: Asker, command: Command, reply: Reply) -> None:
        """Tell the observer of a command."""
        if self._observe is not None:
            self._observe(asker.host, command, reply)

    def keys(self) -> int:
        self._ledger.now_ms = self.clock.unix_ns() // _NS_PER_MS
        return sum(1 for _ in self._ledger.listed())

    def flush(self) -> Reply:
        """Remove every key."""
        self._ledger.now_ms = self.clock.unix_ns() // _NS_PER_MS
        if keys := tuple(self._ledger.listed()):
            self._ledger.clear()
            self._account()
            if self.file is not None:
                self.file.log([(b"DEL", *keys)], self.clock.unix_ns())
        return OK

    def gone(self, asker: Asker) -> None:
        """Forget a connection that has ended."""
        self._model.close(asker.number)
        self._waiting = [each for each in self._waiting if each.asker is not asker]

    # ── Commands that wait ────────────────────────────────────────────────────────────────────────────────────────────

    def from_now(self, command: Command) -> Command:
        """Return an XREAD that waits with the last ID of each stream in the place of `$`: entries from now on."""
        at = next((at for at, word in enumerate(command) if word.upper() == b"STREAMS"), len(command))
        if command[0].upper() != b"XREAD" or b"$" not in command[at:]:
            return command
        self._ledger.now_ms = self.clock.unix_ns() // _NS_PER_MS
        middle = (at + 1 + len(command)) // 2
        keys, ids = command[at + 1 : middle], command[middle:]
        known = [self._last_id(key) if each == b"$" else each for key, each in zip(keys, ids, strict=False)]
        return (*command[: at + 1], *keys, *known)

    def _last_id(self, key: bytes) -> bytes:
        stream = self._ledger.get(key, Stream)
        return b"0-0" if stream is None else stream.last_id.written

    def wait(self, waiting: Waiting, wait_ns: int) -> None:
        """Have a command wait, for ever with 0."""
        self._waiting.append(waiting)
        if wait_ns:
            self.clock.after(wait_ns, lambda: self._give_up(waiting))

    def _give_up(self, waiting: Waiting) -> None:
        if waiting in self._waiting:
            self._waiting.remove(waiting)
            waiting.asker.go_on(waiting.nothing)

    def _wake(self) -> None:
        """Carry out the commands that wait, in the order in which they came, as far as they find something now.

        What they change may be what others wait for, which are looked at again then.
        """
        self._changed = True
        if self._waking:
            return
        self._waking = True
        while self._changed:
            self._changed = False
            for waiting in [*self._waiting]:
                if waiting in self._waiting and (reply := self.tried(waiting.asker, waiting.tries)) is not None:
                    self._waiting.remove(waiting)
                    waiting.asker.go_on(reply)
        self._waking = False

    def tried(self, asker: Asker, tries: Sequence[Command]) -> Reply | None:
        """Return the reply of the first of some commands that finds something; None when none does."""
        for command in tries:
            reply = self.ask(asker, command)
            if reply not in NOTHING:
                # BLPOP and BRPOP say which key it was.
                return (command[1], reply) if command[0] in (b"LPOP", b"RPOP") and isinstance(reply, bytes) else reply
        return None

    # ── Scripts ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def script(self, asker: Asker, command: Command) -> Reply:
        """Carry out EVAL, EVALSHA or SCRIPT."""
        match [command[0].upper(), *command[1:]]:
            case [b"SCRIPT", sub, text] if sub.upper() == b"LOAD":
                return self._load(text)
            case [b"SCRIPT", sub, *digests] if sub.upper() == b"EXISTS":
                return tuple(int(digest in self._known) for digest in digests)
            case [b"EVALSHA", digest, count, *words]:
                if digest.lower() not in self._known:
                    return Error(b"NOSCRIPT No matching script. Please use EVAL.")
                return self._run(asker, digest.lower(), integer(count), words)
            case [b"EVAL", text, count, *words]:
                return self._run(asker, self._load(text), integer(count), words)
        raise wrong_arity(command[0])

    def _load(self, text: bytes) -> bytes:
        digest = sha1(text, usedforsecurity=False).hexdigest().encode()
        if digest not in self._scripts:
            raise CommandError(
                b"ERR the simulated server runs no Lua: give it a function in the place of script %b" % digest
            )
        self._known[digest] = None
        return digest

    def _run(self, asker: Asker, digest: bytes, count: int, words: Sequence[bytes]) -> Reply:
        def call(*given: Word) -> Reply:
            command = tuple(word if isinstance(word, bytes) else str(word).encode() for word in given)
            reply = self.ask(asker, command)
            self.tell(asker, command, reply)
            return reply

        self._script = script = _Running()
        try:
            reply = self._scripts[digest](call, [*words[:count]], [*words[count:]])
        finally:
            self._script = None
            if script.kept and self.file is not None:
                self.file.log([(b"MULTI",), *script.kept, (b"EXEC",)], self.clock.unix_ns())
            if self._ledger.changes:
                self._settle()
        return Null.BULK if reply is None else reply.encode() if isinstance(reply, str) else reply


def _size(value: object) -> int:
    """Return the bytes of a value, without what a server needs beside them."""
    if isinstance(value, bytes):
        return len(value)
    if isinstance(value, dict):
        return sum(_size(key) + _size(each) for key, each in value.items())
    if isinstance(value, (list, tuple)):
        return sum(map(_size, value))
    entries = getattr(value, "entries", None)
    return 8 if entries is None else _size(entries)
