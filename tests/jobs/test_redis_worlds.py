"""The queues on Redis in simulated worlds: hosts that pause, connections that are cut, a server that dies."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

import pytest
from worlds import run

from loadgen.jobs.job import Claim, NewJob, Settlement, State, Succeeded, TryAgain
from loadgen.jobs.redis.lists import Lists
from loadgen.jobs.redis.storage import RedisStorage
from loadgen.jobs.redis.streams import Streams
from loadgen.jobs.storage import StorageError
from loadgen.jobs.url import RedisUrl
from loadgen.testing import always, sometimes
from loadgen.verify.scenario.settings import Settings
from loadgen.verify.scenario.world import World

JOBS = 8
LEASE_NS = 150_000_000
SEEDS = range(16)

FAULTS = Settings(
    faults=("pause", "cut", "partition", "slow", "vanish", "kill", "refuse", "power_cut"),
    mean_faults=4,
    within_s=3,
    until_s=600,
)


class Truth:
    """What producers and workers were told."""

    def __init__(self) -> None:
        self.acknowledged: set[str] = set()
        self.accepted = Counter[str]()
        self.fences: dict[str, list[int]] = {}

    @property
    def is_over(self) -> bool:
        return len(self.acknowledged) == JOBS and self.acknowledged <= self.accepted.keys()


async def until_answered(call: Callable[[], object]) -> object:
    """Make a call until it is answered, with the same arguments."""
    while True:
        try:
            return await call()  # type: ignore[misc]
        except StorageError as error:
            always(error.is_passing, "what a fault does passes", str(error))
            sometimes("a call fails")
            await asyncio.sleep(0.1)


async def produce(truth: Truth, storage: RedisStorage) -> None:
    for n in range(JOBS):
        job = NewJob(f"job-{n}", "work", b"", key=f"key-{n}" if n % 2 else "")
        [published] = await until_answered(lambda job=job: storage.publish([job]))
        always(published.id == job.id, "a repeated publish has the id of the first", published.id)
        truth.acknowledged.add(job.id)
        await asyncio.sleep(0.05)
    await storage.close()


async def work(world: World, truth: Truth, storage: RedisStorage, worker: str) -> None:
    while not truth.is_over:
        try:
            swept = await storage.sweep(worker, 2)
            claims: list[Claim] = [*swept.claims, *await storage.claim(worker, 2, 0.2)]
        except StorageError:
            await asyncio.sleep(0.1)
            continue
        always(not swept.dead, "no job dies of faults", swept.dead)
        if swept.reclaimed:
            sometimes("a lease is over")
        for claim in claims:
            fences = truth.fences.setdefault(claim.id, [])
            always(claim.fence not in fences, "each claim has a fence of its own", f"{claim}")
            fences.append(claim.fence)
        if not claims:
            continue
        await asyncio.sleep(0.001 * world.draw.below(200, "work"))
        settlements = [
            Settlement(claim, TryAgain("again", 60) if world.draw.chance(0.2, "fails") else Succeeded(b"1"))
            for claim in claims
        ]
        taken = await until_answered(lambda settlements=settlements: storage.settle(worker, settlements))
        for settlement, is_taken in zip(settlements, taken, strict=True):
            if not is_taken:
                sometimes("an old fence is refused")
            elif isinstance(settlement.ending, Succeeded):
                truth.accepted[settlement.claim.id] += 1
    await storage.close()


def scenario(kind: type[Streams | Lists]) -> Callable[[World], object]:
    async def begun(world: World) -> None:
        world.redis("redis", fsync="always")

        def storage() -> RedisStorage:
            return kind(RedisUrl("redis", 6379), "q", lease_ns=LEASE_NS, max_deliveries=1000, timeout_s=0.5)

        truth = Truth()
        await asyncio.gather(
            world.host("producer").run(produce(truth, storage())),
            *(world.host(f"w{n}").run(work(world, truth, storage(), f"w{n}")) for n in range(2)),
        )
        always(set(truth.accepted.values()) == {1}, "a job has one accepted end", f"{truth.accepted}")
        last = storage()
        counts = await until_answered(last.inspect)
        found = {state: count for state, count in counts.counts.items() if count}
        always(found == {State.SUCCESS: JOBS}, "what is accepted is what there is", f"{found}")
        await last.close()

    return begun


@pytest.mark.parametrize("kind", [Streams, Lists])
def test_every_job_has_one_accepted_end_whatever_fails(kind: type[Streams | Lists]) -> None:
    reached = Counter[str]()
    for seed in SEEDS:
        found = run(scenario(kind), seed, FAULTS)
        assert found.finding is None, f"seed {seed}: {found.finding}"
        reached.update(found.states)
    assert reached["a call fails"]
    assert reached["a lease is over"]
    assert reached["an old fence is refused"]
