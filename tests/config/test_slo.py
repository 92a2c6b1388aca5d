"""Objectives of a result, limits of the generator's verdict, and settings of the search, as configuration keys."""

import math
from pathlib import Path

import pytest
from config_problems import found
from hypothesis import given
from hypothesis import strategies as st

from loadgen.config import dump, judging, load, search_settings, wants_search
from loadgen.config.tables.share import format_tolerance, parse_share, parse_tolerance
from loadgen.errors import ConfigError
from loadgen.judge.verdict import VerdictLimits
from loadgen.slo import Objective, Unit
from loadgen.stats.search import Probe, Search, SearchSettings
from loadgen.stats.trial import Limit

MS = 10**6
S = 10**9


# ── [slo] ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_objectives_are_over_all_commands_first_and_in_one_order_of_metrics() -> None:
    asked = judging(
        load(
            None,
            ['slo.get={hit_rate_min="90%", p50="1ms"}', "slo.throughput_min=1000", "slo.hit_rate_min=0.5",
             "slo.timeouts=0", 'slo.errors="0.1%"', "slo.max=1s", "slo.p9999=9ms", "slo.p99=5ms", "slo.p90=3ms",
             "slo.p999=7ms", "slo.p95=4ms", "slo.p50=2ms", "slo.delete.errors=5", "slo.set.p99=6ms",
             "workload.commands.delete=1"],
        )
    )  # fmt: skip
    assert asked.slo == (
        Objective("p50", 2 * MS, Unit.NS),
        Objective("p90", 3 * MS, Unit.NS),
        Objective("p95", 4 * MS, Unit.NS),
        Objective("p99", 5 * MS, Unit.NS),
        Objective("p999", 7 * MS, Unit.NS),
        Objective("p9999", 9 * MS, Unit.NS),
        Objective("max", S, Unit.NS),
        Objective("errors", 0.001, Unit.SHARE),
        Objective("timeouts", 0, Unit.COUNT),
        Objective("hit_rate_min", 0.5, Unit.SHARE),
        Objective("throughput_min", 1000, Unit.PER_S),
        Objective("p50", MS, Unit.NS, "get"),
        Objective("hit_rate_min", 0.9, Unit.SHARE, "get"),
        Objective("p99", 6 * MS, Unit.NS, "set"),
        Objective("errors", 5, Unit.COUNT, "delete"),
    )


def test_without_slo_nothing_must_hold() -> None:
    assert judging(load(None)).slo == ()


@pytest.mark.parametrize(
    ("text", "place_and_key", "code"),
    [
        ("[slo]", "1:2: slo", "no-objective"),
        ("[slo.get]", "1:6: slo.get", "no-objective"),
        ("[slo]\np99 = 0", "2:1: slo.p99", "too-small"),
        ("[slo]\np98 = 1", "2:1: slo.p98", "unknown"),
        ("[slo]\nerrors = -1", "2:1: slo.errors", "malformed"),
        ("[slo]\nerrors = 1.0", "2:1: slo.errors", "malformed"),
        ('[slo]\ntimeouts = "100%"', "2:1: slo.timeouts", "malformed"),
        ('[slo]\ntimeouts = "5x"', "2:1: slo.timeouts", "malformed"),
        ("[slo]\ntimeouts = true", "2:1: slo.timeouts", "malformed"),
        ("[slo]\nhit_rate_min = 90", "2:1: slo.hit_rate_min", "malformed"),
        ("[slo.set]\nhit_rate_min = 0.9", "2:1: slo.set.hit_rate_min", "unknown"),
        ("[slo]\nthroughput_min = 0", "2:1: slo.throughput_min", "too-small"),
        ("[slo.delete]\np99 = 1", "1:6: slo.delete", "never-judged"),
        ("[slo]\nhit_rate_min = 1\n[workload.commands]\nget = 0", "2:1: slo.hit_rate_min", "never-judged"),
        ('[slo.get]\np99 = 1\n[target]\nprotocol = "ping"', "1:6: slo.get", "never-judged"),
        ('[slo]\nhit_rate_min = 1\n[target]\nprotocol = "ping"', "2:1: slo.hit_rate_min", "never-judged"),
        ("slo = 5", "1:1: slo", "wrong-type"),
    ],
)  # fmt: skip
def test_a_wrong_objective_is_named_with_its_place_and_what_would_be_right(
    tmp_path: Path, text: str, place_and_key: str, code: str
) -> None:
    assert found(tmp_path, text) == [(place_and_key, code)]


def test_objectives_and_shares_survive_being_dumped_and_loaded(tmp_path: Path) -> None:
    config = load(
        None,
        ["slo.errors=0.0", "slo.timeouts=1", "slo.hit_rate_min=1", "slo.set.p99=1ms", "slo.get.errors=0.0007",
         'verdict.lag_share="12.5%"', "verdict.pause=1s", "verdict.drift_p=1", "workload.saturation_search={}"],
    )  # fmt: skip
    path = tmp_path / "dumped.toml"
    path.write_text(dump(config))
    assert load(path) == config
    units = {(objective.command, objective.metric): objective.unit for objective in judging(load(path)).slo}
    assert units["", "errors"] is units["get", "errors"] is Unit.SHARE
    assert units["", "timeouts"] is Unit.COUNT


# ── Shares ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("written", "share"),
    [
        ("10%", 0.1),
        (" 0.1 % ", 0.001),
        ("0%", 0),
        ("100%", 1),
        ("100.0%", 1),
        ("7%", 0.07),
        (0.25, 0.25),
        (1, 1),
        (0, 0),
    ],
)
def test_a_share_is_a_fraction_or_a_percentage(written: object, share: float) -> None:
    assert parse_share(written) == share


@pytest.mark.parametrize(
    "written", ["", "%", "10", "0.1", "-1%", "101%", "100.1%", "1e1%", "10 per cent", "1,5%", 1.1, -0.1, True, None, [],
                float("nan"), float("inf")],
)  # fmt: skip
def test_what_is_no_share_is_refused_with_examples(written: object) -> None:
    with pytest.raises(ValueError, match=r'such as 0\.1, or a percentage, such as "10%"'):
        parse_share(written)


@given(st.integers(0, 2**53 - 1) | st.floats(0, 1, exclude_max=True))
def test_a_tolerance_is_read_back_as_the_same_kind_of_number(tolerance: int | float) -> None:
    again = parse_tolerance(format_tolerance(tolerance))
    assert again == tolerance
    assert type(again) is type(tolerance)


# ── [verdict] ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_generator_distrusts_itself_as_limits_says_unless_told_otherwise() -> None:
    assert judging(load(None)).limits == VerdictLimits()
    told = ["lag=1ms", 'lag_share="20%"', "shortfall=0.01", "cpu_share=0.8", "queue_share=0.02", "steal_share=0.03",
            "pause=20ms", 'ceiling_share="60%"', "drift_p=0.05"]  # fmt: skip
    assert judging(load(None, [f"verdict.{key}" for key in told])).limits == VerdictLimits(
        lag_ns=MS,
        lag_share=0.2,
        shortfall=0.01,
        cpu_share=0.8,
        queue_share=0.02,
        steal_share=0.03,
        pause_ns=20 * MS,
        ceiling_share=0.6,
        drift_p=0.05,
    )


@pytest.mark.parametrize(
    ("line", "place_and_key", "code"),
    [
        ("lag = -1", "2:1: verdict.lag", "malformed"),
        ("lag_share = 5", "2:1: verdict.lag_share", "malformed"),
        ('drift_p = "5"', "2:1: verdict.drift_p", "malformed"),
        ("pauses = 1", "2:1: verdict.pauses", "unknown"),
    ],
)
def test_a_wrong_limit_of_the_verdict_is_named_with_its_place(
    tmp_path: Path, line: str, place_and_key: str, code: str
) -> None:
    assert found(tmp_path, f"[verdict]\n{line}") == [(place_and_key, code)]


# ── The search ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_without_a_table_the_search_has_its_own_defaults_and_is_not_wanted() -> None:
    assert search_settings(load(None)) == SearchSettings()
    assert not wants_search(load(None))
    assert wants_search(load(None, ["workload.saturation_search={}"]))


def test_every_key_of_the_search_reaches_it() -> None:
    told = ["slo={p9999='9ms', p50='1ms', p90='2ms', p95='3ms', p99='4ms', p999='5ms'}", "start_rate=2", "max_rate=3",
            "step_multiplier=4", "sample_window=500ms", "drain_window=6s", "stop_after_failures=7",
            "min_throughput_ratio=0.8", "bisect_tolerance=0.9", "max_bisect_steps=10"]  # fmt: skip
    config = load(None, [f"workload.saturation_search.{key}" for key in told])
    limits = [(0.5, 1), (0.9, 2), (0.95, 3), (0.99, 4), (0.999, 5), (0.9999, 9)]
    assert search_settings(config) == SearchSettings(
        limits=tuple(Limit(quantile, limit * MS) for quantile, limit in limits),
        start_rate_per_s=2,
        step_multiplier=4,
        sample_window_s=0.5,
        drain_window_s=6,
        stop_after_failures=7,
        max_rate_per_s=3,
        min_throughput_ratio=0.8,
        bisect_tolerance=0.9,
        max_bisect_steps=10,
    )


def test_the_percentiles_of_slo_are_the_limits_where_the_search_has_none() -> None:
    slo = ["slo.p99=1ms", "slo.p50=2ms", "slo.max=9ms", "slo.errors=0", "slo.get.p999=3ms", "slo.set.p90=4ms"]
    assert search_settings(load(None, slo)).limits == (
        Limit(0.5, 2 * MS),
        Limit(0.99, MS),
        Limit(0.999, 3 * MS, "get"),
        Limit(0.9, 4 * MS, "set"),
    )
    own = load(None, [*slo, 'workload.saturation_search.slo={p95="5ms"}'])
    assert search_settings(own).limits == (Limit(0.95, 5 * MS),)


def test_without_percentiles_a_knee_is_searched() -> None:
    assert search_settings(load(None, ["slo.errors=0", "workload.saturation_search={}"])).limits == ()


@given(
    start=st.floats(1e-300, 1e9),
    most=st.floats(1e-300, 1e9),
    multiplier=st.floats(1, 1000, exclude_min=True),
    window_ns=st.integers(1, 10**18),
    ratio=st.floats(0, 1),
    count=st.integers(0, 100),
)
def test_whatever_loads_can_be_searched(
    start: float, most: float, multiplier: float, window_ns: int, ratio: float, count: int
) -> None:
    told = {"start_rate": start, "max_rate": most, "step_multiplier": multiplier, "sample_window": f"{window_ns}ns",
            "drain_window": f"{window_ns - 1}ns", "min_throughput_ratio": ratio, "bisect_tolerance": ratio,
            "max_bisect_steps": count, "stop_after_failures": count + 1, "slo.p50": "1ns"}  # fmt: skip
    flags: dict[str, object] = {f"workload.saturation_search.{key}": value for key, value in told.items()}
    if start > most:
        with pytest.raises(ConfigError, match="above max_rate"):
            load(None, flags=flags)
    else:
        asked = Search(search_settings(load(None, flags=flags))).next(None)
        assert isinstance(asked, Probe)
        assert 0 < asked.length_s < math.inf
