"""The queues on Redis without workers: jobs a second through publish, claim and settle, CPU time and bytes for each.

    taskset -c 0 .venv/bin/python benchmark/redis_queues.py --jobs 100000 --server-core 1

A redis-server is started on a free port, without a file. Batches have 100 jobs, whose payload has 48 bytes. CPU time a
job, of this process and of the server, is what the rate is bound by on cores of their own; on a machine that is busy
it says more than the rate.
"""

from __future__ import annotations

import argparse
import asyncio
import time

from servers import HOST, started

from loadgen.jobs.job import NewJob, Settlement, Succeeded
from loadgen.jobs.redis.connection import Connection
from loadgen.jobs.redis.lists import Lists
from loadgen.jobs.redis.streams import Streams
from loadgen.jobs.url import RedisUrl

BATCH = 100
PAYLOAD = b'{"n": "1234567890", "act": "noop", "work_ns": 0}'
LEASE_NS = 1_000_000_000


async def asked(connection: Connection, section: str) -> dict[str, float]:
    """Return the numbers of a section of INFO."""
    [text] = await connection.exchange([("INFO", section)], 10.0)
    pairs = (line.split(":") for line in text.decode().splitlines() if ":" in line)
    return {name: float(value) for name, value in pairs if value.replace(".", "", 1).isdigit()}


async def cpu_s(connection: Connection) -> float:
    used = await asked(connection, "cpu")
    return used["used_cpu_user"] + used["used_cpu_sys"]


async def measured(url: RedisUrl, kind: type[Streams | Lists], jobs: int) -> None:
    connection = await Connection.open(url, 10.0)
    storage = kind(url, kind.__name__, lease_ns=LEASE_NS, result_ttl_s=0.0)
    await storage.open()
    # The scripts are loaded and the queue is made before anything is measured.
    await storage.publish([NewJob("first", "work", PAYLOAD)])
    await storage.settle("w", [Settlement(claim, Succeeded(b"null")) for claim in await storage.claim("w", 1, 1.0)])
    await asyncio.sleep(1.5)
    await storage.sweep("w", 0)
    await storage.close()
    before = (await asked(connection, "memory"))["used_memory"]
    await storage.open()
    server_s, own_s, began_s = await cpu_s(connection), time.process_time(), time.perf_counter()
    for at in range(0, jobs, BATCH):
        await storage.publish([NewJob(f"{n:036d}", "work", PAYLOAD) for n in range(at, min(at + BATCH, jobs))])
    pending = (await asked(connection, "memory"))["used_memory"]
    done = 0
    while done < jobs:
        claims = await storage.claim("w", BATCH, 0.0)
        done += sum(await storage.settle("w", [Settlement(claim, Succeeded(b"null")) for claim in claims]))
    rate = jobs / (time.perf_counter() - began_s)
    own_us = (time.process_time() - own_s) / jobs * 1e6
    server_us = (await cpu_s(connection) - server_s) / jobs * 1e6
    length = next(iter((await storage.inspect()).facts.values()))
    # The traces of the last jobs go with their lease, and Redis makes its tables smaller in the seconds after that.
    await asyncio.sleep(10.0)
    await storage.sweep("w", 0)
    await storage.close()
    await asyncio.sleep(0.1)
    after = (await asked(connection, "memory"))["used_memory"]
    print(
        f"{kind.__name__:<8} {rate:>8,.0f} jobs/s   CPU {own_us:.1f} µs here, {server_us:.1f} µs in Redis   "
        f"{(pending - before) / jobs:.0f} bytes a pending job   at the end {length} in the queue, "
        f"memory {(after / before - 1) * 100:+.1f} %"
    )
    await connection.close()


async def main(jobs: int, port: int) -> None:
    for kind in (Streams, Lists):
        await measured(RedisUrl(HOST, port), kind, jobs)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--server-core", type=int, help="the core that the server runs on")
    given = parser.parse_args()
    with started("redis", given.server_core) as server:
        asyncio.run(main(given.jobs, server.port))
