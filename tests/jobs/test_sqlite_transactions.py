"""The transactions of the SQLite storage, with times that the tests invent, on a database in memory."""

import sqlite3

import pytest

from loadgen.jobs.backoff import Backoff, Growth
from loadgen.jobs.job import Claim, Died, NewJob, Settlement, State, Succeeded, Terms, TryAgain
from loadgen.jobs.sqlite import questions, schema, terms, transactions
from loadgen.jobs.sqlite.rules import Now, Rules
from loadgen.jobs.storage import StorageError
from loadgen.units import NS_PER_S

LEASE_NS = 5 * NS_PER_S


class File:
    """A file with one queue, and its time: both clocks begin at an hour."""

    def __init__(self, **rules: int) -> None:
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        usual = {"max_deliveries": 3, "result_ttl_ms": 60_000, "dead_ttl_ms": 600_000, "key_ttl_ms": 120_000}
        self.rules = Rules(queue=self.boot("boot-1"), lease_ns=LEASE_NS, **(usual | rules))
        self.now = Now(3_600_000, 3600 * NS_PER_S)

    def boot(self, boot: str, queue: str = "q") -> int:
        return schema.prepare(self.connection, "file", queue, boot)

    def go(self, seconds: float) -> None:
        """Let time pass."""
        self.now = Now(self.now.unix_ms + round(seconds * 1000), self.now.monotonic_ns + round(seconds * NS_PER_S))

    def publish(self, *names: str, due_s: float = 0.0, key: str = "") -> list[str]:
        due_ms = self.now.unix_ms + round(due_s * 1000) if due_s else 0
        jobs = [NewJob(name, "f", b"{}", due_ms=due_ms, key=key) for name in names]
        answers = transactions.publish(self.connection, self.rules, self.now, jobs)
        return [answer.id for answer in answers if not answer.deduplicated]

    def claim(self, worker: str = "w", most: int = 10) -> list[Claim]:
        return transactions.claim(self.connection, self.rules, self.now, worker, most)

    def settle(self, claim: Claim, ending: Succeeded | TryAgain | Died, worker: str = "w") -> bool:
        return transactions.settle(self.connection, self.rules, self.now, worker, [Settlement(claim, ending)])[0]

    def sweep(self, worker: str = "w", most: int = 10) -> "transactions.Swept":
        return transactions.sweep(self.connection, self.rules, self.now, worker, most)

    def state(self, job: str) -> State | None:
        found = questions.find(self.connection, self.rules, self.now, job)
        return None if found is None else found.state

    def rows(self) -> int:
        return int(self.connection.execute("SELECT count(*) FROM loadgen_job").fetchone()[0])


def names(claims: list[Claim]) -> list[str]:
    return [claim.id for claim in claims]


def test_jobs_are_claimed_in_the_order_of_their_publishing_each_once() -> None:
    file = File()
    file.publish("c", "a")
    file.publish("b")
    assert names(file.claim(most=2)) == ["c", "a"]
    assert names(file.claim("other")) == ["b"]
    assert file.claim() == []


def test_a_delayed_job_is_claimed_at_its_time_and_before_jobs_that_wait() -> None:
    file = File()
    file.publish("later", due_s=2.0)
    file.publish("now")
    assert transactions.next_ms(file.connection, file.rules) == 0
    assert names(file.claim()) == ["now"]
    assert transactions.next_ms(file.connection, file.rules) == file.now.unix_ms + 2000
    file.go(1.999)
    assert file.claim() == []
    assert file.state("later") is State.DELAYED
    file.publish("waits")
    file.go(0.001)
    assert file.state("later") is State.PENDING
    assert names(file.claim()) == ["later", "waits"]
    assert transactions.next_ms(file.connection, file.rules) is None


def test_a_publish_that_is_repeated_makes_no_second_job() -> None:
    file = File()
    assert file.publish("a", "a") == ["a"]
    assert file.publish("a") == []
    assert file.rows() == 1


def test_an_idempotency_key_gives_the_earlier_id_until_it_is_forgotten() -> None:
    file = File()
    file.publish("first", key="k")
    again = transactions.publish(file.connection, file.rules, file.now, [NewJob("second", "f", b"{}", key="k")])
    assert [(answer.id, answer.deduplicated) for answer in again] == [("first", True)]
    file.go(120.0)
    assert file.publish("third", key="k") == ["third"]
    assert file.connection.execute("SELECT job FROM loadgen_key").fetchall() == [("third",)]


def test_keys_that_are_over_are_removed_by_publishes_with_keys() -> None:
    file = File()
    for number in range(10):
        file.publish(f"old {number}", key=f"old {number}")
    file.go(121.0)
    for number in range(5):
        file.publish(f"new {number}", key=f"new {number}")
    assert file.connection.execute("SELECT count(*) FROM loadgen_key").fetchone() == (5,)


def test_each_claim_has_a_greater_fence_and_what_is_said_with_an_old_one_is_refused() -> None:
    file = File()
    file.publish("a")
    (first,) = file.claim("one")
    file.go(5.0)
    swept = file.sweep("two")
    assert (names(list(swept.claims)), swept.reclaimed) == (["a"], ("a",))
    (second,) = swept.claims
    assert second.fence > first.fence
    assert (second.delivery, second.attempt) == (2, 1)
    assert not file.settle(first, Succeeded(b"1"), "one")
    assert transactions.renew(file.connection, file.rules, file.now, "one", [first]) == [False]
    assert file.state("a") is State.RUNNING
    assert file.settle(second, Succeeded(b"2"), "two")
    assert questions.finished(file.connection, file.rules, ["a"])["a"].value == b"2"
    assert not file.settle(first, Succeeded(b"1"), "one")


@pytest.mark.parametrize(
    ("ending", "state", "failed"),
    [(Succeeded(b"1"), State.SUCCESS, 0), (TryAgain("e", 100), State.DELAYED, 1), (Died("e"), State.DEAD, 1)],
)
def test_a_settlement_that_is_repeated_is_true_and_does_nothing(
    ending: Succeeded | TryAgain | Died, state: State, failed: int
) -> None:
    file = File()
    file.publish("a")
    (claim,) = file.claim()
    assert file.settle(claim, ending)
    before = file.connection.execute("SELECT * FROM loadgen_job").fetchall()
    file.go(0.05)
    assert file.settle(claim, ending)
    assert file.connection.execute("SELECT * FROM loadgen_job").fetchall() == before
    assert file.state("a") is state
    assert file.connection.execute("SELECT failed FROM loadgen_job").fetchone() == (failed,)


def test_a_renewed_lease_does_not_expire_and_others_do() -> None:
    file = File()
    file.publish("a", "b")
    kept, left = file.claim()
    file.go(4.0)
    assert transactions.renew(file.connection, file.rules, file.now, "w", [kept]) == [True]
    file.go(1.0)
    assert file.sweep("other").reclaimed == (left.id,)
    file.go(4.0)
    assert names(list(file.sweep("other").claims)) == [kept.id]


def test_a_jump_of_the_clock_of_the_day_reclaims_nothing() -> None:
    file = File()
    file.publish("a")
    file.claim()
    file.now = file.now._replace(unix_ms=file.now.unix_ms + 10**9)
    assert file.sweep("other").reclaimed == ()
    file.now = file.now._replace(unix_ms=0)
    file.go(5.0)
    assert file.sweep("other").reclaimed == ("a",)


def test_leases_of_an_earlier_boot_are_over() -> None:
    file = File()
    file.publish("a")
    file.claim()
    file.now = file.now._replace(monotonic_ns=10 * NS_PER_S)
    file.boot("boot-1")
    assert file.sweep("other").reclaimed == ()
    file.boot("boot-2")
    assert file.sweep("other").reclaimed == ("a",)


def test_a_job_that_is_claimed_too_often_is_a_dead_letter_until_it_is_retried() -> None:
    file = File(max_deliveries=2)
    file.publish("a")
    file.claim()
    file.go(5.0)
    assert [claim.delivery for claim in file.sweep().claims] == [2]
    file.go(5.0)
    swept = file.sweep()
    assert (swept.claims, swept.reclaimed, swept.dead) == ((), (), ("a",))
    assert "2 times" in questions.finished(file.connection, file.rules, ["a"])["a"].error
    assert transactions.retry(file.connection, file.rules, "a")
    assert not transactions.retry(file.connection, file.rules, "a")
    (claim,) = file.claim()
    assert (claim.attempt, claim.delivery) == (1, 1)


def test_a_sweep_leaves_to_others_what_its_worker_has_no_room_for() -> None:
    file = File()
    file.publish("a", "b", "c")
    file.claim("dead")
    file.go(5.0)
    swept = file.sweep("alive", most=1)
    assert (names(list(swept.claims)), swept.reclaimed) == (["a"], ("a", "b", "c"))
    taken = file.claim("other")
    assert [(claim.id, claim.delivery) for claim in taken] == [("b", 2), ("c", 2)]


def test_a_failure_counts_attempts_and_begins_the_deliveries_anew() -> None:
    file = File()
    file.publish("a")
    file.claim("dead")
    file.go(5.0)
    (claim,) = file.sweep().claims
    assert file.settle(claim, TryAgain("first", 300))
    file.go(0.3)
    (again,) = file.claim()
    assert (again.attempt, again.delivery) == (2, 1)
    assert again.fence > claim.fence
    record = questions.find(file.connection, file.rules, file.now, "a")
    assert record is not None
    assert (record.attempt, record.error, record.worker) == (2, "first", "w")
    assert file.settle(again, Died("second"))
    assert questions.finished(file.connection, file.rules, ["a"])["a"].error == "second"


def test_a_released_claim_is_there_at_once_and_was_no_delivery() -> None:
    file = File()
    file.publish("a")
    (claim,) = file.claim()
    transactions.release(file.connection, file.rules, "w", [claim])
    (again,) = file.claim("other")
    assert (again.delivery, again.fence) == (1, claim.fence + 1)


def test_without_a_time_to_keep_them_finished_jobs_leave_no_row() -> None:
    file = File(result_ttl_ms=0)
    file.publish("a", "b", "c")
    first, second, _ = file.claim()
    assert file.settle(first, Succeeded(b"1"))
    assert file.settle(second, Died("e"))
    assert (file.state("a"), file.state("b")) == (None, State.DEAD)


def test_settlements_remove_twice_as_many_old_rows_as_they_add() -> None:
    file = File()
    file.publish(*(f"{number}" for number in range(20)))
    for claim in file.claim(most=20):
        assert file.settle(claim, Succeeded(b""))
    file.go(60.0)
    file.publish(*(f"new {number}" for number in range(10)))
    for claim in file.claim():
        assert file.settle(claim, Succeeded(b""))
    assert file.rows() == 10


def test_a_sweep_removes_what_was_kept_long_enough_and_a_bounded_number_of_it() -> None:
    file = File()
    file.publish("dead", "cancelled", "good")
    file.settle(file.claim(most=1)[0], Died("e"))
    assert transactions.cancel(file.connection, file.rules, file.now, "cancelled")
    file.settle(file.claim(most=1)[0], Succeeded(b""))
    file.go(59.9)
    file.sweep()
    assert file.rows() == 3
    file.go(0.1)
    file.sweep()
    assert [file.state(job) for job in ("dead", "cancelled", "good")] == [State.DEAD, None, None]
    file.go(540.0)
    file.sweep()
    assert file.rows() == 0


def test_only_jobs_that_wait_are_cancelled() -> None:
    file = File()
    file.publish("runs", "waits")
    file.publish("delayed", due_s=5.0)
    (claim,) = file.claim(most=1)
    cancelled = [
        transactions.cancel(file.connection, file.rules, file.now, job) for job in ("runs", "waits", "delayed")
    ]
    assert cancelled == [False, True, True]
    assert file.settle(claim, Succeeded(b""))
    assert file.claim() == []


def test_an_inspection_counts_jobs_by_state_and_knows_who_runs_what() -> None:
    file = File()
    file.publish("dead", "good", "runs", "waits")
    file.publish("due", due_s=1.0)
    file.publish("delayed", due_s=50.0)
    file.settle(file.claim(most=1)[0], Died("e"))
    file.settle(file.claim(most=1)[0], Succeeded(b""))
    file.claim("worker", most=1)
    file.sweep("worker")
    file.go(2.0)
    found = questions.inspect(file.connection, file.rules, file.now)
    assert dict(found.counts) == {
        State.PENDING: 2, State.DELAYED: 1, State.RUNNING: 1, State.SUCCESS: 1, State.DEAD: 1, State.CANCELLED: 0,
    }  # fmt: skip
    assert found.oldest_s == 2.0
    assert [(job.id, job.worker, job.age_s) for job in found.running] == [("runs", "worker", 2.0)]
    assert found.workers == {"worker": 2.0}
    pending = questions.listed(file.connection, file.rules, file.now, State.PENDING, 10)
    assert [job.id for job in pending] == ["waits", "due"]


def test_queues_of_one_file_know_nothing_of_each_other() -> None:
    file = File()
    file.publish("a", key="k")
    ours = file.rules
    file.rules = Rules(file.boot("boot-1", "other"), LEASE_NS, 3, 1000, 1000, 1000)
    assert file.claim() == []
    assert file.publish("a", key="k") == ["a"]
    (claim,) = file.claim()
    transactions.clear(file.connection, ours)
    assert file.settle(claim, Succeeded(b""))
    assert file.rows() == 1


def test_a_database_of_other_software_or_of_a_later_version_is_refused() -> None:
    other = sqlite3.connect(":memory:", isolation_level=None)
    other.execute("CREATE TABLE theirs (x)")
    with pytest.raises(StorageError, match="other software") as refused:
        schema.prepare(other, "their.db", "q", "")
    assert not refused.value.is_passing
    assert other.execute("SELECT name FROM sqlite_schema").fetchall() == [("theirs",)]
    later = File()
    later.connection.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    with pytest.raises(StorageError, match="later version"):
        later.boot("boot-1")


@pytest.mark.parametrize(
    "job_terms", [Terms(), Terms(1, 0, Backoff(Growth.FIXED, 1, 2, 0.1)), Terms(9, 7, Backoff(jitter=0.0))]
)
def test_terms_come_back_as_they_were(job_terms: Terms) -> None:
    assert terms.parse(terms.text(job_terms)) == job_terms
