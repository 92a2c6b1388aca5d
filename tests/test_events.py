"""The JSON records: what is in them, and what never is."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest
from constructed_events import RUNS, S, closed_loop, counted, errors_of_all_kinds, plan, schedule, zero_requests
from jsonschema import Draft202012Validator

from loadgen import record_schema
from loadgen.events import Event, PhaseBegan, Progress, Result, Sample, encode, to_record
from loadgen.snapshot import ConnectionCounts, Snapshot, Tally, decode_v2

RESULTS_MD = Path(__file__).parent.parent / "docs" / "RESULTS.md"

VALIDATORS = {
    schema["properties"]["type"]["const"]: Draft202012Validator(schema)
    for schema in (record_schema.CONFIG, record_schema.PHASE, record_schema.SAMPLE, record_schema.RESULT)
}


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


def records(events: list[Event], kind: str | None = None) -> list[dict[str, Any]]:
    """The records that a reader gets, of one kind or of all."""
    lines = b"".join(encode(event) for event in events).splitlines()
    parsed = [json.loads(line, parse_constant=refuse) for line in lines]
    return [record for record in parsed if kind in (None, record["type"])]


def result_of(events: list[Event]) -> dict[str, Any]:
    return records(events, "result")[0]


@pytest.mark.parametrize("run", RUNS)
def test_every_record_is_one_line_and_fits_its_schema(run: str) -> None:
    for event in RUNS[run]():
        line = encode(event)
        if to_record(event) is None:
            assert line == b""
            continue
        assert line.endswith(b"\n")
        assert line.count(b"\n") == 1
        record = json.loads(line, parse_constant=refuse)
        VALIDATORS[record["type"]].validate(record)
        Draft202012Validator(record_schema.RECORD).validate(record)


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(record_schema.RECORD)


@pytest.mark.parametrize("kind", VALIDATORS)
def test_the_schema_refuses_a_field_that_is_not_in_it(kind: str) -> None:
    record = records(schedule(), kind)[0]
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
    assert sum(counts["errors"].values()) == counts["error_replies"] or run == "busy"
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
    assert result["connections"] == {
        "opened": 56,
        "failed": 2,
        "closed": 4,
        "reconnects": 6,
        "failures": {"refused": 2, "eof": 3, "reset": 1},
    }
    assert (result["conns_active"], result["conns_failed"]) == (50, 2)
    refused = Snapshot(connections=ConnectionCounts(failed=3, active=7), failures={"refused": 3})
    result = result_of([Result(plan(), Snapshot(), 0, {"precheck": refused})])
    assert (result["conns_active"], result["conns_failed"]) == (0, 3)


def test_microseconds_are_cut_off_as_in_crucible() -> None:
    result = result_of(closed_loop())
    in_ns = result["latency"]["get"]["response"]
    for name in ("p50", "p90", "p99", "p999", "p9999", "max"):
        assert result["get"][f"{name}_us"] == in_ns[f"{name}_ns"] // 1000


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
    assert result_of(schedule())["lag"]["count"] == 3100


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
    assert result["latency"]["all"]["response"]["count"] == 3000


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
    for run in RUNS.values():
        assert b"a-password" not in b"".join(encode(event) for event in run())


def test_words_that_are_no_unicode_are_still_written() -> None:
    examples = result_of(errors_of_all_kinds())["error_examples"]
    assert examples["ERR"] == "half a pair ?"
    assert examples["OOM"].endswith("\x1b[2J")


def test_the_verdict_is_invalid_for_a_reason_only() -> None:
    assert result_of(closed_loop())["verdict"] == {"valid": True, "reasons": [], "warnings": []}
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
    assert Result(plan(), phases["measure"], S, phases).unaccounted == 1


def test_two_errors_in_the_accounts_do_not_cancel_out() -> None:
    measured = counted({"get": Tally(planned=9, ok=8), "set": Tally(planned=8, ok=9)}, 1)
    assert Result(plan(), measured, S, {"measure": measured}).unaccounted == 2


def test_time_stamps_are_rfc_3339_in_utc() -> None:
    record = to_record(PhaseBegan("measure", 0.0))
    assert record is not None
    assert record["ts"] == "1970-01-01T00:00:00.000000Z"


def names_in(schema: dict[str, Any]) -> set[str]:
    """Every field name of a schema, at any depth."""
    names = set(schema.get("properties", {}))
    inner = [*schema.get("properties", {}).values(), schema.get("additionalProperties")]
    return names.union(*(names_in(part) for part in inner if isinstance(part, dict)))


def test_every_field_is_documented() -> None:
    documented = set(re.findall(r"`([a-z0-9_]+)`", RESULTS_MD.read_text(encoding="utf-8")))
    fields = set().union(*(names_in(validator.schema) for validator in VALIDATORS.values()))
    assert fields - documented == set()


def test_a_run_that_failed_is_invalid_for_that() -> None:
    failed = dataclasses.replace(closed_loop()[-1], failure="Worker 1 was killed by SIGKILL.")
    assert result_of([failed])["verdict"] == {
        "valid": False,
        "reasons": ["Worker 1 was killed by SIGKILL."],
        "warnings": [],
    }
