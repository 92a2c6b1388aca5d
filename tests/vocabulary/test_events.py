"""The JSON records: the fields they have, and the values they never contain."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import constructed_campaigns
import pytest
from constructed_checks import CHECKS
from constructed_comparisons import COMPARISONS, GATES, anything, gate_failed, noise, stored, three
from constructed_events import (
    OBJECTIVES,
    RUNS,
    SIGNS,
    S,
    closed_loop,
    counted,
    endpoints,
    errors_of_all_kinds,
    good,
    monitored,
    objectives,
    plan,
    sample,
    schedule,
    zero_requests,
)
from constructed_jobs import JOBS
from constructed_searches import P99, SEARCHES, found, step
from constructed_smokes import SMOKES, matrix
from constructed_soaks import SOAKS
from constructed_stress import STRESSES
from constructed_trials import TRIALS, chaos, passed
from jsonschema import Draft202012Validator
from places import ROOT

from loadgen.events import Event, PhaseBegan, Progress, Result, Sample, SearchEnded
from loadgen.plan import Segment
from loadgen.reason import Code, Reason
from loadgen.record import encode, to_record
from loadgen.record.schema import records as schema
from loadgen.severity import Severity
from loadgen.signs import Signs
from loadgen.slo import Attainment, Evaluation, Objective, Unit
from loadgen.snapshot import ConnectionCounts, Snapshot, Tally, decode_v2
from loadgen.stats.search import Outcome, Purpose
from loadgen.stats.trial import NO_LIMIT_NS, Limit, RateVerdict

RESULTS_MD = ROOT / "docs" / "RESULTS.md"

VALIDATORS = {kind["properties"]["type"]["const"]: Draft202012Validator(kind) for kind in schema.RECORD["oneOf"]}
ALL = RUNS | SEARCHES | SMOKES | GATES | COMPARISONS | {"matrix": matrix} | TRIALS | STRESSES | CHECKS | SOAKS | JOBS


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


def records(events: Sequence[Any], kind: str | None = None) -> list[dict[str, Any]]:
    """The records that a reader gets, of one kind or of all."""
    lines = b"".join(encode(event) for event in events).splitlines()
    parsed = [json.loads(line, parse_constant=refuse) for line in lines]
    return [record for record in parsed if kind in (None, record["type"])]


def result_of(events: list[Event]) -> dict[str, Any]:
    return records(events, "result")[0]


@pytest.mark.parametrize("run", ALL)
def test_every_record_is_one_line_and_fits_its_schema(run: str) -> None:
    for event in ALL[run]():
        line = encode(event)
        if to_record(event) is None:
            assert line == b""
            continue
        assert line.endswith(b"\n")
        assert line.count(b"\n") == 1
        record = json.loads(line, parse_constant=refuse)
        VALIDATORS[record["type"]].validate(record)
        Draft202012Validator(schema.RECORD).validate(record)


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(schema.RECORD)


@pytest.mark.parametrize("kind", VALIDATORS)
def test_the_schema_refuses_a_field_that_is_not_in_it(kind: str) -> None:
    runs = [
        *schedule(),
        *monitored(),
        *endpoints(),
        *found(),
        *matrix(),
        *gate_failed(),
        *noise(),
        *chaos(passed()),
        *constructed_campaigns.failed(),
        *STRESSES["stress_passed"](),
        *CHECKS["check_illegal"](),
        *SOAKS["soak_warned"](),
        *JOBS["jobs_adapters"](),
        *JOBS["jobs_inspected"](),
    ]
    record = records(runs, kind)[0]
    assert VALIDATORS[kind].is_valid(record)
    assert not VALIDATORS[kind].is_valid({**record, "surprise": 1})


@pytest.mark.parametrize("run", sorted(set(RUNS) - {"unbalanced"}))
def test_planned_is_the_sum_of_the_six_ends(run: str) -> None:
    result = result_of(RUNS[run]())
    for counts in (result["counts"], *result["commands"].values()):
        ends = ("ok", "error_replies", "timeouts", "lost", "corrupt", "unfinished")
        assert counts["planned"] == sum(counts[end] for end in ends)
    counts = result["counts"]
    assert result["requests"] == counts["planned"]
    assert result["requests"] == result["responses"] + counts["timeouts"] + counts["lost"] + counts["unfinished"]
    assert result["errors"] == result["requests"] - counts["ok"]
    assert sum(counts["error_classes"].values()) == counts["error_replies"] or run == "busy"
    configured = [tally for command, tally in result["commands"].items() if command != "backfill"]
    assert counts["planned"] == sum(tally["planned"] for tally in configured)


def test_totals_are_over_all_phases_and_every_command() -> None:
    totals = result_of(closed_loop())["totals"]
    assert totals["commands"] == {
        "get": {"sent": 2400 + 800, "received": 2400 + 800},
        "set": {"sent": 600 + 200 + 1000, "received": 600 + 200 + 1000},
        "ping": {"sent": 2, "received": 2},
    }
    assert totals["sent"] == sum(command["sent"] for command in totals["commands"].values())
    assert totals["received"] == sum(command["received"] for command in totals["commands"].values())


def test_totals_leave_out_what_was_never_sent_and_count_late_replies() -> None:
    totals = result_of(errors_of_all_kinds())["totals"]["commands"]["get"]
    assert totals == {"sent": 800 + 2400 - 12, "received": 800 + 2300 + 40 + 5 + 7}


def test_connections_are_those_of_the_whole_run_and_active_of_the_end() -> None:
    result = result_of(errors_of_all_kinds())
    connections = result["connections"]
    assert connections.pop("connect")["samples"] == 0
    assert connections == {
        "opened": 56,
        "failed": 2,
        "closed": 4,
        "reconnects": 6,
        "resumed": 0,
        "recycled": 0,
        "resets": 0,
        "idle": 0,
        "idle_closed": 0,
        "failures": {"refused": 2, "eof": 3, "reset": 1},
    }
    assert (result["conns_active"], result["conns_failed"]) == (50, 2)
    refused = Snapshot(connections=ConnectionCounts(failed=3, active=7), failures={"refused": 3})
    result = result_of([Result(plan(), Snapshot(), 0, phases={"precheck": refused})])
    assert (result["conns_active"], result["conns_failed"]) == (0, 3)


def test_microseconds_are_cut_off_as_in_crucible() -> None:
    result = result_of(closed_loop())
    in_ns = result["latency"]["get"]["response"]
    for name in ("p50", "p90", "p99", "p999", "p9999", "max"):
        assert result["get"][f"{name}_us"] == in_ns[f"{name}_ns"] // 1000


def test_percentiles_that_fewer_than_100_samples_lie_beyond_are_named() -> None:
    result = result_of(closed_loop())
    assert result["latency"]["all"]["response"]["few_samples"] == ["p99_ns", "p999_ns", "p9999_ns"]
    assert result["latency"]["set"]["response"]["few_samples"] == ["p90_ns", "p95_ns", "p99_ns", "p999_ns", "p9999_ns"]
    assert result["get"]["few_samples"] == ["p99_us", "p999_us", "p9999_us"]
    assert records(closed_loop(), "sample")[0]["few_samples"] == ["p99_us", "p999_us", "p9999_us"]
    assert result_of(zero_requests())["latency"]["all"]["response"]["few_samples"] == []


def test_the_lag_has_two_parts() -> None:
    lag = result_of(schedule())["lag"]
    assert [part["samples"] for part in (lag, lag["ours"], lag["backpressure"])] == [3100, 3100, 3100]
    assert lag["p50_ns"] > lag["ours"]["p50_ns"] > lag["backpressure"]["p50_ns"] > 0


def test_a_sample_has_service_time_and_lag_in_an_open_loop_only() -> None:
    (record,) = records([sample(0, counted(good(800, 200), 1, open_loop=True))])
    assert record["p50_us"] > record["service"]["p50_us"] > record["lag"]["p50_us"] > 0
    (record,) = records([sample(0, counted(good(800, 200), 1))])
    assert {"service", "lag"}.isdisjoint(record)


def test_the_config_has_the_schedule_as_it_is() -> None:
    swing, flat = Segment(1_500_000_000, 1000.5, 2000.0, 250_000_000), Segment(S, 0.0, 0.0)
    the_plan = plan(profile=(swing, flat), arrival="poisson", spin=True)
    config = records([dataclasses.replace(closed_loop()[0], plan=the_plan)])[0]
    assert config["profile"] == [
        {"for_secs": 1.5, "from_per_s": 1000.5, "to_per_s": 2000, "period_secs": 0.25},
        {"for_secs": 1, "from_per_s": 0, "to_per_s": 0},
    ]
    assert (config["arrival"], config["request_distribution"], config["spin"]) == ("poisson", "roundrobin", True)
    assert config["ratelimit"] == pytest.approx(1500.25 * 1.5 / 2.5)
    refilled = dataclasses.replace(plan(), wire=dataclasses.replace(plan().wire, refill="drained"))
    drained = dataclasses.replace(closed_loop()[0], plan=refilled)
    assert [records([event])[0]["refill"] for event in (closed_loop()[0], drained)] == ["slot", "drained"]
    closed = records(closed_loop(), "config")[0]
    assert (closed["profile"], closed["spin"], closed["slo"]) == ([], False, [])


def test_objectives_are_in_the_config_and_their_answers_in_the_result() -> None:
    config = records(objectives(), "config")[0]
    assert config["slo"][2] == {"metric": "p99", "command": "get", "limit": 100_000, "unit": "ns"}
    assert config["slo"][5] == {"metric": "timeouts", "command": "all", "limit": 0.001, "unit": "share"}
    assert config["verdict_limits"]["lag_ns"] == 100_000
    answers = result_of(objectives())["slo"]
    assert [(a["metric"], a["limit"]) for a in answers] == [(o.metric, o.limit) for o in OBJECTIVES]
    assert answers[1] == {
        "metric": "p999",
        "command": "all",
        "limit": 200_000,
        "unit": "ns",
        "measured": result_of(objectives())["latency"]["all"]["response"]["p999_ns"],
        "answer": "breached",
        "lower_bound": False,
        "few_samples": True,
        "failed_share": 0.0,
    }
    assert "slo" not in result_of(closed_loop())


def test_what_was_not_measured_for_an_objective_is_null() -> None:
    unknown = Evaluation(Objective("hit_rate_min", 0.9, Unit.SHARE), None, Attainment.UNKNOWN)
    bound = Evaluation(Objective("p50", 10**9, Unit.NS), 800_000_000.0, Attainment.UNKNOWN, is_lower_bound=True)
    answers = result_of([dataclasses.replace(closed_loop()[-1], checks=(unknown, bound))])["slo"]
    assert (answers[0]["measured"], answers[0]["lower_bound"]) == (None, False)
    assert (answers[1]["measured"], answers[1]["lower_bound"]) == (800_000_000, True)


def test_the_signs_of_each_worker_are_shares_of_its_own_time() -> None:
    signs = result_of(objectives())["signs"]
    assert signs["workers"][0] == {
        "index": 0,
        "cpu_share": 0.666667,
        "queue_share": 0.01,
        "longest_pause_ns": 12_000_000,
        "paused": {"pauses": 2, "busy_ns": 1_500_000, "queued_ns": 12_500_000, "stopped_ns": 0},
        "overdue": 0,
        "throttled": None,
        "quota_cpus": None,
    }
    assert (signs["workers"][1]["queue_share"], signs["workers"][1]["overdue"]) == (None, 7)
    assert (signs["steal_share"], signs["clock_source"]) == (0.012346, "tsc")
    silent = result_of(closed_loop())["signs"]
    assert silent == {"workers": [], "steal_share": None, "clock_source": None}


def test_a_worker_without_a_window_has_no_share_of_it() -> None:
    stopped = dataclasses.replace(SIGNS.workers[0], wall_ns=0)
    signs = result_of([dataclasses.replace(closed_loop()[-1], signs=Signs((stopped,)))])["signs"]
    assert (signs["workers"][0]["cpu_share"], signs["workers"][0]["queue_share"]) == (None, None)


def test_the_standing_is_the_throughput_as_a_part_of_the_ceiling() -> None:
    assert result_of(objectives())["standing"] == {
        "ceiling_per_s": 1_234_567.8,
        "share": pytest.approx(2500 / 1_234_567.8, abs=1e-6),
        "floor_p50_ns": 31_200,
        "floor_p99_ns": 41_000,
        "taken": "2026-11-20",
    }
    assert result_of(closed_loop())["standing"] is None


def test_a_step_has_every_limit_and_how_many_requests_exceeded_it() -> None:
    taken = step(3, 1234.5, RateVerdict.FAIL, Purpose.REFINE, limits=(P99, Limit(0.9999, 10**6, "set")), x_ns=2 * 10**6)
    (record,) = records([taken])
    assert (record["number"], record["purpose"], record["verdict"], record["passed"]) == (3, "refine", "FAIL", False)
    assert (record["rate_per_s"], record["offered_per_s"], record["achieved_per_s"]) == (1234.5, 1234.75, 1233)
    assert (record["length_secs"], record["why"]) == (2, taken.step.judgement.why)
    assert record["limits"][0] == {
        "metric": "p99",
        "quantile": 0.99,
        "command": "all",
        "limit_ns": 1_000_000,
        "x_ns": 2_000_000,
        "exceed_ratio": pytest.approx(0.05),
        "exceed_low": pytest.approx(0.045),
        "exceed_high": pytest.approx(0.055),
        "allowed": 0.01,
    }
    assert [record["limits"][1][name] for name in ("metric", "command", "allowed")] == ["p9999", "set", 0.0001]


def test_a_percentile_that_is_only_looked_at_has_no_limit() -> None:
    (record,) = records([step(1, 100.0, RateVerdict.PASS, Purpose.BASE, limits=(Limit(0.99, NO_LIMIT_NS),))])
    assert record["limits"][0]["limit_ns"] is None


def test_a_search_ends_in_an_interval_and_the_accounts_of_all_its_rates() -> None:
    (record,) = records(found(), "saturation")
    assert (record["outcome"], record["lo_per_s"], record["hi_per_s"]) == ("found", 152_000.4, 158_000)
    assert (record["confirmed"], record["steps"], record["spent_secs"]) == (True, 7, 92.346)
    assert (record["capacity_per_s"], record["failure"], record["interrupted"]) == (251_234.5, None, False)
    assert [limit["metric"] for limit in record["limits"]] == ["p99", "p999"]
    assert record["counts"]["planned"] == record["counts"]["ok"] + record["counts"]["timeouts"] == 9000
    assert (record["totals"]["sent"], record["totals"]["received"]) == (11_002, 10_992)
    assert (record["unaccounted"], record["verdict"]["valid"]) == (0, True)


def test_what_a_search_does_not_know_is_null() -> None:
    ended = found()[-1]
    assert isinstance(ended, SearchEnded)
    assert ended.answer is not None
    open_ended = dataclasses.replace(ended.answer, hi_per_s=None, capacity_per_s=0.0, outcome=Outcome.NEVER_FAILED)
    (record,) = records([dataclasses.replace(ended, answer=open_ended)])
    assert (record["hi_per_s"], record["capacity_per_s"], record["outcome"]) == (None, None, "never failed")
    (record,) = records(SEARCHES["search_interrupted"](), "saturation")
    assert {record[name] for name in ("outcome", "reason", "lo_per_s", "hi_per_s", "confirmed", "steps")} == {None}


@pytest.mark.parametrize(
    ("search", "reason"),
    [
        ("search_interrupted", "the search ended before it had an answer"),
        ("search_failed", "127.0.0.1:6379 closed all 50 connections."),
        ("search_knee", "10 planned requests are not accounted for, which is a bug in loadgen"),
    ],
)
def test_a_search_without_an_answer_or_with_wrong_accounts_is_invalid(search: str, reason: str) -> None:
    (record,) = records(SEARCHES[search](), "saturation")
    verdict = record["verdict"]
    said = (verdict["valid"], verdict["failed_because"], verdict["reasons"], verdict["warnings"])
    assert said == (False, [], [reason], [])
    assert record["unaccounted"] == (10 if search == "search_knee" else 0)


NONE_FOUND = {Outcome.GENERATOR_LIMITED, Outcome.NEVER_PASSED, Outcome.UNCONFIRMED}


@pytest.mark.parametrize("outcome", Outcome)
def test_a_search_is_valid_if_it_has_an_answer(outcome: Outcome) -> None:
    ended = found()[-1]
    assert isinstance(ended, SearchEnded)
    assert ended.answer is not None
    (record,) = records([dataclasses.replace(ended, answer=dataclasses.replace(ended.answer, outcome=outcome))])
    VALIDATORS["saturation"].validate(record)
    assert record["verdict"]["valid"] is (outcome not in NONE_FOUND)


def test_old_scripts_find_every_name_they_read() -> None:
    percentiles = {"p50_us", "p90_us", "p99_us", "p999_us", "p9999_us", "max_us"}
    config, sample, result = (records(closed_loop(), kind)[0] for kind in ("config", "sample", "result"))
    assert {"target", "protocol", "tls", "threads", "conns", "pipeline", "keyspace", "key_size", "value_size"} <= set(
        config
    )
    assert {"engine", "warmup_secs", "duration_secs", "cpu_list"} <= set(config)
    assert {"ts", "req_s", "err_s", "hit_pct"} | percentiles <= set(sample)
    assert {"duration_secs", "requests", "responses", "errors", "err_pct", "hits", "misses", "hit_pct"} <= set(result)
    assert {"throughput", "rx_bytes", "tx_bytes", "rx_bps", "tx_bps", "get", "set", "conns_active"} <= set(result)
    assert {"count"} | percentiles <= set(result["get"])
    assert config["protocol"] == "Resp"
    assert config["cpu_list"] == "0,1"
    assert (result["throughput"], result["rx_bps"]) == (1000, 8 * 70 * 1000)


def test_only_a_schedule_has_a_rate_limit_and_a_lag() -> None:
    assert "ratelimit" not in records(closed_loop(), "config")[0]
    assert "lag" not in result_of(closed_loop())
    assert records(schedule(), "config")[0]["ratelimit"] == 1000
    assert result_of(schedule())["lag"]["samples"] == 3100


def test_response_and_service_differ_only_in_an_open_loop() -> None:
    closed, opened = result_of(closed_loop()), result_of(schedule())
    assert (closed["loop"], opened["loop"]) == ("closed", "open")
    assert closed["latency"]["all"]["response"] == closed["latency"]["all"]["service"]
    assert opened["latency"]["all"]["response"]["p50_ns"] > opened["latency"]["all"]["service"]["p50_ns"]


def test_percentiles_that_rest_on_unanswered_requests_are_marked() -> None:
    result = result_of(errors_of_all_kinds())
    assert result["latency"]["all"]["response"]["lower_bounds"] == [
        "mean_ns",
        "p99_ns",
        "p999_ns",
        "p9999_ns",
        "max_ns",
    ]
    assert result["get"]["lower_bounds"] == ["p99_us", "p999_us", "p9999_us", "max_us"]
    assert records(errors_of_all_kinds(), "sample")[0]["lower_bounds"] == result["get"]["lower_bounds"]
    assert result_of(closed_loop())["latency"]["all"]["response"]["lower_bounds"] == []


def test_what_cannot_be_known_is_null_and_not_zero() -> None:
    result = result_of(zero_requests())
    assert result["latency"]["all"]["response"]["p99_ns"] is None
    assert result["latency"]["all"]["response"]["mean_ns"] is None
    assert (result["get"]["count"], result["get"]["p50_us"]) == (0, None)
    assert (result["hit_pct"], result["err_pct"]) == (None, None)
    assert (result["throughput"], result["rx_bps"]) == (0, 0)
    assert result["client"]["cpu_us_per_request"] is None
    assert records(errors_of_all_kinds(), "sample")[1]["p50_us"] is None


def test_ping_has_no_hit_rate() -> None:
    result = result_of(RUNS["ping"]())
    assert result["hit_pct"] is None
    assert list(result["latency"]) == ["all", "ping"]


def test_backfill_stands_apart() -> None:
    result = result_of(schedule())
    assert result["backfill_set"]["count"] == 100
    assert result["requests"] == 3000
    assert result["latency"]["all"]["response"]["samples"] == 3000


def test_only_the_measured_samples_have_a_record() -> None:
    warm = Sample("warmup", 0.0, S, Snapshot())
    assert to_record(warm) is None
    assert to_record(dataclasses.replace(warm, phase="measure")) is not None
    assert to_record(Progress("prefill", 1, 2, 3)) is None


def test_histograms_are_those_of_the_result() -> None:
    for run in (closed_loop, schedule):
        events = run()
        measured = next(event.measured for event in events if isinstance(event, Result))
        payloads = result_of(events)["histograms"]
        assert list(payloads) == list(measured.commands)
        for command, clocks in payloads.items():
            assert decode_v2(clocks["response"]).buckets() == measured.response[command].buckets()
            assert ("service" in clocks) == bool(measured.service)


def test_no_password_is_ever_written() -> None:
    for run in ALL.values():
        assert b"a-password" not in b"".join(encode(event) for event in run())


def test_words_that_are_no_unicode_are_still_written() -> None:
    examples = result_of(errors_of_all_kinds())["error_examples"]
    assert examples["ERR"] == r"half a pair \ud800"
    assert examples["OOM"].endswith("\x1b[2J")


def test_the_verdict_is_invalid_for_a_reason_only() -> None:
    none: dict[str, list[str]] = {"failed_because": [], "reasons": [], "warnings": []}
    assert result_of(closed_loop())["verdict"] == {"valid": True, **none, "codes": none}
    verdict = result_of(errors_of_all_kinds())["verdict"]
    assert (verdict["valid"], len(verdict["reasons"]), len(verdict["warnings"])) == (False, 2, 1)
    assert result_of(zero_requests())["verdict"]["reasons"] == ["no requests were measured"]


def test_accounts_that_do_not_add_up_make_a_run_invalid() -> None:
    verdict = result_of(RUNS["unbalanced"]())["verdict"]
    assert verdict["reasons"] == ["10 planned requests are not accounted for, which is a bug in loadgen"]


@pytest.mark.parametrize("phase", ["prefill", "warmup", "measure"])
def test_a_request_missing_in_any_phase_is_noticed_once(phase: str) -> None:
    good, bad = counted({"get": Tally(planned=9, ok=9)}, 1), counted({"get": Tally(planned=9, ok=8)}, 1)
    phases = {"prefill": good, "warmup": good, "measure": good} | {phase: bad}
    assert Result(plan(), phases["measure"], S, phases=phases).unaccounted == 1


def test_two_errors_in_the_accounts_do_not_cancel_out() -> None:
    measured = counted({"get": Tally(planned=9, ok=8), "set": Tally(planned=8, ok=9)}, 1)
    assert Result(plan(), measured, S, phases={"measure": measured}).unaccounted == 2


def test_time_stamps_are_rfc_3339_in_utc() -> None:
    record = to_record(PhaseBegan("measure", 0.0))
    assert record is not None
    assert record["ts"] == "1970-01-01T00:00:00.000000Z"


def names_in(schema: dict[str, Any]) -> set[str]:
    """Every field name of a schema, at any depth."""
    names = set(schema.get("properties", {}))
    inner = [*schema.get("properties", {}).values(), schema.get("additionalProperties"), schema.get("items")]
    return names.union(*(names_in(part) for part in inner if isinstance(part, dict)))


def test_every_field_is_documented() -> None:
    documented = set(re.findall(r"`([a-z0-9_]+)`", RESULTS_MD.read_text(encoding="utf-8")))
    fields = set().union(*(names_in(validator.schema) for validator in VALIDATORS.values()))
    assert fields - documented == set()


def test_a_run_that_failed_is_invalid_for_that() -> None:
    failed = dataclasses.replace(
        closed_loop()[-1],
        reasons=(Reason(Code.WORKER_DIED, "Worker 1 was killed by SIGKILL.", Severity.COULD_NOT_RUN),),
    )
    assert result_of([failed])["verdict"] == {
        "valid": False,
        "failed_because": [],
        "reasons": ["Worker 1 was killed by SIGKILL."],
        "warnings": [],
        "codes": {"failed_because": [], "reasons": ["worker-died"], "warnings": []},
    }


def test_what_a_watched_server_used_is_in_samples_and_result_and_nowhere_else() -> None:
    first, second, third = records(RUNS["watched"](), "sample")
    assert first["server"] == {
        "cpu_s": 0.87,
        "cpu_share": 0.87,
        "cpu_us_per_request": 870.0,
        "rss_bytes": 12_300_000,
        "threads": 5,
        "fds": 61,
    }
    assert second["server"]["cpu_share"] == 15.87
    assert "server" not in third
    server = result_of(RUNS["watched"]())["server"]
    assert (server["cpu_s"], server["cpu_share"], server["cpu_us_per_request"]) == (4.35, 0.87, 4.71)
    assert (server["max_rss_bytes"], server["max_threads"], server["max_fds"]) == (12_345_678, 5, 61)
    assert (server["fate"], len(server["complaints"])) == ("crucible was killed by SIGSEGV 2.1 s into the load", 4)
    assert "server" not in result_of(closed_loop())


def test_the_config_says_which_machine_it_was() -> None:
    assert records(RUNS["watched"](), "config")[0]["host"] == "4 CPUs of a kind, Linux 6.1"
    assert records(closed_loop(), "config")[0]["host"] is None


def test_a_smoke_test_has_its_checks_and_the_figures_of_its_load() -> None:
    passed, failed, absent, doubtful, *_ = records(matrix())
    assert (passed["passed"], passed["reasons"], passed["throughput"]) == (True, [], 1000)
    assert (passed["p50_us"], passed["p99_us"], passed["p999_us"], passed["hit_pct"]) == (45, 134, 222, 99)
    assert (passed["server_cpu_us_per_request"], passed["identity"]) == (4.71, "redis 7.0.15")
    assert passed["checks"][8] == {"name": "p99.9", "passed": True, "found": "222 µs", "limit": "< 100 ms"}
    assert [reason.split(":")[0] for reason in failed["reasons"][:3]] == ["still up", "log", "timeouts"]
    assert failed["last_words"][-1].endswith(r"no room \ud800")
    assert {check["passed"] for check in absent["checks"][1:]} == {None}
    assert (absent["throughput"], absent["p50_us"], absent["identity"]) == (None, None, None)
    assert (doubtful["passed"], len(doubtful["reasons"])) == (False, 1)


def test_a_comparison_has_every_metric_and_both_sides_of_every_round() -> None:
    (record,) = records(gate_failed(), "comparison")
    assert (record["gate"], record["answer"]) == (True, "FAIL")
    assert (record["a"]["name"], record["b"]["identity"], record["paired"]) == ("redis", "valkey 8.1.1", True)
    row = record["metrics"]["throughput"]
    assert (row["answer"], row["effect"], row["ci_low"], row["ci_high"]) == ("worse", -0.0512, -0.0561, -0.0474)
    assert (row["unit"], row["threshold"], row["p"], row["more_rounds"]) == ("per_s", 0.05, 0.00390625, None)
    rounds = records(gate_failed(), "round")
    assert [(r["number"], r["max_rounds"], r["order"]) for r in rounds[:2]] == [
        (1, 20, [0, 1, 1, 0]),
        (2, 20, [1, 0, 0, 1]),
    ]
    assert [[both["a"], both["b"]] for both in record["rounds"]] == [r["values"] for r in rounds]


def test_only_a_gate_has_one_answer() -> None:
    assert {record["answer"] for record in records(three(), "comparison")} == {None}
    assert [records(GATES[gate](), "comparison")[0]["answer"] for gate in GATES] == [
        "FAIL",
        "PASS",
        "INCONCLUSIVE",
        "REFUSED",
        "ERROR",
    ]


def test_a_side_with_fewer_rounds_has_empty_ones() -> None:
    (record,) = records(stored())
    assert [bool(both["a"]) for both in record["rounds"]] == [True] * 3 + [False] * 2
    assert (record["a"]["kind"], record["a"]["taken"]) == ("results", "2026-11-20T08:00:00.000000Z")


@pytest.mark.parametrize("seed", range(200))
def test_any_comparison_is_one_line_that_fits_its_schema(seed: int) -> None:
    line = encode(anything(seed))
    assert line.count(b"\n") == 1
    VALIDATORS["comparison"].validate(json.loads(line, parse_constant=refuse))


def integers(value: Any) -> Iterator[int]:
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from integers(inner)
    elif isinstance(value, int):
        yield value


@pytest.mark.parametrize("run", ALL)
def test_every_integer_is_one_that_javascript_reads_exactly(run: str) -> None:
    records = [json.loads(line) for event in ALL[run]() if (line := encode(event))]
    assert all(abs(integer) < 2**53 for record in records for integer in integers(record))


def test_an_integer_beyond_that_is_spelled_as_the_double_that_readers_take_it_for() -> None:
    huge = dataclasses.replace(sample(1, Snapshot()), interval=Snapshot(tallies=good(2**53 + 1, 2**60 + 1)))
    record = json.loads(encode(huge))
    assert not [integer for integer in integers(record) if abs(integer) >= 2**53]
