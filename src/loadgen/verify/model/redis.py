"""The model of a Redis server: what each command answers, on any of several connections, at a time that is told.

Source: the replies of redis-server 7.0, which differential tests hold the model to. Errors have the right first word;
their further words are those of Redis where that costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from loadgen.verify.model.expiry import EXPIRY
from loadgen.verify.model.failed import CommandError, wrong_arity
from loadgen.verify.model.hashes import HASHES
from loadgen.verify.model.keys import KEYS
from loadgen.verify.model.keyspace import Keyspace
from loadgen.verify.model.lists import LISTS
from loadgen.verify.model.sets import SETS
from loadgen.verify.model.sorted_set_ranges import SORTED_SETS
from loadgen.verify.model.stream_groups import STREAMS
from loadgen.verify.model.strings import STRINGS
from loadgen.verify.model.table import Table
from loadgen.verify.reply import OK, QUEUED, Error, Null, Reply

COMMANDS = Table(
    {
        **STRINGS,
        **KEYS,
        **EXPIRY,
        **LISTS,
        **HASHES,
        **SETS,
        **SORTED_SETS,
        **STREAMS,
    }
)
"""Every command of data. MULTI, EXEC, DISCARD, WATCH and UNWATCH are those of a connection."""

TRANSACTIONS = {b"MULTI": 1, b"EXEC": 1, b"DISCARD": 1, b"WATCH": -2, b"UNWATCH": 1}
"""The commands of transactions, and how many words each has."""

_NS_PER_MS = 1_000_000


@dataclass(slots=True)
class _Connection:
    """The state of one connection's transaction."""

    queued: list[Sequence[bytes]] | None = None
    """The commands since MULTI; None outside of a transaction."""
    refused: bool = False
    """True when a command could not be queued: EXEC then refuses the transaction."""
    watched: dict[bytes, int] = field(default_factory=dict)
    """The version that each watched key had."""


class Model:
    """A Redis server with one database."""

    def __init__(self) -> None:
        self.keyspace = Keyspace()
        self._connections: dict[int, _Connection] = {}

    def ask(self, command: Sequence[bytes], now_ns: int, connection: int = 0) -> Reply:
        """Return the reply to a command that is carried out at a Unix time, on one of any number of connections."""
        self.keyspace.now_ms = now_ns // _NS_PER_MS
        name, *args = command
        name = name.upper()
        asker = self._connections.setdefault(connection, _Connection())
        try:
            _check(name, len(command))
            if name in TRANSACTIONS:
                return self._transaction(asker, name, args)
        except CommandError as error:
            asker.refused = asker.refused or (asker.queued is not None and name not in (b"MULTI", b"WATCH"))
            return Error(error.text)
        if asker.queued is not None:
            asker.queued.append((name, *args))
            return QUEUED
        return self._carry_out(name, args)

    def refuse(self, connection: int) -> None:
        """Note that a command of a connection was refused before it came here: a transaction does not survive that."""
        if (asker := self._connections.get(connection)) is not None and asker.queued is not None:
            asker.refused = True

    def close(self, connection: int) -> None:
        """End a connection: its transaction is discarded."""
        self._connections.pop(connection, None)

    def _carry_out(self, name: bytes, args: Sequence[bytes]) -> Reply:
        try:
            return COMMANDS[name].handler(self.keyspace, args)
        except CommandError as error:
            return Error(error.text)

    def _transaction(self, asker: _Connection, name: bytes, args: Sequence[bytes]) -> Reply:
        match name:
            case b"MULTI":
                if asker.queued is not None:
                    raise CommandError(b"ERR MULTI calls can not be nested")
                asker.queued, asker.refused = [], False
            case b"WATCH":
                if asker.queued is not None:
                    raise CommandError(b"ERR WATCH inside MULTI is not allowed")
                for key in args:
                    asker.watched.setdefault(key, self.keyspace.version(key))
            case b"UNWATCH":
                if asker.queued is not None:
                    asker.queued.append((name,))
                    return QUEUED
                asker.watched.clear()
            case b"DISCARD":
                if asker.queued is None:
                    raise CommandError(b"ERR DISCARD without MULTI")
                asker.queued = None
                asker.watched.clear()
            case b"EXEC":
                return self._execute(asker)
        return OK

    def _execute(self, asker: _Connection) -> Reply:
        queued, refused = asker.queued, asker.refused
        if queued is None:
            raise CommandError(b"ERR EXEC without MULTI")
        changed = any(self.keyspace.version(key) != version for key, version in asker.watched.items())
        asker.queued, asker.refused = None, False
        asker.watched.clear()
        if refused:
            raise CommandError(b"EXECABORT Transaction discarded because of previous errors.")
        if changed:
            return Null.ARRAY
        return tuple(OK if name == b"UNWATCH" else self._carry_out(name, args) for name, *args in queued)


def _check(name: bytes, words: int) -> None:
    """Raise CommandError when there is no such command, or none with so many words."""
    if name in TRANSACTIONS:
        arity = TRANSACTIONS[name]
        if not (words == arity if arity > 0 else words >= -arity):
            raise wrong_arity(name)
    elif name not in COMMANDS:
        raise CommandError(b"ERR unknown command '%b', with args beginning with: " % name)
    elif not COMMANDS[name].takes(words):
        raise wrong_arity(name)
