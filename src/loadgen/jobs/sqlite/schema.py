"""The tables of a file, and whether a file is ours: a version, an application id, the boot of the host. No clock.

All jobs are in one table, with one index that finds the next of each state: `(queue, state, at)`, where `at` is

    PENDING    0: jobs are taken in the order in which they were published
    DELAYED    the Unix time in ms before which the job is not claimed
    RUNNING    the end of its lease, in ns of the monotonic clock
    else       the Unix time in ms of its end

A DELAYED job whose time has come is as good as a PENDING one, and is claimed from where it is.
"""

from __future__ import annotations

import sqlite3

from loadgen.escape import printable
from loadgen.jobs.job import State
from loadgen.jobs.storage import StorageError

APPLICATION_ID = 0x4C474A51
"""Says that a file is ours, in the header of the file: "LGJQ"."""
VERSION = 1

NUMBERS = {
    State.PENDING: 0,
    State.DELAYED: 1,
    State.RUNNING: 2,
    State.SUCCESS: 3,
    State.DEAD: 4,
    State.CANCELLED: 5,
}
STATES = {number: state for state, number in NUMBERS.items()}
PENDING, DELAYED, RUNNING, SUCCESS, DEAD, CANCELLED = NUMBERS.values()

# `failed` counts the attempts that failed, `delivery` the claims since the last settlement, `fence` all claims.
# `worker` and `fence` of a job that has ended are those of the settlement, by which a repeated one is known.
_TABLES = """
CREATE TABLE loadgen_queue (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
);
CREATE TABLE loadgen_job (
    number INTEGER PRIMARY KEY,
    queue INTEGER NOT NULL,
    state INTEGER NOT NULL,
    at INTEGER NOT NULL,
    failed INTEGER NOT NULL DEFAULT 0,
    delivery INTEGER NOT NULL DEFAULT 0,
    fence INTEGER NOT NULL DEFAULT 0,
    published_ms INTEGER NOT NULL,
    claimed_ns INTEGER,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    terms TEXT NOT NULL,
    worker TEXT,
    error TEXT,
    value BLOB,
    payload BLOB NOT NULL
);
CREATE UNIQUE INDEX loadgen_job_id ON loadgen_job (id, queue);
CREATE INDEX loadgen_job_next ON loadgen_job (queue, state, at);
CREATE TABLE loadgen_key (
    queue INTEGER NOT NULL,
    key TEXT NOT NULL,
    until_ms INTEGER NOT NULL,
    job TEXT NOT NULL,
    PRIMARY KEY (queue, key)
) WITHOUT ROWID;
CREATE INDEX loadgen_key_until ON loadgen_key (queue, until_ms);
CREATE TABLE loadgen_schedule (
    queue INTEGER NOT NULL,
    name TEXT NOT NULL,
    cron TEXT NOT NULL,
    zone TEXT NOT NULL,
    job TEXT NOT NULL,
    payload BLOB NOT NULL,
    next_ms INTEGER NOT NULL,
    terms TEXT NOT NULL,
    is_paused INTEGER NOT NULL,
    PRIMARY KEY (queue, name)
) WITHOUT ROWID;
CREATE TABLE loadgen_worker (
    queue INTEGER NOT NULL,
    name TEXT NOT NULL,
    heard_ns INTEGER NOT NULL,
    PRIMARY KEY (queue, name)
) WITHOUT ROWID;
CREATE TABLE loadgen_boot (id TEXT NOT NULL);
"""


def check(connection: sqlite3.Connection, path: str) -> None:
    """Raise StorageError for a file of other software, and for one of a later version of loadgen."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application == APPLICATION_ID:
        if version > VERSION:
            raise StorageError(
                f"{printable(path, 200)} was made by a later version of loadgen (tables of version {version}; this one "
                f"knows {VERSION}): update loadgen, or name another file.",
                is_passing=False,
            )
        return
    if application or version or connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone():
        raise StorageError(
            f"{printable(path, 200)} is a database of other software, which is not touched: name a file of the "
            "queue's own.",
            is_passing=False,
        )


def prepare(connection: sqlite3.Connection, path: str, queue: str, boot: str) -> int:
    """Make what is not there yet, and return the number of a queue. Runs in a transaction.

    `boot` is the id of the host's boot: leases of an earlier boot, whose clock has begun anew, are expired.
    Raises StorageError as `check` does.
    """
    check(connection, path)
    if not connection.execute("PRAGMA application_id").fetchone()[0]:
        for statement in _TABLES.split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
    known = connection.execute("SELECT id FROM loadgen_boot").fetchone()
    if known is None or known[0] != boot:
        connection.execute("DELETE FROM loadgen_boot")
        connection.execute("INSERT INTO loadgen_boot VALUES (?)", (boot,))
        connection.execute("UPDATE loadgen_job SET at = 0, claimed_ns = 0 WHERE state = ?", (RUNNING,))
        connection.execute("DELETE FROM loadgen_worker")
    found = connection.execute("SELECT number FROM loadgen_queue WHERE name = ?", (queue,)).fetchone()
    if found is None:
        found = connection.execute("INSERT INTO loadgen_queue (name) VALUES (?) RETURNING number", (queue,)).fetchone()
    return int(found[0])
