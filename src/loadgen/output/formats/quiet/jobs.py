"""`--format quiet` of tests of jobs: a line for each, for several of them, and for a queue."""

from __future__ import annotations

from loadgen.jobs.load.ended import JobsCompared, JobsEnded, QueueInspected
from loadgen.output.words import jobs, jobs_compared, queues


def ended(event: JobsEnded) -> str:
    """Return "TEST PASSED throughput | 1,000 of 1,000 jobs, 85.23 jobs/sec, lost 0, duplicates 0"."""
    head = f"{jobs.answer(event.severity)} {jobs.name(event.plan)}"
    return " | ".join([head, *[jobs.summary(event)] * jobs.has_results(event), *jobs.why(event)])


def compared(event: JobsCompared) -> str:
    """Return "3 adapters | sqlite 512/s, streams 2.10K/s, rq 98.1/s"."""
    said = [jobs_compared.title(event), jobs_compared.summary(event)]
    return " | ".join([*filter(None, said), *jobs_compared.why(event)])


def inspected(event: QueueInspected) -> str:
    """Return "queue: lists on redis 7.0.15 | pending 12, running 3"."""
    return " | ".join(filter(None, [queues.title(event), queues.summary(event)]))
