"""Power cuts and full disks under a producer: with synchronous FULL nothing acknowledged is lost, with NORMAL some."""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from loadgen.faults.disk.shared import Lost, SharedDisk, files_of_sqlite
from loadgen.jobs.job import State
from loadgen.jobs.sqlite import Sqlite
from loadgen.jobs.url import SqliteUrl

# Publishes jobs one by one, and says the id of each that the storage has acknowledged, or the storage's error.
PRODUCER = """
import asyncio, sys
from loadgen.jobs.job import NewJob
from loadgen.jobs.sqlite import Sqlite
from loadgen.jobs.storage import StorageError
from loadgen.jobs.url import SqliteUrl

async def main(path, durability, first):
    storage = Sqlite(SqliteUrl(path), durability=durability)
    await storage.open()
    for number in range(int(first), 10**9):
        try:
            (answer,) = await storage.publish([NewJob(f"{number}", "f", b"{}")])
            print(answer.id, flush=True)
        except StorageError as error:
            print(error, flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


class Cuts:
    """A producer whose power is cut again and again, and the jobs that were acknowledged and are not there."""

    def __init__(self, folder: Path, durability: str, seed: int) -> None:
        self._file = folder / "jobs.db"
        self._durability = durability
        self._disk = SharedDisk(folder)
        self._draw = random.Random(seed)
        self._acknowledged: set[str] = set()

    def cut(self, first: int, publishes: int, *, by_chance: bool) -> tuple[Lost, int]:
        """Publish so many jobs at least and cut the power; return what that took, in writes and in jobs."""
        command = [sys.executable, "-c", PRODUCER, str(self._file), self._durability, str(first)]
        env = os.environ | self._disk.env
        with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as producer:
            assert producer.stdout is not None
            for _ in range(publishes):
                self._acknowledged.add(producer.stdout.readline().rstrip())
            producer.kill()
            # A last line may be cut off, as nobody was told of its job.
            self._acknowledged.update(line[:-1] for line in producer.stdout if line.endswith("\n"))
        lost = self._disk.cut(files_of_sqlite(self._file), self._draw if by_chance else None)
        with closing(sqlite3.connect(self._file)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        there = asyncio.run(self._published())
        gone = self._acknowledged - there
        self._acknowledged &= there
        return lost, len(gone)

    async def _published(self) -> set[str]:
        """Open the storage after the cut, and return the jobs that it has."""
        storage = Sqlite(SqliteUrl(str(self._file)))
        await storage.open()
        jobs = await storage.listed(State.PENDING, 1_000_000)
        await storage.close()
        return {job.id for job in jobs}


def test_full_loses_no_acknowledged_publish_whatever_was_not_synced(tmp_path: Path) -> None:
    cuts = Cuts(tmp_path, "full", seed=1)
    for number, publishes in enumerate((40, 600)):
        lost, gone = cuts.cut(number * 100_000, publishes, by_chance=bool(number))
        assert lost.files >= 2
        assert gone == 0


@pytest.mark.parametrize("publishes", [30, 600])
def test_normal_may_lose_acknowledged_publishes_and_the_file_stays_whole(tmp_path: Path, publishes: int) -> None:
    lost, gone = Cuts(tmp_path, "normal", seed=1).cut(0, publishes, by_chance=False)
    assert lost.appended_bytes + lost.overwrites > 0
    assert gone > 0


def test_a_full_disk_refuses_publishes_and_what_was_acknowledged_stays(tmp_path: Path) -> None:
    file = tmp_path / "jobs.db"
    disk = SharedDisk(tmp_path)
    command = [sys.executable, "-c", PRODUCER, str(file), "full", "0"]
    acknowledged: list[str] = []
    with subprocess.Popen(command, env=os.environ | disk.env, stdout=subprocess.PIPE, text=True) as producer:
        assert producer.stdout is not None
        acknowledged.extend(producer.stdout.readline().rstrip() for _ in range(20))
        disk.fill(files_of_sqlite(file))
        while (said := producer.stdout.readline().rstrip()).isdigit():
            acknowledged.append(said)
        assert "disk is full" in said
        assert disk.refused > 0
        disk.free()
        while not (said := producer.stdout.readline().rstrip()).isdigit():
            assert "disk is full" in said
        acknowledged.append(said)
        producer.kill()
    with closing(sqlite3.connect(file)) as connection:
        there = {job for (job,) in connection.execute("SELECT id FROM loadgen_job")}
    assert set(acknowledged) <= there
