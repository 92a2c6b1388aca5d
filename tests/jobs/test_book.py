"""What a ledger comes to, counted from invented entries."""

from collections.abc import Iterable

import pytest

from loadgen.jobs.backoff import Backoff, Growth
from loadgen.jobs.ledger import Entry, What
from loadgen.jobs.load.account import Counts
from loadgen.jobs.load.book import Book

MS = 1_000_000
S = 1_000_000_000


def entry(
    what: What,
    job: str,
    ms: float,
    worker: str = "1",
    attempt: int = 1,
    fence: int = 1,
    due_ms: float = 0,
    words: str = "",
) -> Entry:
    due_ns = round(due_ms * MS) + S if due_ms else 0
    return Entry(what, job, round(ms * MS) + S, worker, 7, attempt, fence, due_ns, words)


def published(job: str, ms: float = 0.0) -> list[Entry]:
    return [entry(What.ATTEMPTED, job, ms, ""), entry(What.ACKNOWLEDGED, job, ms + 1, "")]


def executed(job: str, ms: float, worker: str = "1", attempt: int = 1, fence: int = 1) -> list[Entry]:
    return [
        entry(What.BEGIN, job, ms, worker, attempt, fence),
        entry(What.END, job, ms + 10, worker, attempt, fence),
        entry(What.ACCEPTED, job, ms + 12, worker, attempt, fence),
    ]


def book(*parts: Iterable[Entry], fenced: bool = True, backoff: Backoff | None = None, max_attempts: int = 3) -> Book:
    found = Book(fenced=fenced, max_attempts=max_attempts, backoff=backoff)
    for part in parts:
        found.take(part)
    return found


def counts(*parts: Iterable[Entry], fenced: bool = True, held: int = 0) -> Counts:
    return book(*parts, fenced=fenced).account(60 * S, held=held).counts


def test_a_job_that_was_acknowledged_and_never_executed_is_lost():
    found = counts(published("1.0"), published("1.1"), executed("1.1", 5))
    assert (found.acknowledged, found.completed, found.lost, found.stuck) == (2, 1, 1, 0)


def test_a_job_that_the_queue_says_a_worker_has_is_held_and_not_lost():
    found = counts(published("1.0"), published("1.1"), fenced=False, held=1)
    assert (found.lost, found.held) == (1, 1)


def test_an_unacknowledged_job_that_was_executed_is_recovered_and_an_unpublished_one_unexpected():
    failed = [entry(What.ATTEMPTED, "1.0", 0, ""), entry(What.FAILED, "1.0", 3, "", words="gone")]
    found = counts(failed, executed("1.0", 5), executed("9.9", 5))
    assert (found.recovered, found.unexpected, found.lost, found.publish_failed) == (1, 1, 0, 1)


def test_a_second_execution_is_a_duplicate_and_its_refused_end_no_effect():
    late = [entry(What.END, "1.0", 40, "1"), entry(What.REFUSED, "1.0", 41, "1")]
    found = counts(published("1.0"), [entry(What.BEGIN, "1.0", 2, "1")], executed("1.0", 20, "2", fence=2), late)
    assert (found.executions, found.duplicate_executions, found.duplicate_effects) == (2, 1, 0)
    assert (found.refused, found.completed, found.stuck) == (1, 1, 0)


def test_two_accepted_ends_are_a_duplicate_effect():
    found = counts(published("1.0"), executed("1.0", 2), executed("1.0", 20, "2", fence=2))
    assert (found.duplicate_executions, found.duplicate_effects, found.completed) == (1, 1, 1)


def test_without_fences_each_end_beyond_the_first_is_a_duplicate_effect():
    ends = [*executed("1.0", 2)[:2], *executed("1.0", 20, "2")[:2]]
    found = counts(published("1.0"), ends, fenced=False)
    assert (found.completed, found.duplicate_effects) == (1, 1)


def failure(job: str, ms: float, attempt: int, *, dead: bool = False) -> list[Entry]:
    last = entry(What.DEAD, job, ms + 2) if dead else entry(What.RETRIED, job, ms + 2, attempt=attempt, due_ms=ms + 102)
    return [
        entry(What.BEGIN, job, ms, attempt=attempt, fence=attempt),
        entry(What.RAISED, job, ms + 1, attempt=attempt, fence=attempt),
        last,
    ]


def test_attempts_after_failures_are_no_duplicates_and_a_job_without_attempts_is_dead():
    found = counts(published("1.0"), failure("1.0", 5, 1), failure("1.0", 107, 2), failure("1.0", 209, 3, dead=True))
    assert (found.dead, found.completed, found.failures, found.duplicate_executions) == (1, 0, 3, 0)
    assert found.attempts_per_job == 3.0


def test_a_library_without_dead_letters_has_a_dead_job_after_its_last_failure():
    raised = [entry(What.RAISED, "1.0", ms, attempt=0) for ms in (2, 4, 6)]
    begun = [entry(What.BEGIN, "1.0", ms, attempt=0) for ms in (1, 3, 5)]
    alternating = [each for pair in zip(begun, raised, strict=True) for each in pair]
    found = counts(published("1.0"), alternating, fenced=False)
    assert (found.dead, found.duplicate_executions) == (1, 0)


def test_a_dead_letter_of_a_job_that_kills_its_worker_has_duplicates_and_no_failure():
    begins = [entry(What.BEGIN, "1.0", 10 * n, str(n), fence=n) for n in (1, 2, 3)]
    dead = [entry(What.DEAD, "1.0", 50, "4", 0, 0)]
    found = counts(published("1.0"), begins, dead)
    assert (found.dead, found.executions, found.duplicate_executions, found.stuck) == (1, 3, 2, 0)


def test_reclaim_counts_from_the_death_of_the_worker_and_only_jobs_that_it_had_begun():
    found = book(
        published("1.0"), published("1.1"), published("1.2"), executed("1.1", 5, "1"),
        [entry(What.BEGIN, "1.0", 20, "1"), entry(What.BEGIN, "1.2", 20, "1")],
    )  # fmt: skip
    assert found.in_flight("1") == 2
    assert found.died("1", round(30 * MS) + S) == 2
    found.take(executed("1.0", 5_030, "2", fence=2))
    account = found.account(60 * S)
    assert account.latencies["reclaim"].count == 1
    assert account.latencies["reclaim"].max == pytest.approx(5_000 * MS, rel=0.001)
    assert account.unreclaimed_ns == (59 * S - 30 * MS,)
    assert account.counts.stuck == 1


def test_an_end_that_was_not_accepted_when_its_worker_died_is_in_flight():
    found = book(published("1.0"), executed("1.0", 5)[:2])
    assert found.died("1", 2 * S) == 1


def test_an_end_of_which_nobody_could_tell_counts_when_the_job_would_have_begun_again():
    found = book(published("1.0"), published("1.1"), executed("1.0", 5)[:2], [entry(What.BEGIN, "1.1", 5)])
    found.died("1", 2 * S)
    found.presume(2 * S - 1)
    assert found.waiting == 2
    found.presume(2 * S)
    account = found.account(60 * S)
    counted = account.counts
    assert (counted.completed, counted.presumed, counted.stuck, counted.duplicate_effects) == (1, 1, 1, 0)
    assert len(account.unreclaimed_ns) == 1
    assert found.waiting == 1
    # A job that begins again all the same was not acknowledged.
    found.take([entry(What.BEGIN, "1.0", 9_000, "2", fence=2)])
    assert (found.waiting, found.account(60 * S).counts.completed) == (2, 0)
    found.take(executed("1.0", 9_000, "2", fence=2)[1:])
    counted = found.account(60 * S).counts
    assert (counted.completed, counted.presumed, counted.duplicate_effects, counted.duplicate_executions) == (
        1,
        0,
        0,
        1,
    )


def test_a_job_that_another_execution_ended_before_is_not_presumed_to_have_ended_again():
    # Both have begun the job; the one that dies has ended it first, and the other one's end is taken.
    begins = [entry(What.BEGIN, "1.0", 5, "1"), entry(What.BEGIN, "1.0", 7, "2", fence=2)]
    found = book(published("1.0"), begins, [entry(What.END, "1.0", 9, "1")])
    found.died("1", round(10 * MS) + S)
    found.take(executed("1.0", 7, "2", fence=2)[1:])
    found.presume(60 * S)
    counted = found.account(60 * S).counts
    assert (counted.completed, counted.presumed, counted.duplicate_effects) == (1, 0, 0)


def test_submissions_of_one_key_are_one_job():
    second = [entry(What.ATTEMPTED, "1.0.1", 0, ""), entry(What.DEDUPLICATED, "1.0.1", 2, "", words="1.0.0")]
    found = counts(published("1.0.0"), second, executed("1.0.0", 5))
    assert (found.attempted, found.acknowledged, found.deduplicated, found.completed) == (1, 1, 1, 1)
    assert (found.lost, found.unexpected) == (0, 0)
    # The submission that was answered with another job is executed: the queue has kept both.
    assert counts(published("1.0.0"), second, executed("1.0.0", 5), executed("1.0.1", 5)).unexpected == 1


def test_waits_outside_the_backoff_and_early_retries_are_counted():
    backoff = Backoff(Growth.EXPONENTIAL, 100 * MS, 5 * S, 0.1)

    def retried(due_ms: float, begin_ms: float) -> Counts:
        first = [
            entry(What.BEGIN, "1.0", 5),
            entry(What.RAISED, "1.0", 6),
            entry(What.RETRIED, "1.0", 10, due_ms=due_ms),
        ]
        found = book(published("1.0"), first, executed("1.0", begin_ms, attempt=2, fence=2), backoff=backoff)
        return found.account(60 * S).counts

    assert (retried(110, 111).waits_outside, retried(110, 111).retries_early) == (0, 0)
    assert retried(119, 130).waits_outside == 0
    assert retried(125, 130).waits_outside == 1
    assert retried(95, 130).waits_outside == 1
    assert retried(110, 90).retries_early == 1


def test_latencies_have_their_beginnings():
    late = [entry(What.ATTEMPTED, "1.0", 30, "", due_ms=10), entry(What.ACKNOWLEDGED, "1.0", 35, "")]
    account = book(late, executed("1.0", 50)).account(60 * S)
    found = {name: round(histogram.max / MS) for name, histogram in account.latencies.items()}
    assert found == {"publish": 5, "queueing": 40, "execution": 10, "ack": 2, "handling": 12, "end_to_end": 52}
    assert account.of_kinds["1"].count == 1
    assert account.jobs_per_s == pytest.approx(1 / 0.052)


def test_waiting_counts_acknowledged_jobs_that_have_not_ended_in_any_order_of_entries():
    found = book(published("1.0"), published("1.1"))
    assert found.waiting == 2
    found.take(executed("1.0", 5))
    assert found.waiting == 1
    # The worker was quicker than the producer's note.
    found.take([entry(What.ATTEMPTED, "1.2", 3, ""), *executed("1.2", 5), entry(What.ACKNOWLEDGED, "1.2", 20, "")])
    assert found.waiting == 1
    assert found.ended == 2


def test_a_firing_is_published_at_its_intended_time_and_one_that_comes_twice_is_counted():
    fired = [entry(What.FIRED, "s1@5", ms, due_ms=5, attempt=2, words="s1") for ms in (15, 25)]
    found = book(fired, executed("s1@5", 30))
    account = found.account(60 * S)
    counted = account.counts
    assert (counted.fired, counted.double_fired, counted.missed_firings) == (2, 1, 4)
    assert (counted.lost, counted.unexpected, counted.completed) == (0, 0, 1)
    assert round(account.latencies["firing"].max / MS) == 20
    assert round(account.latencies["queueing"].max / MS) == 25


def test_shares_are_in_the_order_of_the_workers_numbers():
    parts = [part for n in (10, 2, 1) for part in (published(f"1.{n}"), executed(f"1.{n}", 5, str(n)))]
    assert [share.worker for share in book(*parts).account(60 * S).shares] == ["1", "2", "10"]
