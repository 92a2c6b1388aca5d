"""[smoke], [compare] and [gate]: the settings that each table gives, and the thresholds of the metrics."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest
from config_problems import found
from hypothesis import given
from hypothesis import strategies as st

from loadgen.compare.metric import METRICS
from loadgen.compare.settings import Awake, ComparisonSettings, Idle
from loadgen.config import compare_settings, dump, gate_settings, json_schema, load, smoke_limits
from loadgen.config.tables.change import (
    MAX_CHANGE,
    format_change,
    format_fall,
    format_rise,
    parse_change,
    parse_fall,
    parse_rise,
)
from loadgen.errors import ConfigError
from loadgen.smoke.limits import SmokeLimits

MS = 10**6
S = 10**9


# ── What they are told ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_smoke_test_is_as_strict_as_limits_says_unless_told_otherwise() -> None:
    assert smoke_limits(load(None)) == SmokeLimits()
    told = ["connection_errors=1", "timeouts=2", "error_replies=3", "p999=5ms", 'hit_rate="90%"', "requests=7",
            "log=false", "sanity=false"]  # fmt: skip
    assert smoke_limits(load(None, [f"smoke.{key}" for key in told])) == SmokeLimits(
        connection_errors=1,
        timeouts=2,
        error_replies=3,
        p999_ns=5 * MS,
        hit_rate=0.9,
        requests=7,
        log=False,
        sanity=False,
    )


def test_any_hit_and_no_hit_rate_at_all_are_told_apart() -> None:
    assert smoke_limits(load(None, ["smoke.hit_rate=0"])).hit_rate == 0
    assert smoke_limits(load(None, ["smoke.hit_rate=false"])).hit_rate is None
    assert load(None, ["smoke.hit_rate=0"]) != load(None, ["smoke.hit_rate=false"])


def test_a_comparison_judges_every_metric_unless_told_otherwise() -> None:
    settings = compare_settings(load(None))
    assert settings == ComparisonSettings(
        {"throughput": 0.05, "p50": 0.05, "p99": 0.1, "p999": 0.2, "server_cpu": 0.05, "rss": 0.05}, one_sided=False
    )
    assert list(settings.thresholds) == list(METRICS)


def test_a_gate_judges_three_metrics_for_the_worse_unless_told_otherwise() -> None:
    assert gate_settings(load(None)) == ComparisonSettings(
        {"throughput": 0.05, "p99": 0.1, "server_cpu": 0.05}, one_sided=True
    )


def test_every_key_of_a_comparison_reaches_it() -> None:
    told = ['throughput="1%"', "p50=0.02", 'p99="3.5%"', "p999=false", 'server_cpu="1000%"', "rss=false", "slice=1s",
            "settle=0", "rate=5000", 'load_share="70%"', "rounds=5", "slices=6", "idle=alone",
            "awake=never"]  # fmt: skip
    assert compare_settings(load(None, [f"compare.{key}" for key in told])) == ComparisonSettings(
        {"throughput": 0.01, "p50": 0.02, "p99": 0.035, "server_cpu": 10.0},
        one_sided=False,
        slice_ns=S,
        settle_ns=0,
        rate_per_s=5000,
        load_share=0.7,
        max_rounds=5,
        slices=6,
        idle=Idle.ALONE,
        awake=Awake.NEVER,
    )


def test_every_key_of_a_gate_reaches_it() -> None:
    told = ["throughput=-3%", "p50=+1%", "p99=+2%", "p999=+3%", "server_cpu=false", "rss=+5%", "slice=1s", "settle=1ms",
            "rate=5000", "load_share=1", "rounds=60", 'noise="4%"', "idle=stop", "awake=always"]  # fmt: skip
    assert gate_settings(load(None, [f"gate.{key}" for key in told])) == ComparisonSettings(
        {"throughput": 0.03, "p50": 0.01, "p99": 0.02, "p999": 0.03, "rss": 0.05},
        one_sided=True,
        slice_ns=S,
        settle_ns=MS,
        rate_per_s=5000,
        load_share=1,
        max_rounds=60,
        noise=0.04,
        idle=Idle.STOP,
        awake=Awake.ALWAYS,
    )


def test_rounds_are_at_the_rate_of_the_load_where_their_table_has_none() -> None:
    load_only = load(None, ["workload.rate_limit=300"])
    assert (compare_settings(load_only).rate_per_s, gate_settings(load_only).rate_per_s) == (300, 300)
    both = load(None, ["workload.rate_limit=300", "compare.rate=5000", "gate.rate=7000"])
    assert (compare_settings(both).rate_per_s, gate_settings(both).rate_per_s) == (5000, 7000)


def test_a_gate_whose_one_limit_is_eased_keeps_the_others() -> None:
    assert gate_settings(load(None, ["gate.throughput=-20%"])).thresholds == {
        "throughput": 0.2,
        "p99": 0.1,
        "server_cpu": 0.05,
    }


# ── Changes as text ─────────────────────────────────────────────────────────────────────────────────────────────────

WRONG = [
    ("[compare]\np99 = 5", "2:1: compare.p99", "malformed"),
    ("[compare]\np99 = true", "2:1: compare.p99", "malformed"),
    ('[compare]\np99 = "5"', "2:1: compare.p99", "malformed"),
    ("[compare]\np99 = 1.0", "2:1: compare.p99", "malformed"),
    ("[compare]\np99 = nan", "2:1: compare.p99", "malformed"),
    ('[compare]\np99 = "0%"', "2:1: compare.p99", "malformed"),
    ('[compare]\np99 = "1001%"', "2:1: compare.p99", "malformed"),
    ('[compare]\nthroughput = "-5%"', "2:1: compare.throughput", "malformed"),
    ('[gate]\nthroughput = "+5%"', "2:1: gate.throughput", "malformed"),
    ('[gate]\nthroughput = "7 %"', "2:1: gate.throughput", "malformed"),
    ('[gate]\np99 = "-5%"', "2:1: gate.p99", "malformed"),
    ("[gate]\nserver_cpu = 0.05", "2:1: gate.server_cpu", "malformed"),
    ("[gate]\nthroughput = -0.05", "2:1: gate.throughput", "malformed"),
    ('[gate]\nthroughput = "-100%"', "2:1: gate.throughput", "too-large"),
    ('[gate]\nrss = "+0%"', "2:1: gate.rss", "malformed"),
    ("[gate]\nthroughput = false\np99 = false\nserver_cpu = false", "1:2: gate", "no-objective"),
    ("[gate]\nnoise = 0", "2:1: gate.noise", "too-small"),
    ("[compare]\nnoise = 0.1", "2:1: compare.noise", "unknown"),
    ("[gate]\nslices = 3", "2:1: gate.slices", "not-a-multiple"),
    ("[compare]\nrounds = 3", "2:1: compare.rounds", "too-small"),
    ("[gate]\nrounds = 61", "2:1: gate.rounds", "too-large"),
    ("[compare]\nload_share = 0", "2:1: compare.load_share", "too-small"),
    ("[compare]\nload_share = 60", "2:1: compare.load_share", "malformed"),
    ("[compare]\nrate = -1", "2:1: compare.rate", "too-small"),
    ("[compare]\nslice = 0", "2:1: compare.slice", "too-small"),
    ("[gate]\ncpu = 1", "2:1: gate.cpu", "unknown"),
    ("[smoke]\nhit_rate = true", "2:1: smoke.hit_rate", "malformed"),
    ("[smoke]\nrequests = 0", "2:1: smoke.requests", "too-small"),
    ("[smoke]\ntimeouts = -1", "2:1: smoke.timeouts", "too-small"),
    ("[smoke]\np999 = 0", "2:1: smoke.p999", "too-small"),
    ("[smoke]\nlog = 1", "2:1: smoke.log", "wrong-type"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "place_and_key", "code"), WRONG)
def test_what_nobody_can_be_judged_by_is_named_with_its_place_and_what_would_be_right(
    tmp_path: Path, text: str, place_and_key: str, code: str
) -> None:
    assert found(tmp_path, text) == [(place_and_key, code)]


changes = st.floats(1e-12, MAX_CHANGE)


@given(changes)
def test_a_change_is_read_back_as_the_same_number(change: float) -> None:
    assert parse_change(format_change(change)) == change
    assert parse_rise(format_rise(change)) == change
    if change < 1:
        assert parse_fall(format_fall(change)) == change


def test_no_change_is_written_as_false_and_read_back() -> None:
    for parse, write in ((parse_change, format_change), (parse_fall, format_fall), (parse_rise, format_rise)):
        assert write(None) is False
        assert parse(False) is None


@pytest.mark.parametrize(("written", "change"), [(" + 10 % ", 0.1), ("+0.7%", 0.007), ("+1000%", 10)])
def test_a_percentage_may_have_blanks_and_a_fraction(written: str, change: float) -> None:
    assert parse_rise(written) == change


# ── Shown, and read again ───────────────────────────────────────────────────────────────────────────────────────────


def test_what_judges_survives_being_dumped_and_loaded(tmp_path: Path) -> None:
    config = load(
        None,
        ["smoke.hit_rate=false", "smoke.p999=1ms", "compare.rss=false", "compare.p99=0.07", "gate.throughput=-1%",
         "gate.p99=false", "gate.rss=+300%", "gate.rounds=8"],
    )  # fmt: skip
    path = tmp_path / "dumped.toml"
    path.write_text(dump(config))
    again = load(path)
    assert again == config
    assert smoke_limits(again) == smoke_limits(config)
    assert compare_settings(again) == compare_settings(config)
    assert gate_settings(again) == gate_settings(config)
    written = path.read_text()
    assert 'throughput = "-1%"' in written
    assert 'rss = "+300%"' in written


def test_tables_of_other_verbs_are_not_warned_of() -> None:
    assert load(None, ["smoke.log=false", "compare.p99=5%", "gate.p99=+5%", "gate.load_share=0.5"]).warnings == ()


@pytest.mark.parametrize("table", ["compare", "gate"])
def test_a_share_of_the_load_beside_a_rate_is_warned_of(table: str) -> None:
    [warning] = load(None, [f"{table}.rate=5000", f"{table}.load_share=0.5"]).warnings
    assert warning == f"--set: {table}.load_share: is not acted on: {table}.rate says what is offered"


def test_the_json_schema_agrees_with_what_loads() -> None:
    accepted = jsonschema.Draft202012Validator(json_schema())
    good: list[dict[str, object]] = [
        {"smoke": {"hit_rate": False}, "compare": {"p99": False}, "gate": {"p99": False}},
        {"smoke": {"hit_rate": "5%", "p999": "1ms", "log": False}, "compare": {"p99": "5%"}, "gate": {"p99": "+5%"}},
        {"smoke": {"hit_rate": 0.5}, "compare": {"p99": 0.5}, "gate": {"throughput": "- 5.5 %", "noise": "9%"}},
    ]
    bad: list[dict[str, object]] = [
        {"smoke": {"hit_rate": True}},
        {"smoke": {"requests": 0}},
        {"smoke": {"x": 0}},
        {"compare": {"p99": True}},
        {"compare": {"p99": "+5%"}},
        {"compare": {"p99": 5}},
        {"compare": {"rounds": 3}},
        {"gate": {"p99": "5%"}},
        {"gate": {"p99": "-5%"}},
        {"gate": {"p99": 0.05}},
        {"gate": {"throughput": "+5%"}},
        {"gate": {"rounds": 61}},
    ]
    for tree, is_good in [*((tree, True) for tree in good), *((tree, False) for tree in bad)]:
        assert accepted.is_valid(tree) is is_good, tree
        if is_good:
            load(None, flags=tree)
        else:
            with pytest.raises(ConfigError):
                load(None, flags=tree)
