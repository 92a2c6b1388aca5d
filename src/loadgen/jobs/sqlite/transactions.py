"""What happens to jobs, each as a function of a connection, the rules and the time, to be run in a transaction.

No clock, no event loop, no file: who calls begins and ends the transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from loadgen.jobs.job import Claim, Died, NewJob, Published, Settlement, Succeeded, Swept, TryAgain
from loadgen.jobs.sqlite import terms
from loadgen.jobs.sqlite.rules import Now, Rules
from loadgen.jobs.sqlite.schema import CANCELLED, DEAD, DELAYED, PENDING, RUNNING, SUCCESS
from loadgen.units import NS_PER_S

MOST_SWEPT = 1000
"""The most leases, and the most old rows of each kind, that one sweep handles: it must not hold the lock for long."""
_HEARD_EVERY_NS = 5 * NS_PER_S
"""How old the note of a worker is before a sweep renews it."""
_FORGOTTEN_NS = 3600 * NS_PER_S
"""How long a worker that is not heard of is remembered."""

# ── Publishing ────────────────────────────────────────────────────────────────────────────────────────────────────────


def publish(connection: sqlite3.Connection, rules: Rules, now: Now, jobs: Sequence[NewJob]) -> list[Published]:
    """Store jobs, and return the answer to each."""
    keyed = sum(1 for job in jobs if job.key)
    if keyed:
        _remove_keys(connection, rules, now, 2 * keyed)
    return [_publish(connection, rules, now, job) for job in jobs]


def _publish(connection: sqlite3.Connection, rules: Rules, now: Now, job: NewJob) -> Published:
    if job.key:
        earlier = connection.execute(
            "SELECT job FROM loadgen_key WHERE queue = ? AND key = ? AND until_ms > ?",
            (rules.queue, job.key, now.unix_ms),
        ).fetchone()
        if earlier is not None:
            return Published(earlier[0], deduplicated=True)
    is_delayed = job.due_ms > now.unix_ms
    stored = connection.execute(
        "INSERT INTO loadgen_job (queue, state, at, published_ms, id, name, terms, payload) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id, queue) DO NOTHING",
        (
            rules.queue,
            DELAYED if is_delayed else PENDING,
            job.due_ms if is_delayed else 0,
            now.unix_ms,
            job.id,
            job.name,
            terms.text(job.terms),
            job.payload,
        ),
    ).rowcount
    if stored and job.key:
        connection.execute(
            "INSERT INTO loadgen_key (queue, key, until_ms, job) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (queue, key) DO UPDATE SET until_ms = excluded.until_ms, job = excluded.job",
            (rules.queue, job.key, now.unix_ms + rules.key_ttl_ms, job.id),
        )
    return Published(job.id, deduplicated=not stored)


# ── Claims ────────────────────────────────────────────────────────────────────────────────────────────────────────────

_CLAIMED = "RETURNING number, id, name, payload, terms, failed + 1, delivery, fence"
_CLAIM = f"""
UPDATE loadgen_job
SET state = {RUNNING}, at = ?, claimed_ns = ?, worker = ?, fence = fence + 1, delivery = delivery + 1
WHERE number IN (
    SELECT number FROM loadgen_job WHERE queue = ? AND state = ? AND at <= ? ORDER BY at, number LIMIT ?
)
{_CLAIMED}
"""


def claim(connection: sqlite3.Connection, rules: Rules, now: Now, worker: str, most: int) -> list[Claim]:
    """Claim at most `most` jobs: those whose time has come, and then those that were published first."""
    due = _claim(connection, rules, now, worker, DELAYED, now.unix_ms, most)
    return due + _claim(connection, rules, now, worker, PENDING, 0, most - len(due)) if len(due) < most else due


def _claim(
    connection: sqlite3.Connection, rules: Rules, now: Now, worker: str, state: int, until: int, most: int
) -> list[Claim]:
    lease_end_ns = now.monotonic_ns + rules.lease_ns
    rows = connection.execute(
        _CLAIM, (lease_end_ns, now.monotonic_ns, worker, rules.queue, state, until, most)
    ).fetchall()
    # The order of RETURNING is nobody's promise.
    return [_claim_of(row) for row in sorted(rows)]


def _claim_of(row: tuple[Any, ...]) -> Claim:
    number, job, name, payload, written, attempt, delivery, fence = row
    return Claim(job, name, payload, terms.parse(written), attempt, delivery, fence, str(number).encode())


def next_ms(connection: sqlite3.Connection, rules: Rules) -> int | None:
    """Return the Unix time in ms at which a job is there to be claimed: 0 for at once, None for an empty queue."""
    if connection.execute(
        "SELECT 1 FROM loadgen_job WHERE queue = ? AND state = ? LIMIT 1", (rules.queue, PENDING)
    ).fetchone():
        return 0
    (due_ms,) = connection.execute(
        "SELECT min(at) FROM loadgen_job WHERE queue = ? AND state = ?", (rules.queue, DELAYED)
    ).fetchone()
    return None if due_ms is None else int(due_ms)


_HELD = "WHERE number = ? AND id = ? AND worker = ? AND fence = ? AND queue = ?"
"""Finds a job of a claim, whatever has become of it since: as long as nobody else has claimed it."""


def _held(rules: Rules, worker: str, claimed: Claim) -> tuple[int, str, str, int, int]:
    return int(claimed.token), claimed.id, worker, claimed.fence, rules.queue


def renew(connection: sqlite3.Connection, rules: Rules, now: Now, worker: str, claims: Sequence[Claim]) -> list[bool]:
    """Begin leases anew. False for a job that is not the worker's any more."""
    lease_end_ns = now.monotonic_ns + rules.lease_ns
    statement = f"UPDATE loadgen_job SET at = ? {_HELD} AND state = {RUNNING}"
    return [
        connection.execute(statement, (lease_end_ns, *_held(rules, worker, claimed))).rowcount > 0 for claimed in claims
    ]


def release(connection: sqlite3.Connection, rules: Rules, worker: str, claims: Sequence[Claim]) -> None:
    """Take claims back that nobody has got, as its caller was cancelled."""
    for claimed in claims:
        connection.execute(
            f"UPDATE loadgen_job SET state = {PENDING}, at = 0, delivery = delivery - 1 {_HELD} AND state = {RUNNING}",
            _held(rules, worker, claimed),
        )


# ── Settlements ───────────────────────────────────────────────────────────────────────────────────────────────────────


def settle(
    connection: sqlite3.Connection, rules: Rules, now: Now, worker: str, settlements: Sequence[Settlement]
) -> list[bool]:
    """Take how jobs ended. False, and no effect, for a job whose fence is an old one.

    A settlement that was taken before is True again, and does nothing, as long as its job is kept and not claimed anew.
    """
    taken = [_settle(connection, rules, now, worker, settlement) for settlement in settlements]
    # Twice as many rows go as come, so that the file does not grow for ever.
    _remove_finished(connection, rules, SUCCESS, now.unix_ms - rules.result_ttl_ms, 2 * len(settlements))
    return taken


def _settle(connection: sqlite3.Connection, rules: Rules, now: Now, worker: str, settlement: Settlement) -> bool:
    held = _held(rules, worker, settlement.claim)
    running = f"{_HELD} AND state = {RUNNING}"
    match settlement.ending:
        case Succeeded() if not rules.result_ttl_ms:
            return connection.execute(f"DELETE FROM loadgen_job {running}", held).rowcount > 0
        case Succeeded(value):
            changed = connection.execute(
                f"UPDATE loadgen_job SET state = {SUCCESS}, at = ?, value = ? {running}", (now.unix_ms, value, *held)
            ).rowcount
        case TryAgain(error, wait_ms):
            state, at = (DELAYED, now.unix_ms + wait_ms) if wait_ms > 0 else (PENDING, 0)
            changed = connection.execute(
                f"UPDATE loadgen_job SET state = ?, at = ?, error = ?, failed = failed + 1, delivery = 0 {running}",
                (state, at, error, *held),
            ).rowcount
        case Died(error):
            changed = connection.execute(
                f"UPDATE loadgen_job SET state = {DEAD}, at = ?, error = ?, failed = failed + 1, delivery = 0 "
                f"{running}",
                (now.unix_ms, error, *held),
            ).rowcount
    return changed > 0 or connection.execute(f"SELECT 1 FROM loadgen_job {_HELD}", held).fetchone() is not None


def cancel(connection: sqlite3.Connection, rules: Rules, now: Now, job: str) -> bool:
    """Cancel a job that waits; False for any other."""
    waits = f"WHERE id = ? AND queue = ? AND state IN ({PENDING}, {DELAYED})"
    if not rules.result_ttl_ms:
        return connection.execute(f"DELETE FROM loadgen_job {waits}", (job, rules.queue)).rowcount > 0
    return (
        connection.execute(
            f"UPDATE loadgen_job SET state = {CANCELLED}, at = ? {waits}", (now.unix_ms, job, rules.queue)
        ).rowcount
        > 0
    )


def retry(connection: sqlite3.Connection, rules: Rules, job: str) -> bool:
    """Make a dead job PENDING, with attempts from 1 again; False for any other."""
    return (
        connection.execute(
            f"UPDATE loadgen_job SET state = {PENDING}, at = 0, failed = 0, delivery = 0, worker = NULL "
            f"WHERE id = ? AND queue = ? AND state = {DEAD}",
            (job, rules.queue),
        ).rowcount
        > 0
    )


# ── Sweeps ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def sweep(connection: sqlite3.Connection, rules: Rules, now: Now, worker: str, most: int) -> Swept:
    """Handle at most 1,000 expired leases, and remove as many rows of each kind that have been kept long enough."""
    _note_worker(connection, rules, now, worker)
    _remove(connection, rules, now)
    expired = connection.execute(
        f"SELECT number, id, delivery FROM loadgen_job WHERE queue = ? AND state = {RUNNING} AND at <= ? "
        "ORDER BY at, number LIMIT ?",
        (rules.queue, now.monotonic_ns, MOST_SWEPT),
    ).fetchall()
    dead = [(number, job) for number, job, delivery in expired if delivery >= rules.max_deliveries]
    again = [(number, job) for number, job, delivery in expired if delivery < rules.max_deliveries]
    for number, _ in dead:
        connection.execute(
            f"UPDATE loadgen_job SET state = {DEAD}, at = ?, error = ?, worker = NULL WHERE number = ?",
            (now.unix_ms, f"claimed {rules.max_deliveries} times without an end", number),
        )
    claims = []
    lease_end_ns = now.monotonic_ns + rules.lease_ns
    for number, _ in again[:most]:
        row = connection.execute(
            "UPDATE loadgen_job SET at = ?, claimed_ns = ?, worker = ?, fence = fence + 1, delivery = delivery + 1 "
            f"WHERE number = ? {_CLAIMED}",
            (lease_end_ns, now.monotonic_ns, worker, number),
        ).fetchone()
        claims.append(_claim_of(row))
    for number, _ in again[most:]:
        connection.execute(
            f"UPDATE loadgen_job SET state = {PENDING}, at = 0, worker = NULL WHERE number = ?", (number,)
        )
    return Swept(tuple(claims), tuple(job for _, job in again), tuple(job for _, job in dead))


def _note_worker(connection: sqlite3.Connection, rules: Rules, now: Now, worker: str) -> None:
    connection.execute(
        "INSERT INTO loadgen_worker (queue, name, heard_ns) VALUES (?, ?, ?) "
        "ON CONFLICT (queue, name) DO UPDATE SET heard_ns = excluded.heard_ns WHERE heard_ns <= ?",
        (rules.queue, worker, now.monotonic_ns, now.monotonic_ns - _HEARD_EVERY_NS),
    )
    connection.execute(
        "DELETE FROM loadgen_worker WHERE queue = ? AND heard_ns <= ?", (rules.queue, now.monotonic_ns - _FORGOTTEN_NS)
    )


def _remove(connection: sqlite3.Connection, rules: Rules, now: Now) -> None:
    _remove_keys(connection, rules, now, MOST_SWEPT)
    for state, ttl_ms in (
        (SUCCESS, rules.result_ttl_ms), (CANCELLED, rules.result_ttl_ms), (DEAD, rules.dead_ttl_ms),
    ):  # fmt: skip
        _remove_finished(connection, rules, state, now.unix_ms - ttl_ms, MOST_SWEPT)


def _remove_finished(connection: sqlite3.Connection, rules: Rules, state: int, until_ms: int, most: int) -> None:
    connection.execute(
        "DELETE FROM loadgen_job WHERE number IN "
        "(SELECT number FROM loadgen_job WHERE queue = ? AND state = ? AND at <= ? LIMIT ?)",
        (rules.queue, state, until_ms, most),
    )


def _remove_keys(connection: sqlite3.Connection, rules: Rules, now: Now, most: int) -> None:
    connection.execute(
        "DELETE FROM loadgen_key WHERE (queue, key) IN "
        "(SELECT queue, key FROM loadgen_key WHERE queue = ? AND until_ms <= ? LIMIT ?)",
        (rules.queue, now.unix_ms, most),
    )


def clear(connection: sqlite3.Connection, rules: Rules) -> None:
    """Remove everything of a queue; the queue itself stays, empty."""
    for table in ("job", "key", "schedule", "worker"):
        connection.execute(f"DELETE FROM loadgen_{table} WHERE queue = ?", (rules.queue,))
