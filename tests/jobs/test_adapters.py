"""The adapters of other libraries' queues, with these libraries' own workers on a real Redis.

A library that is not installed is skipped, and counted as that.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from job_workers import JobWorkers, Seen, descendants
from real_servers import RealServer

from loadgen.errors import ExitCode, UsageError
from loadgen.jobs.adapters import catalogue
from loadgen.jobs.adapters.adapter import SETUP, Adapter, Setup
from loadgen.jobs.adapters.catalogue import ADAPTERS, ROWS, Row, make_adapter
from loadgen.jobs.backoff import Backoff, Growth
from loadgen.jobs.job import Terms
from loadgen.jobs.ledger import Entry, What
from loadgen.jobs.load.body import WORKER
from loadgen.jobs.load.work import Act, Work
from loadgen.jobs.url import RedisUrl
from loadgen.units import NS_PER_S

# arq has arguments that redis-py 8 calls deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:Call to '__init__' function with deprecated usage:DeprecationWarning")

# Retries at once, so that no test waits for them.
TERMS = Terms(max_attempts=2, backoff=Backoff(initial_ns=0))
QUICK: dict[str, dict[str, Any]] = {"arq": {"poll_delay": 0.02}}
NOBODY = RedisUrl("127.0.0.1", 1)
PATIENCE_S = 30.0
LEFT = ("pending", "running", "fetched", "unacknowledged", "delayed")
"""Counts of what is still to be done, as the libraries call them."""


def installed(name: str) -> str:
    if missing := ADAPTERS[name].missing:
        pytest.skip(f"{missing} is not installed")
    return name


@pytest.fixture(params=ADAPTERS)
def library(request: pytest.FixtureRequest) -> str:
    return installed(request.param)


@pytest.fixture(scope="module")
def server() -> Iterator[RealServer]:
    with RealServer.redis() as server:
        yield server


@pytest.fixture
def setup(server: RealServer) -> Setup:
    server.redis().flushall()
    return Setup(RedisUrl(server.host, server.port), TERMS, concurrency=2)


@pytest.fixture
def made() -> Iterator[Any]:
    adapters: list[Adapter] = []

    def make(name: str, setup: Setup, **settings: str | int | float | bool) -> Adapter:
        adapters.append(make_adapter(name, replace(setup, settings={**QUICK.get(name, {}), **settings})))
        return adapters[-1]

    yield make
    for adapter in adapters:
        adapter.close()


def publish(adapter: Adapter, *jobs: Work) -> None:
    ids = [adapter.enqueue(job) for job in jobs]
    assert len(set(ids)) == len(jobs)
    assert all(ids)


def of_job(seen: Seen, job: str) -> list[Entry]:
    """Return the begins of a job."""
    return [entry for entry in seen.of(What.BEGIN) if entry.job == job]


def no_ops(count: int, prefix: str = "") -> list[Work]:
    return [Work(f"{prefix}{n}", work_ns=0) for n in range(count)]


def settle(adapter: Adapter) -> None:
    """Wait until the library knows, too, that nothing is left to do."""
    deadline = time.monotonic() + PATIENCE_S
    while any(left := {name: adapter.stats().get(name, 0) for name in LEFT}.values()):
        assert time.monotonic() < deadline, left
        time.sleep(0.005)


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(processes: list[int]) -> bool:
    """True once all have ended: the kernel takes its time with what was killed, and less than a job's timeout."""
    deadline = time.monotonic() + PATIENCE_S / 3
    while any(map(is_alive, processes)) and time.monotonic() < deadline:
        time.sleep(0.005)
    return not any(map(is_alive, processes))


# ── What travels ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_setup_travels_by_the_environment_and_its_password_by_no_word(monkeypatch: pytest.MonkeyPatch) -> None:
    terms = Terms(5, 7 * NS_PER_S, Backoff(Growth.LINEAR, 3, 4, 0.5))
    setup = Setup(
        RedisUrl("::1", 6380, 2, "me", "s/e c:ret"), terms, 3, NS_PER_S, {"a": 1, "b": "x", "c": True}, "mail"
    )
    command = setup.command(4, "worker", "--flag")
    assert command.words == ("worker", "--flag")
    monkeypatch.setenv(SETUP, command.env[SETUP])
    assert Setup.told() == setup
    assert command.env[WORKER] == "4"
    assert setup.redis.with_password() == "redis://me:s%2Fe%20c%3Aret@[::1]:6380/2"


def test_no_password_is_on_a_workers_command_line(library: str, made: Any) -> None:
    adapter = made(library, Setup(RedisUrl("127.0.0.1", 1, password="s3cret"), TERMS, 2))
    assert "s3cret" not in " ".join(adapter.worker_command(1).words)
    assert "s3cret" not in " ".join((*adapter.remarks, adapter.version))


# ── Names and settings ────────────────────────────────────────────────────────────────────────────────────────────────


def test_unknown_adapter_has_the_nearest_name() -> None:
    with pytest.raises(UsageError, match="did you mean celery"):
        make_adapter("Celary", Setup(NOBODY, TERMS, 1))
    with pytest.raises(UsageError, match="the adapters are rq, celery, arq, taskiq, dramatiq"):
        make_adapter("kafka", Setup(NOBODY, TERMS, 1))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_library_that_is_not_installed_is_a_usage_error_with_the_extra(row: Row, monkeypatch: Any) -> None:
    monkeypatch.setitem(catalogue.ADAPTERS, row.name, replace(row, modules=("no_such_library",)))
    with pytest.raises(UsageError, match=rf"needs the library no_such_library.*'loadgen\[{row.extra}\]'") as caught:
        make_adapter(row.name, Setup(NOBODY, TERMS, 1))
    assert caught.value.exit_code is ExitCode.USAGE == 2
    assert ("--no-deps arq" in str(caught.value)) == (row.name == "arq")


def test_unknown_setting_is_a_usage_error_with_the_known_ones(library: str) -> None:
    with pytest.raises(UsageError, match=f"{library} has no setting lease; those that can be set are .*, "):
        make_adapter(library, Setup(NOBODY, TERMS, 1, settings={"lease": 3}))


@pytest.mark.parametrize(
    ("name", "setting"), [("celery", "broker_url"), ("taskiq", "url"), ("arq", "redis_settings"), ("dramatiq", "url")]
)
def test_no_setting_takes_a_load_to_another_server(name: str, setting: str) -> None:
    with pytest.raises(UsageError, match=f"no setting {setting};"):
        make_adapter(installed(name), Setup(NOBODY, TERMS, 1, settings={setting: "redis://example.org/0"}))


def test_adapter_has_a_version_and_remarks_and_connects_to_nothing(library: str, made: Any) -> None:
    adapter = made(library, Setup(NOBODY, TERMS, 1))
    assert adapter.version.startswith(f"{library} ")
    assert len(adapter.remarks) >= 3


@pytest.mark.parametrize(
    ("name", "own", "leased", "setting", "set"),
    [
        ("rq", "each 600 s", "each 7 s", {"maintenance_interval": 9}, "each 9 s"),
        ("celery", "task_acks_late is off", "another's after 7 s", {"visibility_timeout": 9}, "another's after 9 s"),
        ("arq", "another's 40 s after", "another's 40 s after", {"job_timeout": 9}, "another's 19 s after"),
        ("taskiq", "another's after 600 s", "another's after 6.5 s", {"idle_timeout": 9000}, "another's after 9 s"),
        ("dramatiq", "another's after 60 s", "another's after 6.5 s", {"heartbeat_timeout": 9000}, "after 9 s"),
    ],
)  # fmt: skip
def test_lease_is_the_librarys_own_unless_asked_for_and_its_settings_win(
    name: str, own: str, leased: str, setting: dict[str, Any], set: str, made: Any
) -> None:
    setup = Setup(NOBODY, TERMS, 1)
    with_lease = replace(setup, lease_ns=13 * NS_PER_S // 2)
    adapters = [made(installed(name), setup), made(name, with_lease), made(name, with_lease, **setting)]
    for adapter, words in zip(adapters, (own, leased, set), strict=True):
        assert words in " / ".join(adapter.remarks)


# ── Workers ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_workers_execute_each_job_once_and_failed_ones_again_and_leave_no_process(
    library: str, setup: Setup, made: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Celery obeys these before its application.
    for name in ("BROKER_URL", "CELERY_BROKER_URL", "CELERY_BROKER_READ_URL", "CELERY_BROKER_WRITE_URL"):
        monkeypatch.setenv(name, "redis://127.0.0.1:1/0")
    adapter = made(library, setup)
    with JobWorkers(adapter, tmp_path) as workers:
        publish(adapter, *no_ops(50), Work("failing", 0, act=Act.RAISE))
        assert adapter.stats()["pending"] == 51
        workers.start(1, 2)
        seen = workers.seen
        assert workers.wait(lambda seen: seen.count(What.END) >= 50 and seen.count(What.RAISED) >= 2), workers.words()
        assert sorted(int(entry.job) for entry in seen.of(What.END)) == list(range(50))
        assert seen.count(What.BEGIN) == 52
        assert {entry.attempt for entry in seen.of(What.END)} == {1}
        assert [(entry.job, entry.attempt) for entry in seen.of(What.RAISED)] == [("failing", 1), ("failing", 2)]
        for number in ("1", "2"):
            own = [entry.what for entry in seen.entries if entry.worker == number]
            assert own[0] is What.READY, "a worker says that it is ready before its first job"
            assert own.count(What.READY) == 1

        settle(adapter)

        # RQ's job processes are in groups of their own, so that a group is not all that there is to end.
        publish(adapter, Work("long", 600 * NS_PER_S))
        assert workers.wait(lambda seen: bool(of_job(seen, "long"))), workers.words()
        processes = [process for number in (1, 2) for process in workers.kill(number)]
        assert gone(processes)
        assert workers.printed.read_bytes() == b""


@pytest.mark.law
def test_workers_end_by_sigterm_and_leave_no_process(library: str, setup: Setup, made: Any, tmp_path: Path) -> None:
    adapter = made(library, setup)
    with JobWorkers(adapter, tmp_path) as workers:
        workers.start(1)
        # redis-py 8 swallows the cancellation by which arq ends, while it connects: arq has asked for redis-py < 6.
        publish(adapter, Work("first", 0))
        assert workers.wait(lambda seen: seen.count(What.END) == 1), workers.words()
        settle(adapter)
        processes = descendants(workers.running[1].pid)
        assert workers.stop(1) == 0, workers.words()
        assert gone(processes)
        assert workers.printed.read_bytes() == b""


@pytest.mark.law
@pytest.mark.parametrize(("name", "attempts"), [("rq", [1, 2]), ("celery", [1, 2]), ("arq", [1]), ("taskiq", [1, 2])])
def test_timeout_ends_an_attempt(name: str, attempts: list[int], setup: Setup, made: Any, tmp_path: Path) -> None:
    """arq does not try again, and dramatiq's limit does not reach a thread that sleeps: their remarks say so."""
    adapter = made(installed(name), replace(setup, terms=replace(TERMS, timeout_ns=NS_PER_S), concurrency=1))
    with JobWorkers(adapter, tmp_path) as workers:
        workers.start(1)
        publish(adapter, Work("hangs", act=Act.HANG), Work("next", 0))
        # With one place, another job is executed once the attempt has ended.
        assert workers.wait(lambda seen: seen.count(What.END) == 1), workers.words()
        assert workers.wait(lambda seen: len(of_job(seen, "hangs")) == len(attempts)), workers.words()
        publish(adapter, Work("last", 0))
        assert workers.wait(lambda seen: seen.count(What.END) == 2), workers.words()
        assert [entry.attempt for entry in of_job(workers.seen, "hangs")] == attempts


def test_taskiq_never_delivers_what_is_published_before_the_first_startup(
    setup: Setup, made: Any, tmp_path: Path
) -> None:
    adapter = made(installed("taskiq"), setup, startup=False)
    publish(adapter, *no_ops(100))
    with JobWorkers(adapter, tmp_path) as workers:
        workers.start(1)
        # A stream is in order: when a later job has been executed, all earlier ones that ever will be have begun.
        publish(adapter, Work("later", 0))
        assert workers.wait(lambda seen: seen.count(What.END) >= 1), workers.words()
        assert [entry.job for entry in workers.seen.of(What.BEGIN)] == ["later"]
        assert adapter.stats()["entries"] == 101
        assert adapter.stats()["pending"] == 0


# ── Killed workers ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.law
def test_by_default_no_library_gives_a_killed_workers_job_to_another_within_30_s(
    server: RealServer, made: Any, tmp_path: Path
) -> None:
    """All at once: each waits for 30 s. `reclaimed` below is the control: with a lease the same jobs come back."""
    server.redis().flushall()
    names = [row.name for row in ROWS if not row.missing]
    every: list[JobWorkers] = []
    try:
        for database, name in enumerate(names):
            adapter = made(name, Setup(RedisUrl(server.host, server.port, database), TERMS, 1))
            (tmp_path / name).mkdir()
            workers = JobWorkers(adapter, tmp_path / name)
            every.append(workers)
            workers.start(1)
            publish(adapter, Work("held", 600 * NS_PER_S))
            assert workers.wait(lambda seen: seen.count(What.BEGIN) == 1), workers.words()
            workers.start(2)
            workers.kill(1)
        until = time.monotonic() + PATIENCE_S
        for name, workers in zip(names, every, strict=True):
            # Traffic goes on, as some libraries look for lost jobs only then.
            publish(workers.adapter, *no_ops(20, "more"))
            assert workers.wait(lambda seen: seen.count(What.END) == 20), (name, workers.words())
            assert not workers.wait(lambda seen: seen.count(What.BEGIN) > 21, until - time.monotonic()), name
    finally:
        for workers in every:
            workers.__exit__(None, None, None)


def reclaimed(adapter: Adapter, folder: Path, traffic: int) -> bool:
    """True when a job whose worker is killed begins again on another, while `traffic` more jobs are published."""
    with JobWorkers(adapter, folder) as workers:
        workers.start(1)
        publish(adapter, Work("held", 600 * NS_PER_S))
        assert workers.wait(lambda seen: seen.count(What.BEGIN) == 1), workers.words()
        workers.start(2)
        workers.kill(1)
        time.sleep(1.2)
        publish(adapter, *no_ops(traffic))
        assert workers.wait(lambda seen: seen.count(What.END) == traffic), workers.words()
        return workers.wait(
            lambda seen: any(each.what is What.BEGIN and each.worker == "2" for each in of_job(seen, "held")), 5.0
        )


@pytest.mark.law
def test_taskiq_gives_a_killed_workers_job_to_another_only_after_a_later_job(
    setup: Setup, made: Any, tmp_path: Path
) -> None:
    adapter = made(installed("taskiq"), replace(setup, lease_ns=NS_PER_S))
    (tmp_path / "idle").mkdir()
    assert not reclaimed(adapter, tmp_path / "idle", traffic=0)
    (tmp_path / "busy").mkdir()
    assert reclaimed(adapter, tmp_path / "busy", traffic=1)


@pytest.mark.law
def test_dramatiq_gives_a_killed_workers_job_to_another_by_chance(setup: Setup, made: Any, tmp_path: Path) -> None:
    adapter = made(installed("dramatiq"), replace(setup, lease_ns=NS_PER_S), maintenance_chance=1_000_000)
    assert reclaimed(adapter, tmp_path, traffic=0)
