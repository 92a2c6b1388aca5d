"""The state of a queue in words, as `jobs inspect` shows it. Pure functions to plain text."""

from __future__ import annotations

from loadgen.escape import printable
from loadgen.jobs.load.ended import QueueInspected
from loadgen.output.words import figures, jobs
from loadgen.units import NS_PER_S

HEADINGS = ("job", "name", "worker", "attempt", "age")
"""The headings of `rows`."""


def title(event: QueueInspected) -> str:
    return f"queue: {jobs.queue(event.queue)}"


def facts(event: QueueInspected) -> jobs.Facts:
    """Return the jobs by state, the oldest pending one, and what the storage says of itself."""
    found = [(printable(state.capitalize(), jobs.LONGEST_NAME), f"{count:,}") for state, count in event.counts.items()]
    if event.oldest_s is not None:
        found.append(("Oldest Pending", age(event.oldest_s)))
    if event.facts:
        found.append(("Storage", jobs.facts(event.facts)))
    return found


def workers(event: QueueInspected) -> jobs.Facts:
    """Return when each worker was last heard of."""
    return [
        (f"Worker {printable(worker, jobs.LONGEST_NAME)}", f"heard of {age(since_s)} ago")
        for worker, since_s in event.workers.items()
    ]


def running(event: QueueInspected) -> str:
    """Return the heading of the running jobs; empty where they were not asked for."""
    if event.older_than_s is None:
        return ""
    count = figures.plural(len(event.running), "job")
    return f"{count} running for {age(event.older_than_s)} or longer" if event.older_than_s else f"{count} running"


def rows(event: QueueInspected) -> list[list[str]]:
    """Return the cells of each running job."""
    return [
        [
            printable(each.id, jobs.LONGEST_NAME),
            printable(each.name, jobs.LONGEST_NAME),
            printable(each.worker, jobs.LONGEST_NAME),
            str(each.attempt),
            age(each.age_s),
        ]
        for each in event.running
    ]


def summary(event: QueueInspected) -> str:
    """Return the queue in one line: "pending 12, running 3, oldest pending 1.5 s"."""
    said = [f"{printable(state)} {count:,}" for state, count in event.counts.items()]
    said += [f"oldest pending {age(event.oldest_s)}"] if event.oldest_s is not None else []
    return ", ".join(said)


def age(seconds: float) -> str:
    """Return a length of time: "350 ms", "12.3 s", "6 min 40 s"."""
    return figures.left(seconds * NS_PER_S) if seconds >= 60 else figures.latency(max(0.0, seconds) * NS_PER_S)
