"""The SQLite storage on files: its group commits, its waits, and what it says when a file is none of ours."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from loadgen.jobs.job import NewJob, Settlement, State, Succeeded, TryAgain
from loadgen.jobs.sqlite import Sqlite, wal
from loadgen.jobs.sqlite.errors import storage_error
from loadgen.jobs.storage import StorageError
from loadgen.jobs.url import SqliteUrl
from loadgen.units import NS_PER_MS


@asynccontextmanager
async def opened(path: Path, **settings: object) -> AsyncIterator[Sqlite]:
    storage = Sqlite(SqliteUrl(str(path)), **({"durability": "normal"} | settings))  # type: ignore[arg-type]
    await storage.open()
    try:
        yield storage
    finally:
        await storage.close()


def run(path: Path, test: Callable[[Sqlite], Awaitable[None]], **settings: object) -> None:
    async def go() -> None:
        async with opened(path, **settings) as storage:
            await test(storage)

    asyncio.run(go())


def job(name: str, due_ms: int = 0) -> NewJob:
    return NewJob(name, "f", b"{}", due_ms=due_ms)


def test_jobs_are_there_after_the_file_was_closed(tmp_path: Path) -> None:
    file = tmp_path / "jobs.db"

    async def publish(storage: Sqlite) -> None:
        await storage.publish([job("a")])

    async def take(storage: Sqlite) -> None:
        (claim,) = await storage.claim("w", 10, 0.0)
        assert await storage.settle("w", [Settlement(claim, Succeeded(b"1"))]) == [True]
        assert (await storage.finished(["a"]))["a"].state is State.SUCCESS

    run(file, publish)
    run(file, take)
    assert [path.name for path in tmp_path.iterdir()] == ["jobs.db"]


def test_what_tasks_ask_for_at_once_is_one_transaction(tmp_path: Path) -> None:
    async def test(storage: Sqlite) -> None:
        commits = 0

        def count(statement: str) -> None:
            nonlocal commits
            commits += statement == "COMMIT"

        assert storage._connection is not None
        storage._connection.set_trace_callback(count)
        await asyncio.gather(*(storage.publish([job(f"{n}")]) for n in range(50)))
        assert commits == 1
        (claim,) = await storage.claim("w", 1, 0.0)
        commits = 0
        settled, claims = await asyncio.gather(
            storage.settle("w", [Settlement(claim, Succeeded(b""))]), storage.claim("w", 1, 0.0)
        )
        assert (settled, len(claims), commits) == ([True], 1, 1)

    run(tmp_path / "jobs.db", test)


def test_an_operation_that_fails_takes_no_other_of_its_transaction_with_it(tmp_path: Path) -> None:
    async def test(storage: Sqlite) -> None:
        bad = NewJob("bad", "f", object())  # type: ignore[arg-type]
        good, failed, last = await asyncio.gather(
            storage.publish([job("good")]), storage.publish([bad]), storage.publish([job("last")]),
            return_exceptions=True,
        )  # fmt: skip
        assert isinstance(failed, StorageError)
        assert not isinstance(good, BaseException)
        assert not isinstance(last, BaseException)
        assert [claim.id for claim in await storage.claim("w", 10, 0.0)] == ["good", "last"]

    run(tmp_path / "jobs.db", test)


def test_a_claim_that_waits_is_woken_by_a_publish_of_another_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "jobs.db"
    # Only a datagram comes before the claim has waited in vain.
    monkeypatch.setattr("loadgen.jobs.sqlite.storage._POLL_S", 3600.0)

    async def test(storage: Sqlite) -> None:
        async with opened(file) as publisher:
            assert storage._wakeups.is_open
            claiming = asyncio.create_task(storage.claim("w", 1, 30.0))
            while not storage._waiting:
                await asyncio.sleep(0)
            await publisher.publish([job("a")])
            assert [claim.id for claim in await claiming] == ["a"]

    run(file, test)


def test_a_socket_whose_process_died_is_removed(tmp_path: Path) -> None:
    file = tmp_path / "jobs.db"

    async def test(storage: Sqlite) -> None:
        async with opened(file) as other:
            assert other._wakeups._socket is not None
            left = tmp_path / "jobs.db-wake" / other._wakeups._name
            asyncio.get_running_loop().remove_reader(other._wakeups._socket.fileno())
            other._wakeups._socket.close()
            other._wakeups._socket = None
            assert left.exists()
            await storage.publish([job("a")])
            assert not left.exists()

    run(file, test)


def test_without_datagrams_a_claim_polls(tmp_path: Path) -> None:
    file = tmp_path / "jobs.db"
    (tmp_path / "jobs.db-wake").write_text("no folder")

    async def test(storage: Sqlite) -> None:
        async with opened(file) as publisher:
            assert not storage._wakeups.is_open
            claiming = asyncio.create_task(storage.claim("w", 1, 60.0))
            await asyncio.sleep(0)
            await publisher.publish([job("a")])
            assert [claim.id for claim in await claiming] == ["a"]

    run(file, test)


def test_a_claim_whose_task_was_cancelled_gives_its_jobs_back(tmp_path: Path) -> None:
    async def test(storage: Sqlite) -> None:
        await storage.publish([job("a")])
        claiming = asyncio.create_task(storage.claim("w", 1, 0.0))
        while storage._commits is None or storage._commits._running is None:
            await asyncio.sleep(0)
        claiming.cancel()
        (claim,) = await storage.claim("other", 1, 10.0)
        assert (claim.delivery, claim.fence) == (1, 2)

    run(tmp_path / "jobs.db", test)


def test_a_job_that_fails_is_claimed_when_its_wait_is_over(tmp_path: Path) -> None:
    async def test(storage: Sqlite) -> None:
        await storage.publish([job("a")])
        (claim,) = await storage.claim("w", 1, 0.0)
        claiming = asyncio.create_task(storage.claim("w", 1, 60.0))
        await storage.settle("w", [Settlement(claim, TryAgain("e", 20))])
        (again,) = await claiming
        assert again.attempt == 2

    run(tmp_path / "jobs.db", test)


def test_a_lock_that_is_held_for_too_long_is_named_as_one(tmp_path: Path) -> None:
    file = tmp_path / "jobs.db"

    async def test(storage: Sqlite) -> None:
        holder = sqlite3.connect(file, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageError, match="database is locked") as locked:
            await storage.publish([job("a")])
        assert locked.value.is_lock
        assert locked.value.is_passing
        holder.execute("ROLLBACK")
        holder.close()
        assert len(await storage.publish([job("a")])) == 1

    run(file, test, busy_timeout_ns=NS_PER_MS)


def test_a_full_disk_is_named_and_the_storage_goes_on_when_there_is_room(tmp_path: Path) -> None:
    async def test(storage: Sqlite) -> None:
        assert storage._connection is not None
        storage._connection.execute("PRAGMA max_page_count = 12")
        with pytest.raises(StorageError, match="disk is full") as full:
            await storage.publish([NewJob(f"{n}", "f", bytes(10_000)) for n in range(100)])
        assert full.value.is_passing
        storage._connection.execute("PRAGMA max_page_count = 1000000")
        await storage.publish([job("a")])
        assert [claim.id for claim in await storage.claim("w", 10, 0.0)] == ["a"]

    run(tmp_path / "jobs.db", test)


@pytest.mark.parametrize(
    ("code", "words", "is_passing"),
    [
        (sqlite3.SQLITE_READONLY, "cannot be written to", False),
        (sqlite3.SQLITE_CORRUPT, "is damaged", False),
        (sqlite3.SQLITE_IOERR_FSYNC, "errors of its disk", True),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, "database is locked", True),
        (sqlite3.SQLITE_TOOBIG, "longer than SQLite stores", False),
    ],
)
def test_errors_of_sqlite_are_sentences_with_a_remedy(code: int, words: str, is_passing: bool) -> None:
    error = sqlite3.OperationalError("words of SQLite")
    error.sqlite_errorcode = code
    told = storage_error(error, "jobs.db", NS_PER_MS)
    assert words in str(told)
    assert told.is_passing == is_passing


def test_a_log_that_a_reader_has_kept_long_is_cut_back_when_the_reader_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "jobs.db"
    monkeypatch.setattr(wal, "LONGEST_BYTES", 100_000)
    monkeypatch.setattr(wal, "_PAUSE_NS", 0)

    async def test(storage: Sqlite) -> None:
        await storage.publish([job("first")])
        with closing(sqlite3.connect(file, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM loadgen_job").fetchone()
            await storage.publish([NewJob("long", "f", bytes(200_000))])
            assert (await storage.inspect()).facts["wal_bytes"] > 200_000
            reader.execute("COMMIT")
        await storage.publish([job("last")])
        assert (await storage.inspect()).facts["wal_bytes"] == 0
        assert len(await storage.claim("w", 10, 0.0)) == 3

    run(file, test)


def test_an_inspection_has_the_sizes_of_the_files(tmp_path: Path) -> None:
    async def test(storage: Sqlite) -> None:
        await storage.publish([job("a")])
        found = await storage.inspect()
        assert found.counts[State.PENDING] == 1
        assert found.facts["file_bytes"] + found.facts["wal_bytes"] > 4096

    run(tmp_path / "jobs.db", test)


def _other_software(file: Path) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda file: file.write_bytes(b"no database" * 100), "no database of SQLite"),
        (_other_software, "database of other software"),
        (lambda file: file.mkdir(), "cannot be opened"),
    ],
)
def test_a_file_that_is_not_ours_is_refused_in_one_sentence(
    tmp_path: Path, make: Callable[[Path], object], words: str
) -> None:
    file = tmp_path / "jobs.db"
    make(file)
    before = file.read_bytes() if file.is_file() else b""

    async def nothing(_: Sqlite) -> None:
        raise AssertionError

    with pytest.raises(StorageError, match=words) as refused:
        run(file, nothing)
    assert not refused.value.is_passing
    assert (file.read_bytes() if file.is_file() else b"") == before


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    async def nothing(_: Sqlite) -> None:
        raise AssertionError

    with pytest.raises(StorageError, match=r"its folder exists"):
        run(tmp_path / "none" / "jobs.db", nothing)
