"""The saturation search on real servers, and the self-test: whole commands, their output and their exit statuses."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from builtin_servers import built_in
from command import Finished, Running
from in_process import invoked
from quiet import law_of_time
from real_servers import RealServer
from records import check_record
from runs import endpoints, redis_calls, redis_calls_of, sets, up_to

from loadgen import __version__
from loadgen.cli.verbs import selftest as verb
from loadgen.errors import ExitCode
from loadgen.host import machine
from loadgen.host.neighbours import Busy
from loadgen.selftest import bench, reach
from loadgen.selftest.reach import Reach, SelfTest

HURRIED = sets(
    "general.threads=1",
    "general.warmup=0s",
    "general.seed=1",
    "connection.connections=8",
    "connection.request_timeout=5s",
    "workload.keyspace.count=1000",
    "workload.saturation_search.sample_window=250ms",
    "workload.saturation_search.drain_window=20ms",
    # What the machine does to the generator while tests share it is not what these searches are about.
    "verdict.lag=30s",
    "verdict.shortfall=1",
)


def searched(port: int, *settings: str, word: str = "saturate") -> Finished:
    done = invoked(word, "--format", "json", *HURRIED, *sets(endpoints(port), *settings))
    for record in done.records:
        check_record(record)
    return done


def answer(done: Finished) -> dict[str, Any]:
    [record] = [record for record in done.records if record["type"] == "saturation"]
    assert record["counts"]["unfinished"] + record["counts"]["ok"] > 0
    counted = sum(record["counts"][place] for place in ("ok", "error_replies", "timeouts", "lost", "corrupt"))
    assert counted + record["counts"]["unfinished"] == record["counts"]["planned"]
    return record


def steps(done: Finished) -> list[dict[str, Any]]:
    return [record for record in done.records if record["type"] == "step"]


@pytest.mark.parametrize(
    ("service_us", "window_ms"),
    [pytest.param(200, 400, id="fast"), pytest.param(500, 1000, id="slow", marks=pytest.mark.law)],
)
@law_of_time
def test_a_search_finds_what_a_server_of_known_speed_can_take(service_us: int, window_ms: int) -> None:
    capacity_per_s = 1e6 / service_us
    with built_in(options=["--delay", f"{service_us}us"]) as server:
        limit = f"slo.p99={40 * service_us}us"
        done = searched(server.port, limit, f"workload.saturation_search.sample_window={window_ms}ms")
    record = answer(done)
    assert done.status == 0, done.stderr
    assert record["outcome"] == "found"
    assert record["confirmed"]
    # M/D/1 has its p99 at 40 services at 94 % of its capacity.
    assert 0.8 * 0.94 * capacity_per_s <= record["lo_per_s"] <= capacity_per_s
    assert record["lo_per_s"] < record["hi_per_s"] <= 1.1 * capacity_per_s
    assert [step["number"] for step in steps(done)] == list(range(1, record["steps"] + 1))
    assert {step["purpose"] for step in steps(done)} >= {"climb", "confirm"}


def test_every_request_of_a_search_is_one_that_the_server_counted() -> None:
    with RealServer.redis() as server:
        done = searched(server.port, "slo.p99=50ms", "workload.saturation_search.max_bisect_steps=2")
        calls = redis_calls(server)
    record = answer(done)
    sent = {command: n["sent"] for command, n in record["totals"]["commands"].items()}
    # The identity is asked for over a connection of its own, which INFO is left out for.
    assert calls == redis_calls_of(sent)
    assert record["totals"]["sent"] == record["totals"]["received"]


def test_a_plain_run_with_the_table_searches_too() -> None:
    with built_in() as server:
        done = searched(server.port, "slo.p99=10s", *up_to(500), word="run")
    record = answer(done)
    assert done.status == 0
    assert record["outcome"] == "never failed"
    assert record["lo_per_s"] == 500
    assert record["hi_per_s"] is None
    assert record["capacity_per_s"] is None  # A closed loop keeps to no rate, so with a max_rate there is none.


def test_without_an_slo_the_knee_is_searched() -> None:
    """However busy the machine is, no rate above what the server can do holds."""
    with built_in(options=["--delay", "200us"]) as server:
        done = searched(server.port, "workload.saturation_search.sample_window=100ms")
    record = answer(done)
    assert record["limits"] == []
    assert steps(done)[0]["purpose"] == "base"
    assert done.records[0]["search"] == []
    assert done.status in (0, 4)
    assert (record["lo_per_s"] or 0) <= 5250


def test_connections_that_never_opened_fail_a_search_as_they_fail_a_run() -> None:
    with RealServer.redis("--maxclients", "3") as server:
        done = searched(server.port, "slo.p99=30s", *up_to(200), "connection.connections=5")
    assert done.status == 1
    [words] = answer(done)["verdict"]["failed_because"]
    assert words.startswith("2 of 5 connections never opened (limit 1 %, and at least 1)")
    assert "max number of clients" in words


def test_a_limit_that_no_rate_meets_is_a_no() -> None:
    with built_in(options=["--delay", "2ms"]) as server:
        done = searched(server.port, "slo.p50=1ms")
    record = answer(done)
    assert (done.status, record["outcome"]) == (1, "never passed")
    assert record["lo_per_s"] in (0, None)
    assert "every rate that was tried failed" in done.complaint


def test_a_generator_that_gives_out_first_is_named_and_not_the_server() -> None:
    with built_in() as server:
        done = searched(server.port, "slo.p99=1s", "verdict.lag=1ns", "verdict.lag_share=0")
    record = answer(done)
    assert (done.status, record["outcome"]) == (4, "generator-limited")
    assert {step["verdict"] for step in steps(done)} == {"GENERATOR-LIMITED"}
    assert "send lag" in record["reason"]


def test_a_limit_on_one_command_judges_that_command_alone() -> None:
    with built_in() as server:
        done = searched(server.port, "slo.get.p99=10s", *up_to(300))
    assert done.status == 0
    [limit] = steps(done)[0]["limits"]
    assert (limit["command"], limit["limit_ns"]) == ("get", 10_000_000_000)


def test_steps_are_told_as_they_happen_and_an_interrupt_keeps_them() -> None:
    with (
        built_in() as server,
        Running("saturate", "--format", "json", *HURRIED, *sets(endpoints(server.port), "slo.p99=1s")) as run,
    ):
        run.wait_for("step", 1)
        run.interrupt()
        done = run.finish()
    assert done.status == 130
    record = answer(done)
    assert record["interrupted"]
    assert record["outcome"] is None
    assert len(steps(done)) >= 1


def test_a_server_that_dies_in_a_search_ends_it() -> None:
    settings = (*HURRIED, *sets("slo.p99=1s", "connection.request_timeout=500ms"))
    with (
        built_in() as server,
        Running("saturate", "--format", "json", *settings, *sets(endpoints(server.port))) as run,
    ):
        run.wait_for("step", 1)
        server.stop()
        done = run.finish()
    assert done.status == 3
    assert "No connection to" in done.complaint
    assert answer(done)["failure"]


def test_a_worker_that_dies_in_a_search_ends_it() -> None:
    with (
        built_in() as server,
        Running("saturate", "--format", "json", *HURRIED, *sets(endpoints(server.port), "slo.p99=1s")) as run,
    ):
        run.wait_for("step", 1)
        run.workers()[0].kill()
        done = run.finish()
    assert done.status == 3
    assert "SIGKILL" in done.complaint


def test_a_search_is_shown_in_every_format(tmp_path: Path) -> None:
    stored = tmp_path / "search.json"
    with built_in() as server:
        settings = sets(endpoints(server.port), "slo.p99=10s", *up_to(300))
        done = invoked("saturate", "--format", "clean", "--json", str(stored), *HURRIED, *settings)
    assert done.status == 0
    shown = {format: invoked("report", str(stored), "--format", format).stdout for format in ("verbose", "quiet")}
    assert all("300" in text for text in (done.stdout, *shown.values()))
    for text in (done.stdout, shown["verbose"]):
        assert "PASS" in text
        assert max(map(len, text.splitlines())) <= 120


# ── SLOs ────────────────────────────────────────────────────────────────────────────────────────────────────────────

LOOSE = sets("general.duration=300ms", "general.warmup=0s", "verdict.lag=30s", "verdict.shortfall=1")


# That a breach of any of them decides is asked with made-up results (tests/judge/test_failures.py).
@pytest.mark.parametrize(
    ("slos", "status", "word"),
    [
        (("slo.p99=30s", "slo.throughput_min=1", "slo.errors=0"), 0, "met"),
        (("slo.p50=1ns", "slo.throughput_min=1e9", "slo.hit_rate_min='99%'", "slo.get.p99=1ns"), 1, "breached"),
    ],
)
def test_slos_decide_the_exit_status_of_a_valid_run(slos: tuple[str, ...], status: int, word: str) -> None:
    with built_in() as server:
        done = invoked("--format", "json", *LOOSE, *sets(endpoints(server.port), "workload.rate_limit=1000", *slos))
    assert done.status == status, done.stderr
    assert [check["answer"] for check in done.result["slo"]] == [word] * len(slos)
    assert ("loadgen: SLO BREACHED" in done.stderr) is (status == 1)


def test_a_percentile_that_is_only_bounded_from_below_leaves_the_slo_open() -> None:
    with built_in(options=["--blackhole"]) as server:
        # One request at a time is sent and times out; the median is one that was never sent.
        load = ("workload.rate_limit=100", "connection.connections=1", "connection.pipeline_depth=1")
        settings = (*load, "connection.request_timeout=1s", "slo.p50=10s", "verdict.failures=false")
        done = invoked("--format", "json", *LOOSE, *sets(endpoints(server.port), *settings))
    assert done.status == 4
    assert [check["answer"] for check in done.result["slo"]] == ["unknown"]


# ── The self-test ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "loadgen" / reach.FILE


@law_of_time
def test_a_self_test_is_kept_and_later_runs_say_where_they_stood(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Each ceiling to a half, and not to a 64th of the closed loop.
    monkeypatch.setattr(bench, "HALVINGS", 1)
    done = invoked("selftest", "--seconds", "0.05", "--keep-anyway", "--format", "json")
    assert done.status == 0, done.stderr
    [record] = done.records
    assert [reach["depth"] for reach in record["reaches"]] == [1, 8, 32]
    assert all(reach["closed_per_s"] > reach["open_per_s"] >= 0 for reach in record["reaches"])
    assert 0 < record["floor_p50_ns"] <= record["floor_p99_ns"]
    kept = json.loads(state.read_text())
    assert kept == {name: value for name, value in record.items() if name != "type"}
    with built_in() as server:
        ran = invoked("--format", "json", *LOOSE, *sets(endpoints(server.port), "general.threads=1"))
    standing = ran.result["standing"]
    assert standing["ceiling_per_s"] == pytest.approx(record["reaches"][0]["closed_per_s"], rel=0.01)
    assert standing["share"] == pytest.approx(ran.result["throughput"] / standing["ceiling_per_s"], rel=0.01)


def known(closed_per_s: float, **more: Any) -> SelfTest:
    reaches = (Reach(1, closed_per_s, False, closed_per_s / 2), Reach(8, 4 * closed_per_s, True, closed_per_s))
    fields = {"version": __version__, "fingerprint": machine.fingerprint(), "taken": "2026-11-21T10:00:00Z", **more}
    return SelfTest(reaches=reaches, floor_p50_ns=30_000, floor_p99_ns=41_000, **fields)


def test_a_self_test_prints_a_row_for_each_depth(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    test = known(1000)
    monkeypatch.setattr(bench.Bench, "reaches", lambda _: iter(test.reaches))
    monkeypatch.setattr(bench.Bench, "floor", lambda _: (test.floor_p50_ns, test.floor_p99_ns))
    done = invoked("selftest", "--keep-anyway")
    assert done.status == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines() if line.endswith("req/s")]
    assert rows == [["1", "1,000", "req/s", "500", "req/s"], ["8", "≥", "4,000", "req/s", "1,000", "req/s"]]
    assert "floor at 1,000 req/s: p50 30.0 µs, p99 41.0 µs" in done.stdout


def test_a_run_above_half_of_the_ceiling_is_warned_of(state: Path) -> None:
    assert reach.keep(known(1000))
    with built_in() as server:
        done = invoked("--format", "verbose", *LOOSE, *sets(endpoints(server.port), "general.threads=1"))
    words = " ".join(done.stdout.split())
    assert "of this host's ceiling" in words
    assert "warning: " in words
    assert done.status == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no JSON",
        "[]",
        "{}",
        '{"reaches": 3}',
        '{"reaches": []}',
    ],
)
def test_a_kept_file_that_is_none_is_no_self_test(text: str, state: Path) -> None:
    state.parent.mkdir(parents=True)
    state.write_text(text)
    assert reach.kept(__version__) is None


@pytest.mark.parametrize("other", [{"version": "0.0.0"}, {"fingerprint": "another machine"}])
def test_a_self_test_of_another_machine_or_version_is_not_used(other: dict[str, str], state: Path) -> None:
    assert reach.keep(known(1000))
    assert reach.kept(__version__) == known(1000)
    assert reach.keep(known(1000, **other))
    assert reach.kept(__version__) is None


def test_a_self_test_that_cannot_be_kept_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    assert verb.kept(known(1000), Busy()) is ExitCode.YES
    assert "could not be kept" in capsys.readouterr().err


@pytest.mark.parametrize("seconds", ["0", "-1", "ten", "nan", "1e9"])
def test_a_self_test_of_no_length_is_refused(seconds: str) -> None:
    done = invoked("selftest", f"--seconds={seconds}")
    assert done.status == 2
    assert f'--seconds: "{seconds}" is ' in done.stderr


def test_a_run_is_held_against_the_depth_measured_below_its_own() -> None:
    from runs import plan

    test = known(1000)
    for depth, expected in ((1, 1000), (7, 1000), (8, 4000), (64, 4000)):
        ceiling = test.ceiling(plan(1, f"connection.pipeline_depth={depth}"), cpus=4)
        assert ceiling is not None
        assert math.isclose(ceiling.throughput_per_s, expected)
    paced = test.ceiling(plan(1, "workload.rate_limit=5", "general.threads=3"), cpus=2)
    assert paced is not None
    assert math.isclose(paced.throughput_per_s, 2 * 1000)
