"""The schedules of a queue, each step as a function of a connection, to be run in a transaction."""

from __future__ import annotations

import sqlite3

from loadgen.jobs.job import NewJob
from loadgen.jobs.schedule import Schedule
from loadgen.jobs.sqlite import terms, transactions
from loadgen.jobs.sqlite.rules import Now, Rules

_COLUMNS = "name, cron, zone, job, payload, next_ms, terms, is_paused"


def add(connection: sqlite3.Connection, rules: Rules, schedule: Schedule) -> bool:
    """Store a schedule; False when there is one of its name, which stays as it is."""
    return (
        connection.execute(
            f"INSERT INTO loadgen_schedule (queue, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (queue, name) DO NOTHING",
            (rules.queue, *_row(schedule)),
        ).rowcount
        > 0
    )


def change(connection: sqlite3.Connection, rules: Rules, schedule: Schedule) -> bool:
    """Put a schedule in the place of the one with its name; False when there is none."""
    name, *rest = _row(schedule)
    return (
        connection.execute(
            "UPDATE loadgen_schedule SET cron = ?, zone = ?, job = ?, payload = ?, next_ms = ?, terms = ?, "
            "is_paused = ? WHERE queue = ? AND name = ?",
            (*rest, rules.queue, name),
        ).rowcount
        > 0
    )


def remove(connection: sqlite3.Connection, rules: Rules, name: str) -> bool:
    return (
        connection.execute("DELETE FROM loadgen_schedule WHERE queue = ? AND name = ?", (rules.queue, name)).rowcount
        > 0
    )


def schedules(connection: sqlite3.Connection, rules: Rules) -> dict[str, Schedule]:
    """Return all schedules, by name."""
    rows = connection.execute(f"SELECT {_COLUMNS} FROM loadgen_schedule WHERE queue = ? ORDER BY name", (rules.queue,))
    return {
        name: Schedule(name, cron, zone, job, payload, next_ms, terms.parse(written), bool(is_paused))
        for name, cron, zone, job, payload, next_ms, written, is_paused in rows
    }


def fire(connection: sqlite3.Connection, rules: Rules, now: Now, schedule: Schedule, job: NewJob, next_ms: int) -> bool:
    """Publish the job of a firing and set the next one; False when the stored schedule is another than this."""
    name, cron, zone, function, payload, this_ms, _, is_paused = _row(schedule)
    fired = connection.execute(
        "UPDATE loadgen_schedule SET next_ms = ? WHERE queue = ? AND name = ? AND next_ms = ? AND cron = ? "
        "AND zone = ? AND job = ? AND payload = ? AND is_paused = ?",
        (next_ms, rules.queue, name, this_ms, cron, zone, function, payload, is_paused),
    ).rowcount
    if fired:
        transactions.publish(connection, rules, now, [job])
    return fired > 0


def _row(schedule: Schedule) -> tuple[str, str, str, str, bytes, int, str, bool]:
    return (
        schedule.name,
        schedule.cron,
        schedule.zone,
        schedule.job,
        schedule.payload,
        schedule.next_ms,
        terms.text(schedule.terms),
        schedule.is_paused,
    )
