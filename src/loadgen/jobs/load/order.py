"""Which jobs a producer publishes, and when: pure functions of the plan. Times are in ns from the start."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from loadgen.jobs.load.plan import Publishing
from loadgen.jobs.load.work import Work
from loadgen.units import NS_PER_S


@dataclass(frozen=True, slots=True)
class Submission:
    """One publish to come."""

    work: Work
    due_ns: int
    """Its intended time, from the start."""
    key: str = ""
    """The idempotency key; empty for none."""


def submissions(publishing: Publishing, producer: int, seed: int) -> Iterator[Submission]:
    """Yield what one producer, from 0, publishes, in its order.

    Jobs of all kinds are mixed evenly. The submissions of one key fall to different producers, as far as there are
    some, so that they race.
    """
    number = 0
    for index, (kind, nth) in enumerate(_mixed([kind.jobs for kind in publishing.kinds])):
        what = publishing.kinds[kind]
        for submission in range(publishing.submissions):
            if number % publishing.producers == producer:
                yield Submission(
                    _padded(
                        Work(
                            f"{kind + 1}.{nth}" + f".{submission}" * (publishing.submissions > 1),
                            what.work_ns,
                            what.busy,
                            what.fail_p,
                            what.act,
                            seed,
                        ),
                        what.payload_bytes,
                    ),
                    _due_ns(publishing, index, number),
                    f"{kind + 1}.{nth}" if publishing.submissions > 1 else "",
                )
            number += 1


def _due_ns(publishing: Publishing, index: int, number: int) -> int:
    if publishing.bursts > 1:
        return index * publishing.bursts // publishing.jobs * publishing.pause_ns
    return round(number * NS_PER_S / publishing.rate_per_s) if publishing.rate_per_s else 0


def _mixed(counts: list[int]) -> Iterator[tuple[int, int]]:
    """Yield the kind, and the number within its kind, of each job: each kind as evenly as its count allows."""
    total, given = sum(counts), [0] * len(counts)
    for index in range(total):
        # The kind that is the furthest behind its share, of those that are not through.
        kind = max(
            (each for each, count in enumerate(counts) if given[each] < count),
            key=lambda each: counts[each] * (index + 1) - given[each] * total,
        )
        yield kind, given[kind]
        given[kind] += 1


def _padded(work: Work, least_bytes: int) -> Work:
    missing = least_bytes - len(work.to_json())
    if missing <= 0:
        return work
    return Work(work.n, work.work_ns, work.busy, work.fail_p, work.act, work.seed, "x" * missing)
