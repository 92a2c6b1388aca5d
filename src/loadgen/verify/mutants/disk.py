"""Mutants of the disk, and of the file that a server keeps on it."""

from __future__ import annotations

from loadgen.verify.mutants.mutant import Mutant, Where
from loadgen.verify.step import Command
from loadgen.verify.world.disk import DiskError, File
from loadgen.verify.world.redis import append_only
from loadgen.verify.world.redis.append_only import AppendOnlyFile

KIND = "redis_power_cuts"
LONGEST_TAIL = 64

_command = append_only._command
_write = AppendOnlyFile.write


def _syncs_what_was_there(file: File) -> None:
    """Make durable what was written before the last write: the pages under way are forgotten."""
    if file._disk.failing:
        raise DiskError("input/output error")
    synced, file._synced = getattr(file, "_synced", 0), len(file)  # type: ignore[attr-defined]
    file.durable_bytes = max(file.durable_bytes, min(synced, len(file)))


def _takes_torn(data: bytes, at: int) -> tuple[Command, int]:
    """Take a last command whose last word is torn for whole."""
    try:
        return _command(data, at)
    except ValueError:
        for missing in range(LONGEST_TAIL):
            try:
                command, end = _command(data + b"0" * missing + b"\r\n", at)
            except ValueError:
                continue
            return command, min(end, len(data))
        raise


def _replies_before_it_writes(file: AppendOnlyFile) -> bool:
    """Leave the newest records to the next write."""
    pending = file._pending
    file._pending = getattr(file, "_held", b"")
    file._held = pending  # type: ignore[attr-defined]
    return _write(file)


def _row(name: str, breaks: str, owner: object, piece: str, replacement: object) -> Mutant:
    return Mutant(name, breaks, Where.DISK, KIND, ((owner, piece, replacement),))


MUTANTS = (
    _row(
        "acked write lost at a power cut",
        "an fsync makes durable what was there at the fsync before it",
        File,
        "sync",
        _syncs_what_was_there,
    ),
    _row(
        "torn record accepted",
        "a last record of which a part is missing is carried out at the start",
        append_only,
        "_command",
        _takes_torn,
    ),
    _row(
        "reply before the write",
        "a write is acknowledged before its record is in the file",
        AppendOnlyFile,
        "write",
        _replies_before_it_writes,
    ),
)
