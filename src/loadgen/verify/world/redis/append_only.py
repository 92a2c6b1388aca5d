"""The append-only file of a simulated Redis: records of commands on a disk, synced by one of Redis' three policies.

A record is a command, or a whole transaction, behind a line with the time at which it was carried out (`#TS:` and Unix
time, here in ms). What is read back is every record that is whole. No I/O but on the simulated disk, no clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from loadgen.verify.step import Command
from loadgen.verify.world.disk import DiskError, File
from loadgen.verify.world.redis.resp import command_bytes

ALWAYS, EVERYSEC, NO = "always", "everysec", "no"
POLICIES = (ALWAYS, EVERYSEC, NO)
"""The values of redis.conf's appendfsync."""

_SYNC_AFTER_NS = {EVERYSEC: 1_000_000_000, NO: 30_000_000_000}
"""The time after which what was written is synced: by Redis, or by the kernel's write-back (dirty_expire_centisecs)."""

_NS_PER_MS = 1_000_000

After = Callable[[int, Callable[[], None]], None]
"""Makes a call after a time in ns, as long as the server's process lives."""


class AppendOnlyFile:
    """The file of one server process."""

    def __init__(self, file: File, policy: str, after: After) -> None:
        self._file = file
        self._policy = policy
        self._after = after
        self._pending = b""
        self._syncing = False
        self.refuses = False
        """True from a write or a sync that failed to the next that does not: Redis then refuses commands that write."""

    def log(self, commands: Sequence[Command], unix_ns: int) -> None:
        """Take a record, which `write` writes."""
        self._pending += b"#TS:%d\r\n" % (unix_ns // _NS_PER_MS) + b"".join(map(command_bytes, commands))

    def write(self) -> bool:
        """Write the records that were taken, and sync them as the policy says, before replies are sent.

        False: the server ends, as it cannot keep what `always` promises.
        """
        if not self._pending and not self.refuses:
            return True
        before = len(self._file)
        try:
            self._file.append(self._pending)
            if self._policy == ALWAYS or self.refuses:
                self._file.sync()
        except DiskError:
            self._file.truncate(before)
            self.refuses = True
            return self._policy != ALWAYS
        self._pending = b""
        self.refuses = False
        if self._policy != ALWAYS and not self._syncing:
            self._syncing = True
            self._after(_SYNC_AFTER_NS[self._policy], self._sync)
        return True

    def _sync(self) -> None:
        self._syncing = False
        try:
            self._file.sync()
        except DiskError:
            self.refuses = True

    def records(self) -> Iterator[tuple[int, list[Command]]]:
        """Yield each whole record with its Unix time in ns, then cut off what is behind the last of them."""
        data, at = self._file.read(), 0
        while (record := _record(data, at)) is not None:
            unix_ns, commands, at = record
            yield unix_ns, commands
        self._file.truncate(at)


def _record(data: bytes, at: int) -> tuple[int, list[Command], int] | None:
    """Return the time, the commands and the end of the record that begins at an index; None where it is not whole."""
    try:
        end = data.index(b"\r\n", at)
        unix_ns = int(data[at + len(b"#TS:") : end]) * _NS_PER_MS
        command, at = _command(data, end + 2)
        commands = [command]
        while commands[0] == (b"MULTI",) and command != (b"EXEC",):
            command, at = _command(data, at)
            commands.append(command)
    except ValueError:
        return None
    return unix_ns, commands, at


def _command(data: bytes, at: int) -> tuple[Command, int]:
    """Return the command that begins at an index, and its end. Raises ValueError where it is not whole."""
    count, at = _header(data, at, b"*")
    words = []
    for _ in range(count):
        size, at = _header(data, at, b"$")
        if data[at + size : at + size + 2] != b"\r\n":
            raise ValueError
        words.append(data[at : at + size])
        at += size + 2
    return tuple(words), at


def _header(data: bytes, at: int, sign: bytes) -> tuple[int, int]:
    if data[at : at + 1] != sign:
        raise ValueError
    end = data.index(b"\r\n", at)
    return int(data[at + 1 : end]), end + 2
