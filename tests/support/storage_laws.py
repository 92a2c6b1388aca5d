"""The laws of storages of jobs: what each must do, whatever it stores in. A test module makes them its own:

    class TestStreams(StorageLaws):
        @pytest.fixture
        def factory(self) -> Factory:
            return lambda **options: Streams(url, queue, **options)

A factory makes a storage, not yet open, of one and the same empty queue at each call; the fixture makes a queue of its
own for each test. The options are `lease_ns`, `max_deliveries` and `result_ttl_s`, by these names. The tests wait for
leases of some ms, and hold no time against a clock but that nothing happens too early.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeAlias

from loadgen.jobs.backoff import Backoff, Growth
from loadgen.jobs.job import (
    FINISHED,
    Claim,
    Died,
    Finished,
    NewJob,
    Published,
    Settlement,
    State,
    Succeeded,
    Swept,
    Terms,
    TryAgain,
)
from loadgen.jobs.schedule import Schedule
from loadgen.jobs.storage import Storage

Factory: TypeAlias = Callable[..., Storage]

LONG_NS = 60_000_000_000
SHORT_NS = 60_000_000
"""A lease that is over soon."""
OVER_S = 0.09
"""After this time a lease of SHORT_NS is over."""
PATIENCE_S = 60.0
"""What does not come within this time does not come."""


class Stores:
    """The storages of one test, which are closed at its end."""

    def __init__(self, factory: Factory) -> None:
        self._factory = factory
        self._open: list[Storage] = []

    async def open(self, **options: Any) -> Storage:
        """Open one more storage on the test's queue, as another process would."""
        storage = self._factory(**{"lease_ns": LONG_NS, "max_deliveries": 5, "result_ttl_s": 3600.0, **options})
        await storage.open()
        self._open.append(storage)
        return storage

    async def close(self) -> None:
        for storage in self._open:
            await storage.close()


Law: TypeAlias = Callable[[Any, Stores], Awaitable[None]]


def law(test: Law) -> Callable[..., None]:
    """Make a test of a coroutine function, which is given storages."""

    def run(self: StorageLaws, factory: Factory) -> None:
        async def whole() -> None:
            stores = Stores(factory)
            try:
                async with asyncio.timeout(PATIENCE_S * 2):
                    await test(self, stores)
            finally:
                await stores.close()

        self.carry_out(whole)

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


def jobs(count: int, prefix: str = "job") -> list[NewJob]:
    return [NewJob(f"{prefix}-{n}", "work", b"%d" % n) for n in range(count)]


def well(claim: Claim, value: bytes = b"null") -> Settlement:
    return Settlement(claim, Succeeded(value))


async def one(storage: Storage, worker: str = "w") -> Claim:
    """Claim the one job that there is."""
    [claim] = await storage.claim(worker, 1, PATIENCE_S)
    return claim


async def counts(storage: Storage) -> dict[State, int]:
    """Return the states that jobs are in, with the number of jobs."""
    return {state: count for state, count in (await storage.inspect()).counts.items() if count}


async def swept(storage: Storage, worker: str, most: int, done: Callable[[Swept], bool]) -> Swept:
    """Sweep until a sweep has what is waited for."""
    while not done(result := await storage.sweep(worker, most)):
        await asyncio.sleep(0.01)
    return result


class StorageLaws:
    """Tests of a storage that a subclass makes."""

    def carry_out(self, whole: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run a test to its end."""
        asyncio.run(whole())

    # ── Publish and claim ─────────────────────────────────────────────────────────────────────────────────────────────

    @law
    async def test_a_job_is_claimed_as_it_was_published(self, stores: Stores) -> None:
        storage = await stores.open()
        terms = Terms(7, 1_500_000_000, Backoff(Growth.LINEAR, 1_000_000, 2_000_000_000, 0.25))
        given = [
            NewJob("plain", "work", b'{"n": 1}'),
            NewJob("empty", "work", b"", terms=Terms(1, 0, Backoff(Growth.FIXED, 0, 0, 0.0))),
            NewJob("größe-☃ with blanks", "fün🎈", '"ünïcode \u2028 🎈"'.encode(), terms=terms),
            NewJob("bytes", "work", bytes(range(256)), key="a key: ☃"),
            NewJob("large", "work", b"x" * (1 << 20)),
        ]
        assert await storage.publish(given) == [Published(job.id) for job in given]
        claims: list[Claim] = []
        while len(claims) < len(given):
            claims += await storage.claim("w", 10, 0.0)
        by_id = {claim.id: claim for claim in claims}
        for job in given:
            claim = by_id.pop(job.id)
            assert (claim.name, claim.payload, claim.terms) == (job.name, job.payload, job.terms)
            assert (claim.attempt, claim.delivery) == (1, 1)
            record = await storage.find(job.id)
            assert record is not None
            assert (record.id, record.name, record.state, record.worker) == (job.id, job.name, State.RUNNING, "w")
        assert not by_id
        assert await storage.settle("w", [well(each, each.payload) for each in claims]) == [True] * len(given)
        ends = await storage.finished([job.id for job in given])
        assert ends == {job.id: Finished(State.SUCCESS, job.payload) for job in given}

    @law
    async def test_nothing_is_asked_of_nothing(self, stores: Stores) -> None:
        storage = await stores.open()
        assert await storage.publish([]) == []
        assert await storage.renew("w", []) == []
        assert await storage.settle("w", []) == []
        assert await storage.sweep("w", 10) == Swept()
        assert await storage.finished([]) == {}
        assert await storage.finished(["none"]) == {}
        assert await storage.find("none") is None
        assert not await storage.cancel("none")
        assert not await storage.retry("none")
        assert await storage.claim("w", 1, 0.0) == []
        assert await storage.claim("w", 1, 0.02) == []
        assert await counts(storage) == {}
        assert (await storage.inspect()).oldest_s is None
        for state in State:
            assert await storage.listed(state, 10) == []

    @law
    async def test_a_claim_takes_no_more_than_it_asks_for(self, stores: Stores) -> None:
        storage = await stores.open()
        await storage.publish(jobs(10))
        assert len(await storage.claim("w", 3, 0.0)) == 3
        assert await counts(storage) == {State.PENDING: 7, State.RUNNING: 3}
        assert len(await storage.claim("w", 100, 0.0)) == 7

    @law
    async def test_a_claim_waits_for_a_job(self, stores: Stores) -> None:
        storage, producer = await stores.open(), await stores.open()
        waiting = [asyncio.create_task(storage.claim(f"w{n}", 5, PATIENCE_S)) for n in range(2)]
        await asyncio.sleep(0.02)
        await producer.publish(jobs(1))
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        assert [[claim.id for claim in task.result()] for task in done] == [["job-0"]]
        await producer.publish(jobs(1, "second"))
        assert sorted(claim.id for claims in await asyncio.gather(*waiting) for claim in claims) == [
            "job-0",
            "second-0",
        ]

    @law
    async def test_a_claim_that_was_cancelled_leaves_the_queue_in_order(self, stores: Stores) -> None:
        storage = await stores.open()
        waiting = asyncio.create_task(storage.claim("w", 5, PATIENCE_S))
        await asyncio.sleep(0.02)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await storage.publish(jobs(1))
        assert (await one(storage)).id == "job-0"

    @law
    async def test_claims_of_many_workers_are_disjoint(self, stores: Stores) -> None:
        storages = [await stores.open() for _ in range(3)]
        await storages[0].publish(jobs(200))
        taken = Counter[str]()

        async def work(storage: Storage, worker: str) -> None:
            while claims := await storage.claim(worker, 7, 0.0):
                taken.update(claim.id for claim in claims)
                await storage.settle(worker, [well(claim) for claim in claims])

        await asyncio.gather(*(work(storage, f"{n}-{k}") for n, storage in enumerate(storages) for k in range(2)))
        assert taken == Counter({job.id: 1 for job in jobs(200)})
        assert await counts(storages[0]) == {State.SUCCESS: 200}

    @law
    async def test_a_large_batch_is_stored_and_settled_whole(self, stores: Stores) -> None:
        storage = await stores.open()
        given = jobs(1100)
        assert await storage.publish(given) == [Published(job.id) for job in given]
        claims: list[Claim] = []
        while len(claims) < len(given):
            claims += await storage.claim("w", 5000, 0.0)
        assert await storage.renew("w", claims) == [True] * 1100
        assert await storage.settle("w", [well(claim) for claim in claims]) == [True] * 1100
        assert len(await storage.finished([job.id for job in given])) == 1100

    # ── Once only ─────────────────────────────────────────────────────────────────────────────────────────────────────

    @law
    async def test_a_repeated_publish_makes_no_second_job(self, stores: Stores) -> None:
        storage = await stores.open()
        given = [NewJob("a", "work", b"1"), NewJob("b", "work", b"2", key="k")]
        assert [each.deduplicated for each in await storage.publish(given)] == [False, False]
        again = [Published("a", True), Published("b", True)]
        assert await storage.publish(given) == again
        claims = await storage.claim("w", 10, 0.0)
        assert len(claims) == 2
        assert await storage.publish(given) == again
        await storage.settle("w", [well(claim) for claim in claims])
        assert await storage.publish(given) == again
        assert await storage.claim("w", 10, 0.0) == []
        assert await storage.publish([NewJob("c", "work", b"3"), NewJob("c", "work", b"3")]) == [
            Published("c"),
            Published("c", True),
        ]

    @law
    async def test_a_key_has_one_job_whichever_of_five_producers_comes_first(self, stores: Stores) -> None:
        storages = [await stores.open() for _ in range(5)]

        async def produce(n: int, storage: Storage) -> list[Published]:
            answers = []
            for key in range(20):
                answers += await storage.publish([NewJob(f"{n}-{key}", "work", b"", key=f"key {key}")])
            return answers

        answers = await asyncio.gather(*(produce(n, storage) for n, storage in enumerate(storages)))
        for key in range(20):
            assert len({each[key].id for each in answers}) == 1
            assert sum(not each[key].deduplicated for each in answers) == 1
        claims = await storages[0].claim("w", 100, 0.0)
        assert sorted(claim.id for claim in claims) == sorted(each.id for each in answers[0])

    @law
    async def test_calls_that_are_repeated_as_their_answers_were_lost_do_nothing_twice(self, stores: Stores) -> None:
        storage = await stores.open()
        await storage.publish(jobs(3))
        claims = await storage.claim("w", 3, 0.0)
        settlements = [
            well(claims[0], b"1"),
            Settlement(claims[1], TryAgain("no", 0)),
            Settlement(claims[2], Died("never")),
        ]
        for _ in range(3):
            assert await storage.settle("w", settlements) == [True, True, True]
            assert await counts(storage) == {State.SUCCESS: 1, State.PENDING: 1, State.DEAD: 1}
        [again] = await storage.claim("w", 10, 0.0)
        assert (again.id, again.attempt, again.delivery) == (claims[1].id, 2, 1)
        assert await storage.claim("w", 10, 0.0) == []
        assert await storage.retry(claims[2].id)
        assert not await storage.retry(claims[2].id)
        assert await storage.cancel(claims[2].id)
        assert not await storage.cancel(claims[2].id)
        assert await counts(storage) == {State.SUCCESS: 1, State.RUNNING: 1, State.CANCELLED: 1}

    # ── Leases ────────────────────────────────────────────────────────────────────────────────────────────────────────

    @law
    async def test_a_job_whose_lease_is_over_is_claimed_again_and_the_old_fence_refused(self, stores: Stores) -> None:
        storage, other = await stores.open(lease_ns=SHORT_NS), await stores.open(lease_ns=SHORT_NS)
        await storage.publish(jobs(1))
        first = await one(storage, "a")
        assert (await other.sweep("b", 10)).reclaimed == ()
        await asyncio.sleep(OVER_S)
        result = await swept(other, "b", 10, lambda found: bool(found.claims))
        [second] = result.claims
        assert result.reclaimed == ("job-0",)
        assert (second.id, second.attempt, second.delivery) == ("job-0", 1, 2)
        assert second.fence > first.fence
        assert await storage.renew("a", [first]) == [False]
        for ending in (Succeeded(b"old"), TryAgain("old", 0), Died("old")):
            assert await storage.settle("a", [Settlement(first, ending)]) == [False]
        assert await other.renew("b", [second]) == [True]
        assert await other.settle("b", [well(second, b"new")]) == [True]
        assert await storage.settle("a", [well(first, b"old")]) == [False]
        assert await storage.finished(["job-0"]) == {"job-0": Finished(State.SUCCESS, b"new")}

    @law
    async def test_a_job_that_is_renewed_stays_its_workers(self, stores: Stores) -> None:
        storage, other = await stores.open(lease_ns=200_000_000), await stores.open(lease_ns=200_000_000)
        await storage.publish(jobs(2))
        # A lease is a job's: that the worker renews another does not help this one.
        kept, left = await storage.claim("a", 2, 0.0)
        reclaimed: list[str] = []
        while not reclaimed:
            assert await storage.renew("a", [kept]) == [True]
            await asyncio.sleep(0.02)
            reclaimed += (await other.sweep("b", 10)).reclaimed
        assert reclaimed == [left.id]
        assert await storage.settle("a", [well(kept)]) == [True]

    @law
    async def test_jobs_beyond_what_the_sweeping_worker_takes_are_anybodys(self, stores: Stores) -> None:
        storage = await stores.open(lease_ns=SHORT_NS)
        await storage.publish(jobs(5))
        old = await storage.claim("dead", 5, 0.0)
        assert len(old) == 5
        await asyncio.sleep(OVER_S)
        claims: list[Claim] = []
        reclaimed: list[str] = []
        while len(reclaimed) < 5:
            result = await storage.sweep("b", 2 - len(claims))
            claims += result.claims
            reclaimed += result.reclaimed
        assert sorted(reclaimed) == [job.id for job in jobs(5)]
        assert len(claims) == 2
        # What a sweep has given back is no more its old worker's, though nobody has claimed it yet.
        assert await storage.settle("dead", [well(claim) for claim in old]) == [False] * 5
        rest: list[Claim] = []
        while len(rest) < 3:
            rest += await storage.claim("c", 10, 0.0)
            rest += (await storage.sweep("c", 10)).claims
        assert {claim.id for claim in [*claims, *rest]} == {job.id for job in jobs(5)}
        fences = {claim.id: claim.fence for claim in old}
        assert all(claim.fence > fences[claim.id] and claim.attempt == 1 for claim in [*claims, *rest])

    @law
    async def test_a_job_that_is_claimed_too_often_is_dead_and_others_are_unharmed(self, stores: Stores) -> None:
        storage = await stores.open(lease_ns=SHORT_NS, max_deliveries=3)
        await storage.publish([NewJob("killer", "work", b"")])
        claim = await one(storage, "w0")
        deliveries = [claim.delivery]
        dead: tuple[str, ...] = ()
        for n in range(1, 4):
            await asyncio.sleep(OVER_S)
            result = await swept(storage, f"w{n}", 1, lambda found: bool(found.claims or found.dead))
            deliveries += [each.delivery for each in result.claims]
            dead += result.dead
        assert (deliveries, dead) == ([1, 2, 3], ("killer",))
        assert await storage.claim("w", 10, 0.0) == []
        [record] = await storage.listed(State.DEAD, 10)
        assert (record.id, record.state) == ("killer", State.DEAD)
        end = (await storage.finished(["killer"]))["killer"]
        assert end.state is State.DEAD
        assert end.error
        assert await storage.settle("w0", [well(claim)]) == [False]
        await storage.publish(jobs(1))
        assert (await one(storage)).id == "job-0"
        assert await storage.retry("killer")
        claim = await one(storage)
        assert (claim.id, claim.attempt, claim.delivery) == ("killer", 1, 1)

    @law
    async def test_each_settlement_begins_the_count_of_deliveries_anew(self, stores: Stores) -> None:
        storage = await stores.open(max_deliveries=2)
        await storage.publish(jobs(1))
        for attempt in range(1, 6):
            claim = await one(storage)
            assert (claim.attempt, claim.delivery) == (attempt, 1)
            assert await storage.settle("w", [Settlement(claim, TryAgain("again", 0))]) == [True]

    @law
    async def test_every_job_has_one_accepted_end_whatever_workers_leave_behind(self, stores: Stores) -> None:
        storages = [await stores.open(lease_ns=SHORT_NS, max_deliveries=1000) for _ in range(2)]
        await storages[0].publish(jobs(60))
        draw = random.Random(7)
        accepted = Counter[str]()

        async def work(storage: Storage, number: int) -> None:
            name = 0
            while sum(accepted.values()) < 60:
                # A worker that ends without a word is followed by one with another name.
                worker = f"{number}-{name}"
                claims = [*(await storage.sweep(worker, 3)).claims, *await storage.claim(worker, 3, 0.005)]
                if draw.random() < 0.2:
                    name += 1
                    continue
                taken = await storage.settle(worker, [well(claim) for claim in claims])
                accepted.update(claim.id for claim, is_taken in zip(claims, taken, strict=True) if is_taken)

        await asyncio.gather(*(work(storage, 2 * n + k) for n, storage in enumerate(storages) for k in range(2)))
        assert accepted == Counter({job.id: 1 for job in jobs(60)})
        assert await counts(storages[0]) == {State.SUCCESS: 60}

    # ── Times ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    @law
    async def test_a_delayed_job_is_not_claimed_before_its_time(self, stores: Stores) -> None:
        storage, other = await stores.open(), await stores.open()
        due_ms = int(time.time() * 1000) + 60
        await storage.publish([NewJob("later", "work", b"", due_ms=due_ms), NewJob("past", "work", b"", due_ms=1)])
        assert [claim.id for claim in await other.claim("w", 10, 0.0)] == ["past"]
        assert await counts(storage) == {State.DELAYED: 1, State.RUNNING: 1}
        assert (await one(other)).id == "later"
        assert time.time() * 1000 >= due_ms - 1

    @law
    async def test_a_job_that_is_tried_again_waits_and_counts_its_attempts(self, stores: Stores) -> None:
        storage, other = await stores.open(), await stores.open()
        await storage.publish(jobs(1))
        claim = await one(other)
        for attempt in range(1, 4):
            assert (claim.attempt, claim.delivery) == (attempt, 1)
            before = time.monotonic()
            # Who delays a job is who sees to its time: the claim that waits is another's.
            assert await storage.settle("w", [Settlement(claim, TryAgain(f"failure {attempt}", 40))]) == [True]
            record = await storage.find("job-0")
            assert record is not None
            assert (record.state, record.attempt, record.error) == (State.DELAYED, attempt, f"failure {attempt}")
            assert (record.worker, record.name, record.payload) == ("", "work", b"0")
            again = await one(other)
            assert time.monotonic() - before >= 0.038
            assert again.fence > claim.fence
            claim = again

    @law
    async def test_a_delayed_job_whose_worker_is_gone_is_found_by_a_sweep(self, stores: Stores) -> None:
        storage, other = await stores.open(), await stores.open()
        await storage.publish(jobs(1))
        claim = await one(storage)
        await storage.settle("w", [Settlement(claim, TryAgain("again", 30))])
        await storage.close()
        await asyncio.sleep(0.04)
        claims = (await other.sweep("b", 10)).claims
        assert [each.id for each in (*claims, *await other.claim("b", 10, 0.0))] == ["job-0"]

    @law
    async def test_a_result_is_kept_as_long_as_it_is_to_be(self, stores: Stores) -> None:
        storage = await stores.open(lease_ns=SHORT_NS, result_ttl_s=0.0)
        await storage.publish(jobs(2))
        claim = await one(storage)
        assert await storage.settle("w", [well(claim)]) == [True]
        assert await storage.cancel("job-1")
        while await storage.finished(["job-0", "job-1"]) or await counts(storage):
            await asyncio.sleep(0.01)
            await storage.sweep("w", 1)
        assert await storage.find("job-0") is None
        assert await storage.listed(State.SUCCESS, 10) == []
        assert await storage.listed(State.CANCELLED, 10) == []

    # ── Ends ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    @law
    async def test_a_dead_job_is_known_and_can_be_tried_again(self, stores: Stores) -> None:
        storage = await stores.open()
        await storage.publish(jobs(2))
        claims = await storage.claim("w", 2, 0.0)
        await storage.settle("w", [Settlement(claims[0], TryAgain("first", 0)), well(claims[1])])
        claim = await one(storage)
        assert await storage.settle("w", [Settlement(claim, Died("größer 🎈"))]) == [True]
        assert await storage.finished([claim.id]) == {claim.id: Finished(State.DEAD, error="größer 🎈")}
        [record] = await storage.listed(State.DEAD, 10)
        assert (record.id, record.attempt, record.error, record.worker) == (claim.id, 2, "größer 🎈", "")
        assert not await storage.retry(claims[1].id)
        assert await storage.retry(claim.id)
        assert await storage.finished([claim.id]) == {}
        again = await one(storage)
        assert (again.id, again.attempt, again.delivery, again.payload) == (claim.id, 1, 1, claim.payload)
        assert again.fence > claim.fence
        assert not await storage.retry(claim.id)

    @law
    async def test_only_a_job_that_waits_can_be_cancelled(self, stores: Stores) -> None:
        storage = await stores.open()
        far_ms = int(time.time() * 1000) + 3_600_000
        await storage.publish([NewJob("later", "work", b"", due_ms=far_ms), *jobs(2)])
        running = await one(storage)
        pending = ({"job-0", "job-1"} - {running.id}).pop()
        assert not await storage.cancel(running.id)
        assert await storage.cancel(pending)
        assert await storage.cancel("later")
        assert await counts(storage) == {State.RUNNING: 1, State.CANCELLED: 2}
        assert await storage.claim("w", 10, 0.0) == []
        assert await storage.settle("w", [well(running)]) == [True]
        assert not await storage.cancel(running.id)
        ends = await storage.finished([running.id, pending, "later"])
        assert {id: end.state for id, end in ends.items()} == {
            running.id: State.SUCCESS,
            pending: State.CANCELLED,
            "later": State.CANCELLED,
        }
        assert {record.id for record in await storage.listed(State.CANCELLED, 10)} == {pending, "later"}
        assert not await storage.retry(pending)

    # ── What there is ─────────────────────────────────────────────────────────────────────────────────────────────────

    @law
    async def test_counts_add_up_after_anything(self, stores: Stores) -> None:
        storage = await stores.open(max_deliveries=1000)
        draw = random.Random(11)
        known: dict[str, State] = {}
        held: list[Claim] = []
        for step in range(150):
            match draw.randrange(6):
                case 0 | 1:
                    far_ms = int(time.time() * 1000) + 3_600_000
                    new = [
                        NewJob(f"{step}-{n}", "work", b"", due_ms=far_ms * draw.randrange(2))
                        for n in range(draw.randrange(1, 5))
                    ]
                    await storage.publish(new)
                    known |= {job.id: State.DELAYED if job.due_ms else State.PENDING for job in new}
                case 2:
                    claims = await storage.claim("w", draw.randrange(1, 5), 0.0)
                    held += claims
                    known |= {claim.id: State.RUNNING for claim in claims}
                case 3:
                    endings = [
                        draw.choice([Succeeded(b"1"), TryAgain("no", 3_600_000), TryAgain("no", 0), Died("no")])
                        for _ in held
                    ]
                    settlements = [Settlement(claim, end) for claim, end in zip(held, endings, strict=True)]
                    assert await storage.settle("w", settlements) == [True] * len(held)
                    for claim, end in zip(held, endings, strict=True):
                        match end:
                            case Succeeded():
                                known[claim.id] = State.SUCCESS
                            case TryAgain(_, wait_ms):
                                known[claim.id] = State.DELAYED if wait_ms else State.PENDING
                            case Died():
                                known[claim.id] = State.DEAD
                    held = []
                case 4 if known:
                    id = draw.choice([*known])
                    can = known[id] in (State.PENDING, State.DELAYED)
                    assert await storage.cancel(id) == can
                    if can:
                        known[id] = State.CANCELLED
                case 5 if known:
                    id = draw.choice([*known])
                    assert await storage.retry(id) == (known[id] is State.DEAD)
                    if known[id] is State.DEAD:
                        known[id] = State.PENDING
            if step % 10 == 0:
                assert await counts(storage) == dict(Counter(known.values()))
        await storage.publish(jobs(2, "last"))
        known |= dict.fromkeys(["last-0", "last-1"], State.PENDING)
        known[(await one(storage)).id] = State.RUNNING
        for state in State:
            ids = {id for id, each in known.items() if each is state}
            assert ids, f"the seed has no job that is {state}"
            assert {record.id for record in await storage.listed(state, 1000)} == ids
            assert len(await storage.listed(state, 1)) == 1
        ended = {id: state for id, state in known.items() if state in FINISHED}
        assert {id: end.state for id, end in (await storage.finished([*known])).items()} == ended

    @law
    async def test_an_inspection_names_who_has_what_and_since_when(self, stores: Stores) -> None:
        storage = await stores.open()
        await storage.publish(jobs(3))
        await asyncio.sleep(0.02)
        first = await one(storage, "a")
        await asyncio.sleep(0.02)
        second = await one(storage, "ü b")
        seen = await storage.inspect()
        assert dict(seen.counts) == dict.fromkeys(State, 0) | {State.PENDING: 1, State.RUNNING: 2}
        assert [(record.id, record.worker) for record in seen.running] == [(first.id, "a"), (second.id, "ü b")]
        assert seen.running[0].age_s > seen.running[1].age_s >= 0.0
        assert seen.oldest_s is not None
        assert seen.oldest_s >= 0.038
        assert seen.facts
        if seen.workers:
            assert set(seen.workers) == {"a", "ü b"}
            assert min(seen.workers.values()) >= 0.0
        [pending] = await storage.listed(State.PENDING, 10)
        assert pending.id not in (first.id, second.id)
        assert pending.age_s >= 0.038

    @law
    async def test_a_queue_that_was_cleared_is_empty_and_can_be_used(self, stores: Stores) -> None:
        storage, other = await stores.open(), await stores.open()
        await storage.publish([*jobs(3), NewJob("k", "work", b"", key="k")])
        claims = await storage.claim("w", 2, 0.0)
        await storage.settle("w", [well(claims[0]), Settlement(claims[1], Died("no"))])
        await storage.add_schedule(SCHEDULE)
        await storage.clear()
        assert await counts(other) == {}
        assert await other.schedules() == {}
        assert await other.claim("w", 10, 0.0) == []
        assert await other.publish([NewJob("k", "work", b"", key="k")]) == [Published("k")]
        assert (await one(storage)).id == "k"

    # ── Schedules ─────────────────────────────────────────────────────────────────────────────────────────────────────

    @law
    async def test_schedules_are_kept_as_they_were_given(self, stores: Stores) -> None:
        storage, other = await stores.open(), await stores.open()
        terms = Terms(2, 1, Backoff(Growth.FIXED, 5, 6, 0.5))
        second = Schedule("ü ☃", "0 0 1 1 *", "UTC", "other", bytes(range(256)), 7, terms, True)
        assert await storage.add_schedule(SCHEDULE)
        assert await storage.add_schedule(second)
        other_terms = Schedule(SCHEDULE.name, "* * * * *", "UTC", "x", b"", 1)
        assert not await other.add_schedule(other_terms)
        assert await other.schedules() == {SCHEDULE.name: SCHEDULE, second.name: second}
        assert await other.change_schedule(other_terms)
        assert not await other.change_schedule(Schedule("none", "* * * * *", "UTC", "x", b"", 1))
        assert await storage.schedules() == {SCHEDULE.name: other_terms, second.name: second}
        assert await storage.remove_schedule(second.name)
        assert not await storage.remove_schedule(second.name)
        assert await storage.schedules() == {SCHEDULE.name: other_terms}

    @law
    async def test_a_firing_happens_once_whoever_fires(self, stores: Stores) -> None:
        storages = [await stores.open() for _ in range(2)]
        await storages[0].add_schedule(SCHEDULE)
        for turn in range(10):
            known = [(await storage.schedules())[SCHEDULE.name] for storage in storages]
            assert known[0] == known[1]
            next_ms = known[0].next_ms + 60_000
            answers = await asyncio.gather(
                *(
                    storage.fire(known[n], NewJob(f"{turn}-{n}", "job", b"1"), next_ms)
                    for n, storage in enumerate(storages)
                )
            )
            assert sorted(answers) == [False, True]
            claims = await storages[0].claim("w", 10, 0.0)
            assert [claim.id for claim in claims] == [f"{turn}-{answers.index(True)}"]
            assert (await storages[1].schedules())[SCHEDULE.name].next_ms == next_ms

    @law
    async def test_a_schedule_that_was_changed_or_removed_is_not_fired(self, stores: Stores) -> None:
        storage = await stores.open()
        await storage.add_schedule(SCHEDULE)
        moved = Schedule("each minute", "* * * * *", "Europe/Berlin", "job", b"[1]", SCHEDULE.next_ms + 1)
        await storage.change_schedule(moved)
        assert not await storage.fire(SCHEDULE, NewJob("x", "job", b""), 5)
        assert await storage.schedules() == {SCHEDULE.name: moved}
        await storage.remove_schedule(SCHEDULE.name)
        assert not await storage.fire(moved, NewJob("x", "job", b""), 5)
        assert await storage.schedules() == {}
        assert await storage.claim("w", 1, 0.0) == []


SCHEDULE = Schedule("each minute", "* * * * *", "Europe/Berlin", "job", b"[1]", 1_800_000_000_000)
