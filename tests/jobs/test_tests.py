"""Whole tests of jobs, small: real workers, producers and storages, and what the ledger says of them."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Timer

import pytest
from job_tests import MS, QUICK, S, on_storage, on_worker, plan, ran, with_storage
from real_servers import RealServer

from loadgen.errors import ExitCode
from loadgen.events import Monitored
from loadgen.jobs import Queue
from loadgen.jobs.backoff import Backoff, Growth
from loadgen.jobs.job import JobRecord, State, Terms
from loadgen.jobs.load.plan import Chains, Kind
from loadgen.jobs.load.work import Act
from loadgen.judge.check import Check
from loadgen.monitors.plan import MonitorPlan
from loadgen.runner.stop import Stop
from loadgen.severity import Severity

OURS = ("sqlite", "streams", "lists")


@pytest.fixture(scope="module")
def redis() -> Iterator[str]:
    """The URL of a redis-server for all tests of this file; each has a queue of its own."""
    with RealServer.redis() as server:
        yield f"redis://127.0.0.1:{server.port}"


@pytest.fixture
def placed(redis: str, request: pytest.FixtureRequest):
    """A function that puts a plan on the shared server, where its adapter is on Redis."""

    def place(wanted):
        if wanted.adapter == "sqlite":
            return wanted
        return with_storage(wanted, redis, request.node.name)

    return place


@pytest.mark.parametrize("adapter", OURS)
def test_five_workers_lose_nothing_repeat_nothing_and_share_the_jobs(adapter: str, placed):
    done = ran(placed(plan(1_000, adapter, workers=5)))
    found = done.counts
    assert (found.acknowledged, found.completed, found.executions) == (1_000, 1_000, 1_000)
    assert (found.lost, found.duplicate_executions, found.duplicate_effects, found.stuck) == (0, 0, 0, 0)
    # Whether shares are fair is a matter of the machine, too: the tests of checks, and the preset, are about that.
    assert not {*done.failed()} - {"shares"}
    assert sum(share.completed for share in done.ended.account.shares) == 1_000
    assert len(done.ended.account.shares) == 5
    assert done.answers()["shares"] is not None


def test_monitors_read_beside_a_test_what_its_checks_ask_for(placed):
    monitors = (MonitorPlan("redis", "redis", every_ns=100 * MS), MonitorPlan("host", "host", every_ns=100 * MS))
    exprs = ("max(keys) > 0 and last(total_commands_processed) > 100 and max(storage) > 1kB", "max(keys) == 0")
    wanted = plan((Kind(60, work_ns=50 * MS),), "streams", monitors=monitors, checks=tuple(map(Check, exprs)))
    done = ran(placed(wanted))
    assert (done.answers()["check 1"], done.answers()["check 2"]) == (True, False), done.failed()
    read = [event for event in done.events if isinstance(event, Monitored)]
    assert [event.at_ns for event in read] == sorted(event.at_ns for event in read)
    # After the last end, monitors are read for a little longer: that is in no report.
    for each in done.ended.monitors:
        assert 1 <= each.readings <= sum(event.reading.monitor == each.name for event in read)
    assert [each.name for each in done.ended.monitors] == ["redis", "host"]


@pytest.mark.parametrize("adapter", OURS)
def test_killed_workers_lose_no_job_and_what_they_had_begun_is_reclaimed(adapter: str, placed):
    faults = (on_worker("kill", 1, 0.3), on_worker("kill", 2, 0.6))
    # Of two lengths, so that a worker's jobs do not all end just when it is killed.
    work = (Kind(150, work_ns=50 * MS), Kind(150, work_ns=90 * MS))
    done = ran(placed(plan(work, adapter, workers=4, faults=faults)))
    found = done.counts
    assert (found.completed, found.lost, found.duplicate_effects, found.stuck) == (300, 0, 0, 0)
    assert found.duplicate_executions + found.presumed == done.ended.in_flight_at_kills > 0
    reclaim = done.ended.account.reclaim
    assert reclaim.count == found.duplicate_executions
    assert reclaim.max <= QUICK.lease_ns + QUICK.sweep_ns + 1 * S
    assert done.ended.severity is Severity.GOOD, done.failed()
    assert [report.effects for report in done.ended.faults] == [1, 1]


@pytest.mark.parametrize("adapter", ["sqlite", "streams"])
def test_the_late_end_of_a_stopped_worker_is_refused(adapter: str, placed):
    # Of two lengths, so that jobs do not all end together, with the stop just then.
    work = (Kind(30, work_ns=170 * MS), Kind(30, work_ns=290 * MS))
    done = ran(placed(plan(work, adapter, faults=(on_worker("pause", 1, 0.3, for_s=3.0),))))
    found = done.counts
    assert 0 < found.refused == found.duplicate_executions <= done.ended.in_flight_at_kills
    assert (found.completed, found.duplicate_effects, found.lost) == (60, 0, 0)


@pytest.mark.parametrize("renews", [True, pytest.param(False, marks=pytest.mark.law)])
def test_a_job_longer_than_its_lease_runs_once_if_its_lease_is_renewed(renews: bool):
    settings = replace(QUICK, max_deliveries=2)
    done = ran(plan((Kind(4, work_ns=3_500 * MS),), renews=renews, concurrency=2, queue=settings))
    assert (done.counts.duplicate_executions > 0) is not renews
    assert done.counts.duplicate_effects == 0
    assert (done.answers()["duplicate executions"] is True) is renews


def test_a_retry_storm_has_the_attempts_and_the_waits_that_it_was_asked_for():
    terms = Terms(3, 10 * S, Backoff(Growth.EXPONENTIAL, 100 * MS, 5 * S, 0.1))
    done = ran(plan((Kind(1_000, work_ns=0, fail_p=0.8),), "sqlite", terms=terms, workers=1, concurrency=20, seed=3))
    found = done.counts
    assert found.completed + found.dead == 1_000
    assert found.attempts_per_job == pytest.approx(1 + 0.8 + 0.64, abs=0.1)
    assert found.dead == pytest.approx(512, abs=65)
    assert (found.retries_early, found.waits_outside) == (0, 0)
    assert done.ended.severity is Severity.GOOD, done.failed()


@pytest.mark.parametrize("adapter", OURS)
def test_five_producers_with_the_same_keys_have_each_executed_once(adapter: str, placed):
    done = ran(placed(plan((Kind(200, work_ns=0),), adapter, producers=5, submissions=5)))
    found = done.counts
    assert (found.acknowledged, found.deduplicated, found.executions, found.completed) == (200, 800, 200, 200)
    assert found.unexpected == 0


def test_a_job_that_kills_its_worker_is_a_dead_letter_and_the_others_are_unharmed():
    settings = replace(QUICK, lease_ns=1_500 * MS, max_deliveries=2)
    done = ran(plan((Kind(100), Kind(1, act=Act.KILL)), queue=settings, concurrency=1))
    found = done.counts
    assert (found.completed, found.dead, found.lost, found.stuck) == (100, 1, 0, 0)


@pytest.mark.parametrize(
    ("act", "words"),
    [(Act.RAISE, "asked to fail"), (Act.HANG, "took longer than 0.3 s"), (Act.UNSTORABLE, "cannot be stored as JSON")],
)
def test_a_body_that_raises_hangs_or_returns_what_cannot_be_stored_is_dead(act: Act, words: str, tmp_path: Path):
    terms = Terms(2, 300 * MS, Backoff(Growth.FIXED, 10 * MS, 10 * MS, 0.0))
    url = f"sqlite://{tmp_path}/jobs.db"
    done = ran(replace(plan((Kind(20), Kind(2, act=act)), terms=terms), storage=url))
    assert (done.counts.completed, done.counts.dead, done.counts.stuck) == (20, 2, 0)
    # Dead letters of a storage that is not ours are kept for their owner, with their errors.
    assert [words in record.error for record in dead(url)] == [True, True]
    assert any("was left as it is, with 2 dead" in note.words for note in done.ended.notes)


def dead(url: str) -> list[JobRecord]:
    """The dead letters of the queue `loadgen` of a storage."""

    async def listed() -> list[JobRecord]:
        queue = Queue(url, name="loadgen", auto_start=False)
        try:
            return await queue.jobs(State.DEAD)
        finally:
            await queue.stop()

    return asyncio.run(listed())


def test_workflows_run_their_steps_in_order():
    done = ran(plan((), chains=Chains(20, 3, 1 * MS), queue=replace(QUICK, result_ttl_ns=60 * S)))
    assert [(each.name, each.count, each.failed) for each in done.ended.operations] == [("workflow", 20, 0)]
    assert done.counts.completed == 60


def test_a_queue_that_is_not_empty_is_refused_and_left_alone(tmp_path: Path):
    url = f"sqlite://{tmp_path}/jobs.db"

    async def publish() -> None:
        async with Queue(url, name="loadgen", auto_start=False) as queue:
            await queue.enqueue("mine", {"to": "someone"}, delay_s=100)

    async def pending() -> int:
        queue = Queue(url, name="loadgen", auto_start=False)
        counts = (await queue.inspect()).counts
        await queue.stop()
        return sum(counts.values())

    asyncio.run(publish())
    done = ran(replace(plan(10), storage=url))
    assert done.ended.exit_code is ExitCode.COULD_NOT_RUN
    assert "is not empty (1 delayed)" in done.ended.reasons[0].words
    assert asyncio.run(pending()) == 1


def test_a_redis_that_is_not_there_at_the_start_is_one_sentence():
    done = ran(with_storage(plan(10, "streams"), "redis://127.0.0.1:1", "gone"))
    assert done.ended.exit_code is ExitCode.COULD_NOT_RUN
    assert "refuses connections" in done.ended.reasons[0].words


def test_a_redis_that_is_killed_in_the_middle_loses_nothing_that_its_log_has():
    settings = replace(QUICK, durability="everysec")
    done = ran(plan(600, "streams", queue=settings, rate_per_s=400.0, faults=(on_storage("kill", 0.3),)))
    found = done.counts
    assert (found.acknowledged, found.completed, found.lost, found.duplicate_effects) == (600, 600, 0, 0)
    assert found.storage_errors > 0
    assert done.ended.faults[0].effects == 1
    assert done.ended.severity is Severity.GOOD, done.failed()


def test_a_power_cut_takes_back_what_everysec_has_acknowledged_and_nothing_of_always():
    def lost(durability: str) -> int:
        settings = replace(QUICK, durability=durability)
        faults = (on_storage("power_cut", 0.3),)
        done = ran(plan(400, "streams", queue=settings, rate_per_s=400.0, faults=faults, patience_ns=3 * S))
        assert done.ended.faults[0].effects > 0
        assert done.answers()["lost"] is (not done.counts.lost)
        return done.counts.lost + done.counts.stuck

    assert lost("always") == 0
    assert lost("everysec") > 0


def test_a_test_that_is_stopped_is_interrupted_and_counts_what_there_is():
    stop = Stop()
    timer = Timer(1.5, stop.set)
    timer.start()
    done = ran(plan((Kind(1_000, work_ns=100 * MS),)), stop)
    timer.join()
    assert done.ended.exit_code is ExitCode.INTERRUPTED
    assert done.ended.checks == ()
    assert done.counts.acknowledged > 0


def test_a_power_cut_of_all_processes_loses_no_publish_that_sqlite_has_synced():
    done = ran(plan(400, rate_per_s=300.0, faults=(on_storage("power_cut", 0.3),)))
    found = done.counts
    assert done.ended.faults[0].effects > 0
    assert found.acknowledged > 300
    assert (found.lost, found.stuck, found.duplicate_effects, found.unexpected) == (0, 0, 0, 0)
    assert found.completed == found.acknowledged + found.recovered


def test_a_disk_that_is_full_for_a_while_holds_jobs_up_and_loses_none():
    done = ran(plan(300, rate_per_s=300.0, faults=(on_storage("disk_full", 0.3),)))
    assert done.ended.faults[0].effects > 0
    assert done.counts.storage_errors > 0
    assert any("disk is full" in words for words in done.ended.account.errors)
    assert (done.counts.completed, done.counts.lost, done.counts.duplicate_effects) == (300, 0, 0)


def test_a_redis_that_does_not_come_back_ends_the_test_when_the_patience_does():
    done = ran(plan(600, "streams", rate_per_s=300.0, patience_ns=3 * S, faults=(on_storage("kill", 0.2, for_s=0.0),)))
    found = done.counts
    assert 0 < found.acknowledged < 600
    assert found.completed < found.acknowledged
    assert found.lost + found.stuck == found.acknowledged - found.completed
    assert done.ended.exit_code is ExitCode.NO
    assert any("refuses connections" in words for words in done.ended.account.errors)


def test_a_disk_that_is_full_to_the_end_has_fired():
    done = ran(plan(200, rate_per_s=200.0, patience_ns=2 * S, faults=(on_storage("disk_full", 0.3, for_s=0.0),)))
    assert done.ended.faults[0].effects > 0
    assert done.answers()["faults fired"] is True
    assert done.counts.completed < 200
