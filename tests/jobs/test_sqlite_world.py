"""The SQLite storage in simulated worlds: hosts that share one file, and are paused while they have jobs."""

import asyncio
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from loadgen.jobs.job import NewJob, Settlement, State, Succeeded
from loadgen.jobs.sqlite import Sqlite
from loadgen.jobs.url import SqliteUrl
from loadgen.testing import always, settings, simulate, sometimes
from loadgen.units import NS_PER_S
from loadgen.verify.scenario.world import World

JOBS = 20


@settings(faults=["pause"], mean_faults=3, within_s=2.0)
async def leases(world: World) -> None:
    with TemporaryDirectory() as folder:
        url = SqliteUrl(str(Path(folder) / "jobs.db"))
        executed: Counter[str] = Counter()
        taken: Counter[str] = Counter()

        def storage() -> Sqlite:
            return Sqlite(url, lease_ns=NS_PER_S // 2, max_deliveries=100, durability="normal")

        async def work(name: str) -> None:
            worker = storage()
            await worker.open()
            while sum(taken.values()) < JOBS:
                claims = await worker.claim(name, 3, 0.1) or list((await worker.sweep(name, 3)).claims)
                for claim in claims:
                    executed[claim.id] += 1
                    await asyncio.sleep(0.1)
                    if (await worker.settle(name, [Settlement(claim, Succeeded(b"1"))]))[0]:
                        taken[claim.id] += 1
                    else:
                        sometimes("an end is refused")
            await worker.close()

        async def publish() -> None:
            publisher = storage()
            await publisher.open()
            for number in range(JOBS):
                await publisher.publish([NewJob(f"{number}", "f", b"{}")])
                await asyncio.sleep(0.02)
            await publisher.close()

        hosts = [world.host(name).run(work(name)) for name in "abc"]
        await asyncio.gather(world.host("producer").run(publish()), *hosts)
        reader = storage()
        await reader.open()
        counts = (await reader.inspect()).counts
        await reader.close()
        if max(executed.values()) > 1:
            sometimes("a job is executed twice")
        always(set(taken.values()) == {1} and len(taken) == JOBS, "each job has one effect", f"{taken}")
        always(counts[State.SUCCESS] == JOBS, "each job has ended", f"{counts}")


def test_hosts_that_share_a_file_execute_each_job_and_take_one_end_of_each() -> None:
    states = simulate(leases, seeds=12)
    assert states["an end is refused"]
    assert states["a job is executed twice"]
