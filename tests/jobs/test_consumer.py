"""A worker's decisions, in invented time."""

from loadgen.jobs.consumer import Action, Ask, Consumer, Renew, Settle, Sweep
from loadgen.jobs.job import Claim, Succeeded, Swept, Terms

MS = 1_000_000
LEASE = 900 * MS
SWEEP = 10_000 * MS
DONE = Succeeded(b"1")


def consumer(concurrency: int = 2, *, renews: bool = True, sweep_ns: int = SWEEP) -> Consumer:
    return Consumer(
        concurrency=concurrency, lease_ns=LEASE, sweep_ns=sweep_ns, now_ns=0, draw=lambda: 0.5, renews=renews
    )


def claim(number: int, fence: int = 1) -> Claim:
    return Claim(f"j{number}", "work", b"null", Terms(), attempt=1, delivery=1, fence=fence)


def due(worker: Consumer, now_ns: int) -> list[Action]:
    return [*worker.due(now_ns)]


def with_claims(count: int = 2, **more: int) -> tuple[Consumer, list[Claim]]:
    worker = consumer(concurrency=count, **more)
    [ask] = due(worker, 0)
    assert isinstance(ask, Ask)
    claims = [claim(number) for number in range(count)]
    assert worker.claimed(0, 0, claims) == claims
    return worker, claims


def test_it_asks_for_as_many_jobs_as_there_is_room_for_and_once_at_a_time():
    worker = consumer(concurrency=3)
    [ask] = due(worker, 0)
    assert isinstance(ask, Ask)
    assert ask.most == 3
    assert due(worker, 1) == []
    worker.claimed(2, 0, [claim(1)])
    [ask] = due(worker, 3)
    assert isinstance(ask, Ask)
    assert ask.most == 2


def test_a_full_worker_asks_for_nothing_until_a_job_has_ended():
    worker, claims = with_claims(2)
    assert due(worker, 1) == []
    worker.ended(claims[0], DONE)
    settle, ask = due(worker, 2)
    assert isinstance(settle, Settle)
    assert [each.claim for each in settle.settlements] == [claims[0]]
    assert isinstance(ask, Ask)
    assert ask.most == 1


def test_leases_are_begun_anew_after_a_third_counted_from_the_request():
    worker, claims = with_claims(2)
    assert worker.next_ns() == LEASE // 3
    assert due(worker, LEASE // 3 - 1) == []
    [renew] = due(worker, LEASE // 3)
    assert renew == Renew(tuple(claims))
    assert worker.renewed(LEASE // 3, claims, [True, True]) == []
    assert worker.next_ns() == 2 * (LEASE // 3)


def test_a_worker_that_does_not_renew_never_does():
    worker = consumer(renews=False)
    due(worker, 0)
    worker.claimed(0, 0, [claim(1), claim(2)])
    assert due(worker, LEASE) == []


def test_a_job_that_is_anothers_is_not_renewed_again_and_its_end_is_told_all_the_same():
    worker, claims = with_claims(2)
    due(worker, LEASE // 3)
    assert worker.renewed(LEASE // 3, claims, [False, True]) == [claims[0]]
    assert worker.is_lost(claims[0])
    assert not worker.is_lost(claims[1])
    [renew] = due(worker, LEASE)
    assert renew == Renew((claims[1],))
    worker.ended(claims[0], DONE)
    settle = due(worker, LEASE)[0]
    assert isinstance(settle, Settle)
    assert [each.claim for each in settle.settlements] == [claims[0]]


def test_an_end_that_the_storage_did_not_take_is_told_again_after_a_pause_that_doubles():
    worker, claims = with_claims(1)
    worker.ended(claims[0], DONE)
    pauses, now_ns = [], 0
    for _ in range(4):
        [settle] = [action for action in due(worker, now_ns) if isinstance(action, Settle)]
        worker.failed(now_ns, settle)
        assert not [action for action in due(worker, now_ns) if isinstance(action, Settle)]
        again_ns = min(at_ns for at_ns in range(now_ns, now_ns + 2_000 * MS, MS) if worker._settling.may(at_ns))
        pauses.append(again_ns - now_ns)
        now_ns = again_ns
    assert pauses == [15 * MS, 30 * MS, 60 * MS, 120 * MS]
    [settle] = [action for action in due(worker, now_ns) if isinstance(action, Settle)]
    assert [each.claim for each in settle.settlements] == claims
    assert not worker.is_idle
    worker.settled(settle.settlements)
    worker.stop()
    due(worker, now_ns)
    assert worker.running == 0


def test_jobs_whose_answer_took_longer_than_the_lease_are_not_begun():
    worker = consumer()
    due(worker, 0)
    assert worker.claimed(LEASE, 0, [claim(1)]) == []
    assert worker.running == 0
    due(worker, LEASE)
    assert worker.claimed(LEASE + LEASE - 1, LEASE, [claim(1, 2)]) == [claim(1, 2)]


def test_a_sweep_takes_no_more_jobs_than_there_is_room_for():
    worker = consumer(concurrency=3, sweep_ns=100 * MS)
    due(worker, 0)
    worker.claimed(0, 0, [claim(1)])
    # The claim is back when it is time for the sweep, which then has its room.
    [ask] = due(worker, 10 * MS)
    assert ask == Ask(2, 40 * MS)
    assert due(worker, 50 * MS) == []
    assert worker.next_ns() == LEASE // 3
    worker.claimed(51 * MS, 10 * MS, [])
    assert due(worker, 51 * MS) == [Sweep(2)]
    assert due(worker, 52 * MS) == []
    assert worker.swept(53 * MS, 51 * MS, Swept((claim(7),), ("j7",))) == [claim(7)]
    assert worker.running == 2
    [ask] = due(worker, 54 * MS)
    assert isinstance(ask, Ask)
    assert ask.most == 1


def test_a_full_worker_sweeps_too_and_takes_no_job():
    worker = consumer(concurrency=1, sweep_ns=100 * MS)
    due(worker, 0)
    worker.claimed(0, 0, [claim(1)])
    assert due(worker, 50 * MS) == [Sweep(0)]


def test_sweeps_of_workers_that_start_together_are_spread():
    firsts = []
    for draw in (0.0, 0.25, 0.99):
        worker = Consumer(
            concurrency=1, lease_ns=LEASE, sweep_ns=1_000 * MS, now_ns=0, draw=lambda draw=draw: draw, renews=True
        )
        firsts.append(worker._next_sweep_ns)
    assert firsts == [0, 250 * MS, 990 * MS]


def test_a_worker_that_stops_claims_no_more_and_settles_what_is_under_way():
    worker, claims = with_claims(2)
    worker.stop()
    assert not worker.is_idle
    for each in claims:
        worker.ended(each, DONE)
    [settle] = due(worker, 1)
    assert isinstance(settle, Settle)
    worker.settled(settle.settlements)
    assert worker.is_idle
    assert due(worker, SWEEP * 3) == []
    assert worker.next_ns() is None


def test_the_same_job_may_be_claimed_again_while_its_lost_execution_runs():
    worker, [first] = with_claims(1, renews=True)
    due(worker, LEASE // 3)
    worker.renewed(LEASE // 3, [first], [False])
    worker._concurrency = 2
    assert [type(action) for action in due(worker, LEASE // 3)] == [Ask]
    again = claim(0, fence=2)
    worker.claimed(LEASE // 3, LEASE // 3, [again])
    assert worker.is_lost(first)
    assert not worker.is_lost(again)
    worker.ended(first, DONE)
    worker.ended(again, DONE)
    [settle] = [action for action in due(worker, LEASE // 2) if isinstance(action, Settle)]
    assert [each.claim.fence for each in settle.settlements] == [1, 2]


def test_a_worker_sleeps_while_a_sweep_is_under_way_or_has_failed():
    worker = Consumer(concurrency=2, lease_ns=LEASE, sweep_ns=SWEEP, now_ns=0, draw=lambda: 0.0)
    assert [type(action) for action in due(worker, 0)] == [Sweep]
    assert due(worker, 1) == []
    assert worker.next_ns() is None
    worker.failed(2 * SWEEP, Sweep(2))
    [ask] = due(worker, 2 * SWEEP)
    assert isinstance(ask, Ask)
    # The claim is back when the sweep is due again.
    assert ask.wait_ns > 0
    assert worker.next_ns() is None
    worker.failed(2 * SWEEP, ask)
    again_ns = worker.next_ns()
    assert again_ns is not None
    assert again_ns > 2 * SWEEP
