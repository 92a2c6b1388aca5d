"""Errors of SQLite as sentences: what is wrong with the file, and what to do. Pure."""

from __future__ import annotations

import sqlite3

from loadgen.escape import printable
from loadgen.jobs.storage import StorageError
from loadgen.units import span


def is_lock(error: sqlite3.Error) -> bool:
    """Return True when another has the lock: SQLite did nothing, and may be asked again."""
    return _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def storage_error(error: sqlite3.Error, path: str, busy_timeout_ns: int) -> StorageError:
    """Return the StorageError of what SQLite has raised."""
    file = printable(path, 200)
    match _code(error):
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StorageError(
                f"{file}: database is locked; another process has held its lock for {span(busy_timeout_ns)}: end what "
                "else writes to the file, use fewer workers, or raise the busy timeout.",
                is_lock=True,
            )
        case sqlite3.SQLITE_FULL:
            return StorageError(f"{file} cannot grow, as its disk is full: free space on it, then try again.")
        case sqlite3.SQLITE_READONLY:
            return StorageError(
                f"{file} cannot be written to: give this user the right to write the file and its folder, in which "
                "SQLite keeps two more files.",
                is_passing=False,
            )
        case sqlite3.SQLITE_CANTOPEN:
            return StorageError(
                f"{file} cannot be opened: see that its folder exists, that this user may write there, and that "
                "the file is no folder.",
                is_passing=False,
            )
        case sqlite3.SQLITE_NOTADB:
            return StorageError(f"{file} is no database of SQLite: name another file.", is_passing=False)
        case sqlite3.SQLITE_CORRUPT:
            return StorageError(
                f"{file} is damaged ({error}): move it away with its -wal file, and see what sqlite3's .recover finds.",
                is_passing=False,
            )
        case sqlite3.SQLITE_IOERR:
            return StorageError(
                f"{file} could not be read or written ({_name(error)}): look for errors of its disk in the kernel's "
                "log."
            )
        case sqlite3.SQLITE_TOOBIG:
            return StorageError(
                f"{file}: a payload or a result is longer than SQLite stores, 1 GB: keep it elsewhere, and pass its "
                "place.",
                is_passing=False,
            )
    return StorageError(f"{file}: SQLite failed ({_name(error)}: {error}).", is_passing=False)


def _code(error: sqlite3.Error) -> int:
    """Return the primary code, without its extension; 0 where the error has none."""
    return (getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF


def _name(error: sqlite3.Error) -> str:
    return getattr(error, "sqlite_errorname", None) or type(error).__name__
