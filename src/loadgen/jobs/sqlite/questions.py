"""What is asked about jobs, each as a function of a connection, the rules and the time, to be run in one snapshot."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from loadgen.jobs.job import Finished, Inspection, JobRecord, State
from loadgen.jobs.sqlite.rules import Now, Rules
from loadgen.jobs.sqlite.schema import CANCELLED, DEAD, DELAYED, NUMBERS, PENDING, STATES, SUCCESS
from loadgen.units import NS_PER_S

_IDS_AT_ONCE = 500
"""The most ids in one statement: SQLite takes 999 parameters at least."""
_MOST_RUNNING = 10_000
"""The most RUNNING jobs of an inspection."""
_MS_PER_S = 1000


def finished(connection: sqlite3.Connection, rules: Rules, ids: Sequence[str]) -> dict[str, Finished]:
    """Return the ends of those of these jobs that have ended and are kept."""
    found = {}
    for first in range(0, len(ids), _IDS_AT_ONCE):
        some = ids[first : first + _IDS_AT_ONCE]
        rows = connection.execute(
            f"SELECT id, state, value, error FROM loadgen_job WHERE id IN ({', '.join('?' * len(some))}) "
            f"AND queue = ? AND state IN ({SUCCESS}, {DEAD}, {CANCELLED})",
            (*some, rules.queue),
        )
        for job, state, value, error in rows:
            is_good = state == SUCCESS
            found[job] = Finished(STATES[state], (value or b"") if is_good else b"", "" if is_good else error or "")
    return found


_RECORD = """
SELECT id, name, state, at, failed, payload, error, worker, published_ms, claimed_ns FROM loadgen_job
"""


def find(connection: sqlite3.Connection, rules: Rules, now: Now, job: str) -> JobRecord | None:
    row = connection.execute(f"{_RECORD} WHERE id = ? AND queue = ?", (job, rules.queue)).fetchone()
    return None if row is None else _record(row, now)


def listed(connection: sqlite3.Connection, rules: Rules, now: Now, state: State, most: int) -> list[JobRecord]:
    """Return jobs of a state, the one that was published first before the others; RUNNING ones as they were claimed."""
    match state:
        case State.PENDING:
            which, values = f"(state = {PENDING} OR state = {DELAYED} AND at <= ?)", (now.unix_ms,)
        case State.DELAYED:
            which, values = f"state = {DELAYED} AND at > ?", (now.unix_ms,)
        case _:
            which, values = "state = ?", (NUMBERS[state],)
    order = "claimed_ns, number" if state is State.RUNNING else "number"
    rows = connection.execute(
        f"{_RECORD} WHERE queue = ? AND {which} ORDER BY {order} LIMIT ?", (rules.queue, *values, most)
    )
    return [_record(row, now) for row in rows]


def _record(row: tuple[Any, ...], now: Now) -> JobRecord:
    job, name, number, at, failed, payload, error, worker, published_ms, claimed_ns = row
    state = State.PENDING if number == DELAYED and at <= now.unix_ms else STATES[number]
    is_running = state is State.RUNNING
    age_s = (now.monotonic_ns - claimed_ns) / NS_PER_S if is_running else (now.unix_ms - published_ms) / _MS_PER_S
    return JobRecord(
        id=job,
        name=name,
        state=state,
        attempt=failed + (state in (State.RUNNING, State.SUCCESS)),
        payload=payload,
        error=error or "",
        worker=worker if is_running else "",
        age_s=max(0.0, age_s),
    )


def inspect(connection: sqlite3.Connection, rules: Rules, now: Now) -> Inspection:
    """Return the state of a queue. Reads its whole index."""
    counts = dict.fromkeys(State, 0)
    for number, jobs in connection.execute(
        "SELECT state, count(*) FROM loadgen_job WHERE queue = ? GROUP BY state", (rules.queue,)
    ):
        counts[STATES[number]] = jobs
    due = connection.execute(
        f"SELECT count(*) FROM loadgen_job WHERE queue = ? AND state = {DELAYED} AND at <= ?",
        (rules.queue, now.unix_ms),
    ).fetchone()[0]
    counts[State.PENDING] += due
    counts[State.DELAYED] -= due
    oldest = listed(connection, rules, now, State.PENDING, 1)
    workers = connection.execute("SELECT name, heard_ns FROM loadgen_worker WHERE queue = ?", (rules.queue,))
    return Inspection(
        counts=counts,
        oldest_s=oldest[0].age_s if oldest else None,
        facts={name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_size", "freelist_count")},
        running=tuple(listed(connection, rules, now, State.RUNNING, _MOST_RUNNING)),
        workers={name: (now.monotonic_ns - heard_ns) / NS_PER_S for name, heard_ns in workers},
    )
