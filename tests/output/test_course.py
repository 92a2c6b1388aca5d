"""Pictures of a series over time: nothing of a long series is lost, and what it is judged by is where it belongs."""

from __future__ import annotations

import random
from xml.etree import ElementTree

import pytest

from loadgen.judge.expression.dimension import COUNT, PER_TIME, SHARE, SIZE, TIME
from loadgen.output.pictures.axis import Axis, spelled
from loadgen.output.pictures.course import COLUMNS, Course, Limit, gathered, svg

SVG = "{http://www.w3.org/2000/svg}"


def drawn(course: Course) -> ElementTree.Element:
    return ElementTree.fromstring(svg(course))


def course(points: list[tuple[float, float | None]], **more: object) -> Course:
    return Course("fds of proxy", "about", COUNT, points, **{"end_s": 60.0, **more})  # type: ignore[arg-type]


def lines(root: ElementTree.Element, kind: str) -> list[dict[str, float]]:
    """The lines of a class in the curve's room, without that of the legend."""
    group = root.find(f"{SVG}g")
    assert group is not None
    found = [each for each in group.iter(f"{SVG}line") if each.get("class") == kind]
    return [{name: float(each.attrib[name]) for name in ("x1", "x2", "y1", "y2")} for each in found]


def test_a_day_of_samples_keeps_its_extremes_and_has_no_more_points_than_columns() -> None:
    rng = random.Random(5)
    points = [(float(t), rng.gauss(0, 1)) for t in range(86_400)]
    points[40_000] = (40_000.0, 50.0)
    (run,) = gathered(points, 0.0, 86_400.0, COLUMNS)
    assert len(run) <= 2 * COLUMNS
    assert max(value for _, value in run) == 50.0
    assert min(value for _, value in run) == min(value for _, value in points)
    assert run == sorted(run), "in the order of time"
    assert set(run) <= set(points)


def test_a_time_without_a_value_breaks_the_curve() -> None:
    points = [(0.0, 1.0), (1.0, 2.0), (2.0, None), (3.0, float("nan")), (4.0, 3.0)]
    assert gathered(points, 0.0, 10.0, 1000) == [[(0.0, 1.0), (1.0, 2.0)], [(4.0, 3.0)]]
    assert gathered([(0.0, None)], 0.0, 10.0, 1000) == []
    paths = list(drawn(course(points)).iter(f"{SVG}path"))
    assert len(paths) == 2


def test_a_limit_of_growth_rises_from_the_baseline() -> None:
    points: list[tuple[float, float | None]] = [(float(t), 10.0 + t) for t in range(61)]
    root = drawn(course(points, baseline=10.0, limits=[Limit("red", "red > 60/min", 10.0, 1.0)]))
    (limit,) = lines(root, "red-line")
    (path,) = root.iter(f"{SVG}path")
    first, last = path.attrib["d"].removeprefix("M").split("L")[0], path.attrib["d"].split("L")[-1]
    assert [limit["x1"], limit["y1"]] == pytest.approx([float(number) for number in first.split()], abs=0.02)
    assert [limit["x2"], limit["y2"]] == pytest.approx([float(number) for number in last.split()], abs=0.02)
    (baseline,) = (each for each in lines(root, "rule") if each["y1"] == each["y2"])
    assert baseline["y1"] == pytest.approx(limit["y1"])


def test_a_steep_limit_does_not_squeeze_the_curve() -> None:
    points: list[tuple[float, float | None]] = [(float(t), 1000.0 + t) for t in range(61)]
    alone = svg(course(points, baseline=1000.0))
    steep = svg(course(points, baseline=1000.0, limits=[Limit("red", "red", 1000.0, 1e6)]))
    assert [line for line in alone.splitlines() if "<path" in line] == [
        line for line in steep.splitlines() if "<path" in line
    ]


def test_checkpoints_pauses_and_restarts_are_drawn_and_words_from_outside_stay_words() -> None:
    root = drawn(
        Course(
            "fds of <evil>",
            "\x1b[2J",
            COUNT,
            [(-5.0, 3.0), (60.0, 4.0)],
            60.0,
            baseline=3.0,
            checkpoints=[(30.0, 3.0), (60.0, 4.0)],
            pauses=[(10.0, 20.0)],
            restarts=[40.0],
        )
    )
    dots = [each.find(f"{SVG}title") for each in root.iter(f"{SVG}circle")]
    assert [title.text for title in dots if title is not None] == ["30 s: 3", "1 min: 4"]
    assert len(lines(root, "restart-line")) == 1
    # Settling and the pause.
    assert sum(each.get("fill-opacity") == "0.07" for each in root.iter(f"{SVG}rect")) == 2
    said = [each.text for each in root.iter(f"{SVG}text")]
    assert said[:2] == ["fds of <evil>", r"\x1b[2J"]
    assert {"restart", "checkpoints", "baseline 3"} <= set(said)


def test_a_series_without_a_value_says_so() -> None:
    assert "it has no value" in svg(course([(1.0, None)]))


@pytest.mark.parametrize(
    ("low", "high", "dimension", "words"),
    [
        (0, 10, COUNT, ["0", "2", "4", "6", "8", "10"]),
        (12_300_000, 12_304_000, SIZE, ["12.300 MB", "12.301 MB", "12.302 MB", "12.303 MB", "12.304 MB"]),
        (0, 3e6, TIME, ["0.0", "0.5 ms", "1.0 ms", "1.5 ms", "2.0 ms", "2.5 ms", "3.0 ms"]),
        (0.5, 1.0, SHARE, ["50 %", "60 %", "70 %", "80 %", "90 %", "100 %"]),
        (0, 2.5e-6, PER_TIME, ["0.0", "0.5K/s", "1.0K/s", "1.5K/s", "2.0K/s", "2.5K/s"]),
    ],
)
def test_ticks_are_round_and_told_apart(low: float, high: float, dimension: object, words: list[str]) -> None:
    assert Axis.over(low, high, 6).words(dimension) == words  # type: ignore[arg-type]


@pytest.mark.parametrize("low", [-3e12, 0.0, 5.0, 1e-9, 7e300])
def test_an_axis_of_one_value_has_room_and_ticks(low: float) -> None:
    axis = Axis.over(low, low, 6)
    assert axis.low < low < axis.high
    assert 2 <= len(axis.ticks) <= 8


@pytest.mark.parametrize(
    ("value", "dimension", "words"),
    [(22, COUNT, "22"), (12_345, COUNT, "12.3K"), (0.5, COUNT, "0.5"), (1.5e6, SIZE, "1.5 MB"), (0, SIZE, "0 B")],
)
def test_a_value_is_spelled_with_three_digits(value: float, dimension: object, words: str) -> None:
    assert spelled(value, dimension) == words  # type: ignore[arg-type]
