"""[[workload.phase]]: the keys it takes, and the profile it gives: its length and its number of requests."""

import math
from pathlib import Path

import pytest
from config_problems import found, problems
from hypothesis import given
from hypothesis import strategies as st

from loadgen.config import Config, dump, load, resolve
from loadgen.errors import ConfigError
from loadgen.plan import Plan, Segment

S = 10**9
MS = 10**6


def planned(*phases: dict[str, object]) -> Plan:
    return resolve(load(None, flags={"workload.phase": list(phases)}))


def segments(**phase: object) -> tuple[Segment, ...]:
    return planned({"for" if key == "lasts" else key: value for key, value in phase.items()}).load.profile


# ── What each shape comes to ────────────────────────────────────────────────────────────────────────────────────────


def test_a_constant_phase_is_one_flat_segment_and_the_shape_unless_said() -> None:
    assert segments(lasts="10s", rate=5) == (Segment(10 * S, 5, 5),)
    assert segments(lasts="10s", rate=5.5, shape="constant") == (Segment(10 * S, 5.5, 5.5),)


def test_a_ramp_is_one_sloping_segment_up_or_down() -> None:
    assert segments(lasts="10s", rate=[0, 100], shape="ramp") == (Segment(10 * S, 0, 100),)
    assert segments(lasts="10s", rate=[100, 0], shape="ramp") == (Segment(10 * S, 100, 0),)


def test_steps_are_equal_stairs_of_which_both_rates_are_one() -> None:
    assert segments(lasts="10s", rate=[1, 5], shape="step") == (Segment(5 * S, 1, 1), Segment(5 * S, 5, 5))
    stairs = segments(lasts=10, rate=[5, 1], shape="step", steps=3)
    assert [(stair.from_per_s, stair.to_per_s) for stair in stairs] == [(5, 5), (3, 3), (1, 1)]
    assert [stair.length_ns for stair in stairs] == [3_333_333_333, 3_333_333_333, 3_333_333_334]
    assert segments(lasts=10, rate=[1e6, 0.1], shape="step")[-1].to_per_s == 0.1


def test_bursts_stand_at_the_end_of_each_period_and_the_last_period_is_cut_off() -> None:
    assert segments(lasts="2500ms", rate=[10, 50], shape="burst", width="200ms") == (
        Segment(800 * MS, 10, 10), Segment(200 * MS, 50, 50),
        Segment(800 * MS, 10, 10), Segment(200 * MS, 50, 50),
        Segment(500 * MS, 10, 10),
    )  # fmt: skip
    cut_in_the_burst = segments(lasts="95ms", rate=[0, 50], shape="burst", period="50ms", width="10ms")
    assert [segment.length_ns // MS for segment in cut_in_the_burst] == [40, 10, 40, 5]


def test_a_burst_lasts_a_tenth_of_a_period_of_a_second_unless_said() -> None:
    assert segments(lasts=1, rate=[1, 2], shape="burst") == (Segment(900 * MS, 1, 1), Segment(100 * MS, 2, 2))
    assert segments(lasts=5, rate=[1, 2], shape="burst", period=5)[1].length_ns == 500 * MS


def test_a_sine_is_one_segment_with_its_period_or_else_swings_once() -> None:
    assert segments(lasts=10, rate=[1, 5], shape="sine", period="3s") == (Segment(10 * S, 1, 5, 3 * S),)
    assert segments(lasts=10, rate=[1, 5], shape="sine") == (Segment(10 * S, 1, 5, 10 * S),)
    assert segments(lasts=10, rate=[1, 5], shape="sine", period=20) == (Segment(10 * S, 1, 5, 20 * S),)


def test_phases_are_chained_and_say_how_long_is_measured() -> None:
    plan = planned({"for": "1s", "rate": 5}, {"for": "2s", "shape": "ramp", "rate": [5, 9]}, {"for": "3s", "rate": 0})
    assert plan.load.profile == (Segment(S, 5, 5), Segment(2 * S, 5, 9), Segment(3 * S, 0, 0))
    assert plan.load.duration_ns == 6 * S
    assert plan.load.arrival == "poisson"
    assert math.isclose(plan.load.rate_per_s, (5 + 14 + 0) / 6)


rates = st.floats(0, 1e6, allow_subnormal=False) | st.integers(0, 10**6)
lengths = st.integers(10 * MS, 100 * S)


@given(lengths, rates, rates, st.data())
def test_a_profile_lasts_as_long_and_offers_as_much_as_its_shape_says(
    lasts: int, first: float, last: float, data: st.DataObject
) -> None:
    shape = data.draw(st.sampled_from(["ramp", "step", "sine", "burst"]))
    phase: dict[str, object] = {"for": f"{lasts}ns", "shape": shape, "rate": [first, last]}
    mean = (first + last) / 2
    if shape == "step":
        phase["steps"] = data.draw(st.integers(2, 50))
    elif shape == "sine":
        whole = data.draw(st.integers(1, 50))
        lasts -= lasts % whole
        phase |= {"for": f"{lasts}ns", "period": f"{lasts // whole}ns"}
    elif shape == "burst":
        periods = data.draw(st.integers(1, 50))
        lasts -= lasts % periods
        period = lasts // periods
        width = data.draw(st.integers(1, period - 1))
        phase |= {"for": f"{lasts}ns", "period": f"{period}ns", "width": f"{width}ns"}
        mean = first + (last - first) * width / period
    # Another phase, as a silent one alone would be an error.
    *made, other = planned(phase, {"for": "1s", "rate": 1}).load.profile
    assert other == Segment(S, 1, 1)
    assert sum(segment.length_ns for segment in made) == lasts
    assert all(segment.length_ns > 0 for segment in made)
    # Stairs are equal to within a nanosecond each.
    slack = 1e-9 * abs(last - first) * len(made)
    assert sum(segment.requests for segment in made) == pytest.approx(mean * lasts / S, rel=1e-9, abs=1e-6 + slack)


# ── What is given beside them ───────────────────────────────────────────────────────────────────────────────────────


def test_a_rate_limit_alone_is_a_profile_of_one_segment_and_nothing_is_a_closed_loop() -> None:
    paced = resolve(load(None, ["workload.rate_limit=5", "general.duration=3s"]))
    assert (paced.load.profile, paced.load.arrival) == ((Segment(3 * S, 5, 5),), "poisson")
    assert resolve(load(None, ["workload.rate_limit=5", "workload.arrival=constant"])).load.arrival == "constant"
    closed = resolve(load(None, ["workload.arrival=poisson"]))
    assert (closed.load.profile, closed.load.arrival, closed.load.open_loop) == ((), "constant", False)


def test_a_search_sets_the_rate_and_draws_arrivals_as_a_schedule_does() -> None:
    phases = 'workload.phase=[{for="1s", rate=5}]'
    for given_in_vain in ("workload.rate_limit=5", phases, "workload.spin=false"):
        plan = resolve(load(None, ["workload.saturation_search={}", given_in_vain]))
        assert (plan.load.profile, plan.load.arrival) == ((), "poisson")


def test_a_duration_that_is_no_other_than_the_phases_is_no_matter() -> None:
    config = load(None, ['workload.phase=[{for="1500ms", rate=5}]', "general.duration=1.5"])
    assert config.warnings == ()
    assert config.general.duration == 1500 * MS


def test_phases_survive_being_dumped_and_loaded(tmp_path: Path) -> None:
    phases: list[dict[str, object]] = [
        {"for": "1s", "rate": 5.5},
        {"for": "2s", "shape": "ramp", "rate": [0, 9]},
        {"for": "3s", "shape": "step", "rate": [9, 1]},
        {"for": "4s", "shape": "sine", "rate": [1, 2]},
        {"for": "5s", "shape": "burst", "rate": [1, 2], "period": "2s"},
    ]
    config = load(None, flags={"workload.phase": phases, "general.threads": 1})
    again = reloaded(config, tmp_path)
    assert again == config
    assert again.warnings == ()
    assert dump(config).count("[[workload.phase]]") == 5
    assert (again.workload.phase[2].steps, again.workload.phase[3].period) == (2, 4 * S)
    assert again.workload.phase[4].width == 200 * MS


def reloaded(config: Config, tmp_path: Path) -> Config:
    path = tmp_path / "dumped.toml"
    path.write_text(dump(config))
    return load(path)


# ── What is wrong ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("body", "place_and_key", "code"),
    [
        ("rate = 5", "1:12: workload.phase[0].for", "missing"),
        ("for = '1s'", "1:12: workload.phase[0].rate", "missing"),
        ("for = 0\nrate = 5", "2:1: workload.phase[0].for", "too-small"),
        ("for = 1\nrate = -1", "3:1: workload.phase[0].rate", "malformed"),
        ("for = 1\nrate = nan", "3:1: workload.phase[0].rate", "malformed"),
        ("for = 1\nrate = 1e10", "3:1: workload.phase[0].rate", "malformed"),
        ("for = 1\nrate = true", "3:1: workload.phase[0].rate", "malformed"),
        ("for = 1\nrate = '5x'", "3:1: workload.phase[0].rate", "malformed"),
        ("for = 1\nshape = 'ramp'\nrate = [1, 2, 3]", "4:1: workload.phase[0].rate", "malformed"),
        ("for = 1\nshape = 'ramp'\nrate = [1, -2]", "4:1: workload.phase[0].rate", "malformed"),
        ("for = 1\nrate = [1, 2]", "3:1: workload.phase[0].rate", "rates-of-shape"),
        *(
            (
                f"for = 1\nshape = '{shape}'\nrate = 5",
                "4:1: workload.phase[0].rate",
                "rates-of-shape",
            )
            for shape in ("ramp", "step", "sine", "burst")
        ),
        ("for = 1\nshape = 'rmp'\nrate = [1, 2]", "3:1: workload.phase[0].shape", "no-choice"),
        ("for = 1\nshape = 'ramp'\nrate = [1, 2]\nperiod = '1s'", "5:1: workload.phase[0].period", "not-for-shape"),
        ("for = 1\nrate = 1\nsteps = 3", "4:1: workload.phase[0].steps", "not-for-shape"),
        ("for = 1\nshape = 'sine'\nrate = [1, 2]\nwidth = '1s'", "5:1: workload.phase[0].width", "not-for-shape"),
        ("for = 1\nshape = 'step'\nrate = [1, 2]\nsteps = 1", "5:1: workload.phase[0].steps", "too-small"),
        ("for = 5\nshape = 'burst'\nrate = [1, 2]\nwidth = '1s'", "5:1: workload.phase[0].width", "too-large"),
        ("for = 1\nshape = 'burst'\nrate = [1, 2]\nperiod = '1ns'", "1:12: workload.phase[0].width", "too-large"),
        ("for = '900ms'\nshape = 'burst'\nrate = [1, 2]", "1:12: workload.phase[0]", "no-burst"),
        ("for = 1\nrate = 1\nstep = 3", "4:1: workload.phase[0].step", "unknown"),
        ("for = 1\nrate = 1\nzzz = 3", "4:1: workload.phase[0].zzz", "unknown"),
        ("for = 1\nrate = 1\nprefill = true", "4:1: workload.phase[0].prefill", "unknown"),
        ("for = 1\nrate = 0", "1:12: workload.phase", "nothing-to-send"),
        ("for = '60y'\nrate = 1", "2:1: workload.phase[0].for", "malformed"),
        (
            f"for = '{60 * 365 * 24}h'\nrate = 1\n[[workload.phase]]\nfor = '{60 * 365 * 24}h'\nrate = 1",
            "1:12: workload.phase",
            "too-long",
        ),
        (
            "for = '1s'\nrate = 1\n[[workload.phase]]\nfor = '60s'\nshape = 'burst'\nrate = [1, 2]\nperiod = '1ms'",
            "4:12: workload.phase[1]",
            "many-segments",
        ),
        ("for = 1\nrate = 1\n[workload]\nrate_limit = 5", "5:1: workload.rate_limit", "two-rates"),
    ],
)
def test_a_wrong_phase_is_named_with_its_place_and_what_would_be_right(
    tmp_path: Path, body: str, place_and_key: str, code: str
) -> None:
    assert found(tmp_path, f"[[workload.phase]]\n{body}\n") == [(place_and_key, code)]


def test_each_of_several_phases_is_checked_and_named_by_its_place(tmp_path: Path) -> None:
    text = (
        "[[workload.phase]]\nfor = 1\nrate = -1\n[[workload.phase]]\nrate = 1\n[[workload.phase]]\nfor = 0\nrate = 1\n"
    )
    assert [problem.split(": ")[:2] for problem in problems(tmp_path, text)] == [
        ["bench.toml:3:1", "workload.phase[0].rate"],
        ["bench.toml:4:12", "workload.phase[1].for"],
        ["bench.toml:7:1", "workload.phase[2].for"],
    ]


@pytest.mark.parametrize("text", ["[workload.phase]\nfor = 1\nrate = 1", "[workload]\nphase = 5"])
def test_phases_that_are_no_list_are_shown_how_to_write(tmp_path: Path, text: str) -> None:
    [problem] = problems(tmp_path, text)
    assert problem.endswith("must be a list of tables; write [[workload.phase]] above the keys of each")


def test_a_phase_that_is_no_table_is_shown_how_to_write(tmp_path: Path) -> None:
    [problem] = problems(tmp_path, "[workload]\nphase = [5]")
    assert problem == (
        "bench.toml:2:10: workload.phase[0]: must be a table; write [[workload.phase]] and its keys below, not 5"
    )


def test_a_rate_by_a_flag_contradicts_the_phases_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "bench.toml"
    path.write_text("[[workload.phase]]\nfor = 1\nrate = 1\n")
    with pytest.raises(ConfigError, match=r"^--set: workload\.rate_limit: workload\.rate_limit and workload\.phase"):
        load(path, ["workload.rate_limit=5"])
    assert load(path, ["workload.rate_limit=5", "workload.phase=[]"]).workload.rate_limit == 5
