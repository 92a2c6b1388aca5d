"""The language of checks: texts, trees and answers. Python is the reference for the grammar and the arithmetic."""

from __future__ import annotations

import operator
import re
import statistics
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadgen.judge.expression.dimension import COUNT, NUMBER, PER, SHARE, SIZE, TIME, UNITS
from loadgen.judge.expression.evaluator import Answer, evaluate
from loadgen.judge.expression.functions import FUNCTIONS
from loadgen.judge.expression.lexer import LONGEST
from loadgen.judge.expression.mistake import Malformed
from loadgen.judge.expression.parser import DEEPEST, parse
from loadgen.judge.expression.syntax import (
    LEVELS,
    Call,
    Chain,
    Expression,
    Name,
    Negative,
    Not,
    Quantity,
    Selector,
    spelled,
    text,
)
from loadgen.judge.expression.types import mistakes
from loadgen.judge.expression.value import AtLeast, Between, Scalar, Series, Unknown
from loadgen.judge.expression.vocabulary import Axis, Known, Over, Vocabulary

COMPARES = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
MS = 1_000_000
S = 1_000_000_000

BY = ("command", "node")
VOCABULARY = Vocabulary(
    {
        "p99": Known(TIME, "", BY, over=Over.LEVEL),
        "errors": Known(COUNT, "", BY, over=Over.INTERVALS),
        "requests": Known(COUNT, "", BY, over=Over.INTERVALS),
        "wrong": Known(COUNT, ""),
        "hit_rate": Known(SHARE, ""),
        "size": Known(SIZE, ""),
        "fds": Known(COUNT, "", is_scalar=False, over=Over.LEVEL),
        "rss": Known(SIZE, "", is_scalar=False, over=Over.LEVEL),
        "opened": Known(COUNT, "", is_scalar=False, over=Over.TOTAL),
        **{letter: Known(NUMBER, "") for letter in "xyz"},
    },
    {"command": Axis(("get", "set")), "node": Axis(counted="node", most=3)},
)


@dataclass
class Measured:
    """An environment of what a test says; anything else is unknown."""

    values: Mapping[str, Scalar | int] = field(default_factory=dict)
    over_time: Mapping[str, Series] = field(default_factory=dict)

    def scalar(self, name: str, chosen: Mapping[str, str | int]) -> Scalar:
        key = " ".join([name, *map(str, chosen.values())])
        value = self.values.get(key, Unknown(f"{key} was not measured"))
        return Fraction(value) if isinstance(value, int) else value

    def series(self, name: str, chosen: Mapping[str, str | int]) -> Series | Unknown:
        return self.over_time.get(name, Unknown(f"{name} was not watched"))


def answer(
    check: str, values: Mapping[str, Scalar | int] | None = None, over_time: Mapping[str, Series] | None = None
) -> Answer:
    expression = parse(check)
    assert mistakes(expression, VOCABULARY) == []
    return evaluate(expression, VOCABULARY, Measured(values or {}, over_time or {}))


def wrong(check: str) -> list[str]:
    return [str(mistake) for mistake in mistakes(parse(check), VOCABULARY)]


def each_second(*values: float, counts: bool = False) -> Series:
    return Series(tuple((S * (second + 1), value) for second, value in enumerate(values)), 0 if counts else None)


# ── Texts and trees ───────────────────────────────────────────────────────────────────────────────────────────────────

WORDS = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True).filter(
    lambda word: word not in (*PER, "and", "or", "not")
)
DIGITS = st.from_regex(r"[0-9]{1,6}(\.[0-9]{1,6})?", fullmatch=True).map(spelled)
LEAVES: st.SearchStrategy[Expression] = st.one_of(
    st.builds(Quantity, DIGITS, st.sampled_from(["", *UNITS])),
    st.builds(
        Name, WORDS, st.lists(st.builds(Selector, WORDS, st.none() | st.integers(0, 999)), max_size=2).map(tuple)
    ),
)


PER_UNIT = st.builds(Quantity, st.just(""), st.sampled_from(PER))


def chains(inner: st.SearchStrategy[Expression], *levels: tuple[str, ...]) -> st.SearchStrategy[Expression]:
    """Chains of each row of operators, whose quotients may end in a unit alone."""

    def chain(first: Expression, others: list[tuple[str, Expression]]) -> Expression:
        return Chain((first, *(operand for _, operand in others)), tuple(sign for sign, _ in others))

    def pairs(level: tuple[str, ...]) -> st.SearchStrategy[tuple[str, Expression]]:
        joined = st.tuples(st.sampled_from(level), inner)
        return joined | st.tuples(st.just("/"), PER_UNIT) if "/" in level and len(levels) == len(LEVELS) else joined

    return st.one_of(*(st.builds(chain, inner, st.lists(pairs(level), min_size=1, max_size=3)) for level in levels))


EXPRESSIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        chains(inner, *LEVELS),
        st.builds(Negative, inner),
        st.builds(Not, inner),
        st.builds(Call, WORDS, st.lists(inner, max_size=2).map(tuple)),
    ),
    max_leaves=12,
)


@settings(max_examples=100)
@given(EXPRESSIONS)
def test_the_text_of_a_tree_is_read_back_as_the_tree(tree: Expression) -> None:
    assert parse(text(tree)) == tree


TOKENS = st.sampled_from(
    ["p99", "5ms", "5", "0.1 %", "min", "/min", "not ", " and ", " or ", "(", ")", "[", "]", "node 1", ",", "-", "+"]
) | st.sampled_from(["<", "<=", "==", "!=", "=", "!", "&", "µs", "%", "é", "\x00", ".", "1.", "9" * 50, "²", "٣"])


@settings(max_examples=100)
@given(st.text(max_size=60) | st.lists(TOKENS, max_size=30).map("".join))
def test_any_text_is_an_expression_or_malformed_at_a_position_in_it(source: str) -> None:
    tree: Expression | None
    where = -1
    try:
        tree = parse(source)
    except Malformed as error:
        where = error.mistake.at
        tree = None
    if tree is None:
        assert 0 <= where <= len(source)
        return
    assert parse(text(tree)) == tree
    # What can be read can be judged: by its mistakes, or by an answer.
    if not mistakes(tree, VOCABULARY):
        evaluate(tree, VOCABULARY, Measured())


@pytest.mark.parametrize("opening", ["(", "-", "not ", "min(", "x + (", "(-"])
def test_what_nests_too_deep_is_refused(opening: str) -> None:
    with pytest.raises(Malformed, match="nested more than"):
        parse(opening * (DEEPEST + 1) + "x")
    with pytest.raises(Malformed, match="longer than"):
        parse(opening * (LONGEST + 1))


def test_a_long_chain_does_not_nest() -> None:
    tree = parse(" and ".join(["x - y - z < 1"] * 100))
    assert isinstance(tree, Chain)
    assert len(tree.operands) == 100


@pytest.mark.parametrize("part", ["x + ", "(x) * ", "- 5ms < ", "min(x, y) and ", "x[node 1, get] / "])
def test_reading_takes_calls_in_proportion_to_the_length(part: str) -> None:
    """Twice the text takes twice the calls, which is counted in function calls and not in time."""

    def calls(times: int) -> int:
        count = 0

        def called(_: Any, event: str, __: Any) -> None:
            nonlocal count
            count += event == "call"

        before = sys.getprofile()
        sys.setprofile(called)
        try:
            parse(part * times + "x")
        finally:
            sys.setprofile(before)
        return count

    assert calls(80) <= 2.1 * calls(40)


# ── Python is the reference ───────────────────────────────────────────────────────────────────────────────────────────

CONSTANTS = st.builds(Quantity, DIGITS) | st.builds(Name, st.sampled_from("xyz"))


VALUES = st.recursive(CONSTANTS, lambda inner: chains(inner, *LEVELS[3:]) | st.builds(Negative, inner), max_leaves=6)
CONDITIONS = st.recursive(
    chains(VALUES, LEVELS[2]), lambda inner: chains(inner, *LEVELS[:2]) | st.builds(Not, inner), max_leaves=4
)


@settings(max_examples=50)
@given(CONDITIONS, st.tuples(*[st.integers(-9, 9)] * 3))
def test_an_answer_is_that_of_python(tree: Expression, numbers: tuple[int, int, int]) -> None:
    """The same text in Python, with fractions, has the same value. Division by 0 is known only where it is reached."""
    values = dict(zip("xyz", map(Fraction, numbers), strict=True))
    python = re.sub(r"[0-9]+(\.[0-9]+)?", lambda number: f"Fraction('{number[0]}')", text(tree))
    found = evaluate(parse(text(tree)), VOCABULARY, Measured(values))
    try:
        expected = eval(python, {"Fraction": Fraction, **values})
    except ZeroDivisionError:
        return  # Python stops at the first; here another part may decide.
    assert found.passed in (expected, None)
    if found.passed is None:
        assert "is 0, and is divided by" in found.found


@given(st.lists(st.integers(-1000, 1000), min_size=2, max_size=30), st.integers(0, 100))
def test_functions_of_a_series_are_those_of_the_statistics_module(values: list[int], share: int) -> None:
    series = each_second(*values)
    compute = {name: function.compute for name, function in FUNCTIONS.items()}
    assert compute["mean"](series) == pytest.approx(statistics.fmean(values))
    assert compute["median"](series) == statistics.median(values)
    assert (compute["min"](series), compute["max"](series)) == (min(values), max(values))
    assert compute["spread"](series) == max(values) - min(values)
    assert (compute["first"](series), compute["last"](series)) == (values[0], values[-1])
    assert compute["delta"](series) == values[-1] - values[0]
    assert compute["count"](series) == len(values)
    quantile = compute["quantile"](series, Fraction(share, 100))
    assert quantile in values
    assert sum(value <= float(str(quantile)) for value in values) * 100 >= share * len(values)
    if statistics.fmean(values):
        cv = statistics.stdev(values) / abs(statistics.fmean(values))
        assert compute["cv"](series) == pytest.approx(cv)
    if len(values) >= 3:
        slope = statistics.linear_regression([at for at, _ in series.points], values).slope
        assert compute["growth"](series) == pytest.approx(slope, abs=1e-15)


# ── Units ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("check", "passed"),
    [
        ("p99 < 5ms", True),
        ("p99 < 4.2 ms", False),
        ("p99 <= 4200us", True),
        ("p99 == 4200 µs", True),
        ("1ms < p99 < 5ms", True),
        ("1ms < p99 < 2ms", False),
        ("p99 < 1ms or errors == 12", True),
        ("not p99 < 1ms and errors < 13", True),
        ("errors / requests < 0.1 %", False),
        ("errors / requests <= 0.12%", True),
        ("errors / requests == 12 / 10k", True),
        ("errors < 0.002 * requests", True),
        ("size == 1MB", True),
        ("size < 1 MiB", True),
        ("requests / 10s == 1000/s", True),
        ("requests / 10s == 60k/min", True),
        ("-p99 < 0", True),
        ("count(wrong) == 0", True),
        ("errors[node 2] == 0", True),
        ("p99[get, node 1] < 5ms", True),
        ("0.1 + 0.2 == 0.3 and wrong == 0", True),
    ],
)
def test_units_are_those_of_configurations(check: str, passed: bool) -> None:
    values: dict[str, Scalar | int] = {
        "p99": 4_200_000,
        "errors": 12,
        "requests": 10_000,
        "wrong": 0,
        "size": 1_000_000,
    }
    assert answer(check, values | {"errors 2": 0, "p99 get 1": MS}).passed is passed


@pytest.mark.parametrize(
    ("check", "passed", "found"),
    [
        ("growth(fds) < 5/min", False, "growth(fds) = 360/min"),
        ("growth(fds) <= 6/s", True, "growth(fds) = 6/s"),
        ("growth(rss) < 10 KB/s", True, "growth(rss) = 1 KB/s"),
        ("growth(rss, requests) <= 10MB / 1M", True, "growth(rss, requests) = 10 B"),
        ("rate(requests) == 100/s", True, "rate(requests) = 100/s"),
        ("rate(opened) == 2/s", True, "rate(opened) = 2/s"),
        ("cv(requests) < 1 %", True, "cv(requests) = 0 %"),
        ("delta(rss) / first(rss) >= -20 %", True, "delta(rss) / first(rss) = 80 %"),
        ("max(rss) - first(rss) <= 4KB", True, "max(rss) - first(rss) = 4 KB"),
        ("count(fds) == 5", True, "count(fds) = 5"),
        ("quantile(fds, 50 %) < 22", False, "quantile(fds, 50 %) = 22"),
        ("quantile(p99, 0.9) == 10.2 ns", True, "quantile(p99, 0.9) = 10 ns"),
    ],
)
def test_series_have_functions(check: str, passed: bool, found: str) -> None:
    over_time = {
        "fds": each_second(10, 16, 22, 28, 34),
        "p99": each_second(9.1, 10.2),
        "rss": each_second(5000, 6000, 7000, 8000, 9000),
        "requests": each_second(100, 100, 100, 100, 100, counts=True),
        "opened": each_second(2, 4, 1, 4, 6),
    }
    assert answer(check, over_time=over_time) == Answer(passed, found)


def test_a_total_that_falls_has_begun_anew() -> None:
    """2, 4, 1, 4, 6: two more, then one of a new counter, then three and two more, in four seconds."""
    assert FUNCTIONS["rate"].compute(each_second(2, 4, 1, 4, 6)) == Fraction(8, 4 * S)


# ── What cannot be told ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("check", "reason"),
    [
        ("hit_rate > 90 %", "hit_rate was not measured"),
        ("errors / requests < 1 %", "requests is 0, and is divided by"),
        ("growth(fds) < 5/min", "the series fds has 2 points, and growth needs 3"),
        ("cv(requests) < 1", "the mean is 0, in cv(requests)"),
        ("max(rss) < 1GB", "rss was not watched"),
        ("p99 + 1ms < 5ms", "the true value of p99 may be greater"),
    ],
)
def test_what_cannot_be_told_has_a_reason(check: str, reason: str) -> None:
    over_time = {"fds": each_second(1, 2), "requests": each_second(0, 0, counts=True)}
    found = answer(check, {"errors": 0, "requests": 0, "p99": AtLeast(Fraction(MS))}, over_time)
    assert found.passed is None
    assert found.found.startswith(f"cannot tell: {reason}")


@pytest.mark.parametrize(
    ("check", "passed"),
    [
        ("hit_rate > 1 and x == 1", False),
        ("x == 1 and hit_rate > 1", False),
        ("hit_rate > 1 and x == 2", None),
        ("hit_rate > 1 or x == 2", True),
        ("hit_rate > 1 or x == 1", None),
        ("not hit_rate > 1", None),
        ("1 < x < hit_rate", None),
        ("3 < x < hit_rate", False),
    ],
)
def test_a_condition_is_decided_by_the_parts_that_are_known(check: str, passed: bool | None) -> None:
    assert answer(check, {"x": 2}).passed is passed


@pytest.mark.parametrize(
    ("check", "passed"),
    [
        ("p99 < 5ms", None),
        ("p99 <= 3ms", None),
        ("p99 < 3ms", False),
        ("p99 < 2ms", False),
        ("p99 > 2ms", True),
        ("p99 >= 3ms", True),
        ("p99 > 3ms", None),
        ("p99 == 2ms", False),
        ("p99 != 2ms", True),
        ("p99 == 5ms", None),
        ("2ms < p99", True),
        ("5ms > p99", None),
        ("p99[get] < 10h", False),
        ("p99[get] > 10h", True),
        ("p99 < p99[get]", None),
    ],
)
def test_a_lower_bound_answers_what_it_decides(check: str, passed: bool | None) -> None:
    bounds: dict[str, Scalar | int] = {"p99": AtLeast(Fraction(3 * MS)), "p99 get": AtLeast(None)}
    assert answer(check, bounds).passed is passed


# ── Intervals ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("check", "passed"),
    [
        ("x < 5", True),
        ("x < 4", None),
        ("x <= 4", True),
        ("x < 3", None),
        ("x < 2", False),
        ("x <= 2", None),
        ("x > 1", True),
        ("x > 2", None),
        ("x >= 2", True),
        ("x > 4", False),
        ("x == 3", None),
        ("x != 3", None),
        ("x == 5", False),
        ("x != 5", True),
        ("1 < x < 5", True),
        ("5 > x", True),
        ("4 < x", False),
        ("x < y", True),
        ("y < x", False),
        ("y <= x", False),
        ("x == y", False),
        ("x < z", None),
        ("not x < 3", None),
        ("x < 3 or x > 0", True),
        ("x - 5 < 0", True),
        ("-x < -1", True),
        ("-x > -5", True),
        ("x * -2 < -3", True),
        ("(x - 3) * (x - 3) <= 1", True),
        ("(x - 3) * (x - 3) >= -1", True),
        ("12 / x >= 3", True),
        ("12 / x < 6", None),
        ("x / (x - 3) < 1k", None),
        ("x / 2 <= 2", True),
        ("p99 > 4 * 1ms", None),
        ("p99 / x < 5ms", None),
    ],
)
def test_an_interval_answers_what_all_of_it_does(check: str, passed: bool | None) -> None:
    """From Python's reading of each: x is 2 to 4, y 5 to 6, z 3 to 9."""
    values = {"x": Between(Fraction(2), Fraction(4), "of x"), "y": Between(Fraction(5), Fraction(6), "of y")}
    wide = {"z": Between(Fraction(3), Fraction(9), "of z"), "p99": AtLeast(Fraction(3 * MS))}
    assert answer(check, {**values, **wide}).passed is passed


INTERVALS = st.tuples(st.integers(-6, 6), st.integers(0, 6)).map(lambda both: (both[0], both[0] + both[1]))


@given(INTERVALS, INTERVALS, st.sampled_from(["+", "-", "*", "/"]), st.sampled_from(LEVELS[2]), st.integers(-20, 20))
def test_an_answer_of_intervals_is_that_of_every_value_in_them(
    x: tuple[int, int], y: tuple[int, int], sign: str, compares: str, limit: int
) -> None:
    found = answer(
        f"x {sign} y {compares} {'-' * (limit < 0)}{abs(limit)}",
        {"x": Between(Fraction(x[0]), Fraction(x[1]), ""), "y": Between(Fraction(y[0]), Fraction(y[1]), "")},
    )
    inside = [(Fraction(a), Fraction(b)) for a in range(x[0], x[1] + 1) for b in range(y[0], y[1] + 1)]
    if sign == "/" and y[0] <= 0 <= y[1]:
        assert found.passed is None
        return
    python = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}[sign]
    truths = {COMPARES[compares](python(a, b), limit) for a, b in inside}
    if found.passed is not None:
        assert truths == {found.passed}


def test_an_interval_of_one_value_is_that_value() -> None:
    same = Between(Fraction(3), Fraction(3), "")
    assert [answer(check, {"x": same}).passed for check in ("x == 3", "x != 3", "x < 3", "1 / x < 1")] == [
        True,
        False,
        False,
        True,
    ]


@dataclass
class Estimated(Measured):
    """An environment that estimates growth."""

    estimates: Mapping[tuple[str, ...], Scalar] = field(default_factory=dict)

    def growth(
        self, name: str, chosen: Mapping[str, str | int], by: tuple[str, Mapping[str, str | int]] | None
    ) -> Scalar:
        return self.estimates[(name, *([by[0], *map(str, by[1].values())] if by else []), *map(str, chosen.values()))]


def estimated(check: str, *key: str, low: float, high: float) -> Answer:
    expression = parse(check)
    assert mistakes(expression, VOCABULARY) == []
    estimate = Between(Fraction(low), Fraction(high), "300 samples, which count as 12 independent ones")
    return evaluate(expression, VOCABULARY, Estimated(estimates={key: estimate}))


@pytest.mark.parametrize(
    ("check", "key", "low", "high", "passed", "found"),
    [
        ("growth(fds) < 5/min", ("fds",), 3.9 / 60e9, 4.2 / 60e9, True, "growth(fds) = 3.9 to 4.2/min"),
        ("growth(fds) < 2/min", ("fds",), 3.9 / 60e9, 4.2 / 60e9, False, "growth(fds) = 3.9 to 4.2/min"),
        (
            "growth(fds) < 4/min",
            ("fds",),
            3.9 / 60e9,
            4.2 / 60e9,
            None,
            "cannot tell: the interval reaches to both sides of the limit: 300 samples, which count as 12 independent "
            "ones; growth(fds) = 3.9 to 4.2/min",
        ),
        ("growth(rss) < 1MB/h", ("rss",), -1e-8, 2e-8, True, "growth(rss) = -36 to 72 KB/h"),
        ("growth(rss) < 1MB/h", ("rss",), 1e-8, 1e-8, True, "growth(rss) = 36 KB/h"),
        (
            "growth(rss, requests[get]) < 1KB",
            ("rss", "requests", "get"),
            2,
            3,
            True,
            "growth(rss, requests[get]) = 2 to 3 B",
        ),
        ("growth(p99[node 2]) < 1", ("p99", "2"), 0.25, 0.5, True, "growth(p99[node 2]) = 0.25 to 0.5"),
    ],
)
def test_an_environment_estimates_growth_itself(
    check: str, key: tuple[str, ...], low: float, high: float, passed: bool | None, found: str
) -> None:
    assert estimated(check, *key, low=low, high=high) == Answer(passed, found)


def test_growth_that_is_not_known_says_why() -> None:
    environment = Estimated(estimates={("fds",): Unknown("20 samples, and growth needs 180")})
    found = evaluate(parse("growth(fds) < 5/min"), VOCABULARY, environment)
    assert found == Answer(None, "cannot tell: 20 samples, and growth needs 180, in growth(fds)")


# ── What is wrong ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("check", "said"),
    [
        ("", "column 1: the expression is empty; write one such as p99 < 5ms"),
        ("p99 <", "column 6: the end where a name, a number or an expression in parentheses is expected"),
        ("p99 = 5ms", 'column 5: "=" has no meaning here; write "==" for equal'),
        ("p99 < 5ms && x", 'column 11: "&" has no meaning here; write "and"'),
        ("p99 ≤ 5ms", 'column 5: "≤" has no meaning here; write "<="'),
        ("p99 < 5parsec", 'column 8: "parsec" is no unit of 5; did you mean sec?'),
        ("p99 < 5 MS", 'column 9: "MS" is no unit of 5; did you mean ms?'),
        ("(p99 < 5ms", 'column 11: the end where ")" is expected, for "(" in column 1'),
        ("p99 < 5ms)", 'column 10: ")" closes nothing'),
        ("p99 5ms", 'column 5: "5" where an operator is expected'),
        ("p99[", "column 5: the end where a selector is expected"),
        ("p99[node 1.5] < 5ms", "column 10: 1.5 is no whole number of at most 9 digits"),
        ("max(rss fds) < 1", 'column 9: "fds" where ")" is expected, for "(" in column 4'),
        ("and < 5", 'column 1: "and" where a name'),
        ("x < 1e6", 'column 6: "e6" is no unit of 1'),
        ("x < " + "1" * 41, "column 5: the number is longer than 40 characters"),
    ],
)
def test_a_text_that_is_no_expression_is_refused_at_its_column(check: str, said: str) -> None:
    with pytest.raises(Malformed) as error:
        parse(check)
    assert str(error.value).startswith(said)


@pytest.mark.parametrize(
    ("check", "said"),
    [
        ("p98 < 5ms", ["column 1: there is no p98 here; did you mean p99?"]),
        ("P99 < 5ms", ["column 1: there is no P99 here; did you mean p99?"]),
        ("max < 5", ["column 1: there is no max here; max is a function"]),
        ("growht(fds) < 5/min", ["column 1: there is no function growht; did you mean growth?"]),
        ("p99 < 5", ["column 7: p99 is a time, and 5 is a number: they cannot be compared; write it with a unit, "
                     "such as 5ms"]),
        ("p99 < 5MB", ["column 7: p99 is a time, and 5MB is a size: they cannot be compared"]),
        ("errors < 1 %", ["column 10: errors is a count, and 1 % is a share: they cannot be compared; divide the "
                          "count by what it is a share of, such as errors / requests"]),
        ("growth(fds) < 5", ["column 15: growth(fds) is a rate, and 5 is a number: they cannot be compared; write it "
                             "with a unit, such as 5/s"]),
        ("p99 + errors < 5ms", ["column 7: p99 is a time, and errors is a count: they cannot be added"]),
        ("rss < 1GB", ["column 1: rss is a series; write a value of it, such as max(rss) or last(rss)"]),
        ("max(wrong) == 0", ["column 5: wrong has no series; those with such a series are p99, errors"]),
        ("rate(rss) < 1/s", ["column 6: rss is a level, and a count over time is needed here; those with such a "
                             "series are errors, requests, opened"]),
        ("growth(rss, fds) < 1", ["column 13: fds is a level, and a count over time is needed here"]),
        ("max(5ms) < 1", ["column 5: max takes the name of a series, such as max(p99), and no value"]),
        ("max(p99, x) < 1", ["column 1: max takes one series"]),
        ("quantile(p99) < 1", ["column 1: quantile takes a series and a share, such as 90 %"]),
        ("quantile(p99, 5) < 1ms", ["column 15: quantile takes a share from 0 to 1, such as 90 %, not 5"]),
        ("p99", ["column 1: p99 is no condition; compare it with a limit, such as p99 < 5ms"]),
        ("p99 and x == 1", ["column 1: p99 is a value, and no condition; compare it with a limit"]),
        ("(x < 1) + 1 < 2", ["column 2: x < 1 is a condition, and no value to compute with"]),
        ("1 < 2", ["column 1: names nothing that is measured, so that its answer would always be the same"]),
        ("p99[del] < 1ms", ['column 5: p99 has no selector "del"; the selectors are get, set, node']),
        ("p99[gte] < 1ms", ['column 5: p99 has no selector "gte"; did you mean get?']),
        ("p99[node 4] < 1ms", ["column 5: there is no node 4; they are 1 to 3"]),
        ("p99[node] < 1ms", ['column 5: "node" needs a number, such as "node 1"']),
        ("p99[get 1] < 1ms", ['column 5: "get" takes no number']),
        ("p99[get, set] < 1ms", ["column 10: p99 has two selectors of a command; keep one of them"]),
        ("wrong[get] == 0", ['column 7: wrong has no selector "get"; there are no selectors here']),
        ("p98 < 5 and errors < 1 % or max(size) > q", [
            "column 1: there is no p98 here; did you mean p99?",
            "column 22: errors is a count",
            "column 33: size has no series",
            "column 41: there is no q here",
        ]),
    ],
)  # fmt: skip
def test_everything_that_is_wrong_is_said_at_its_column(check: str, said: list[str]) -> None:
    found = wrong(check)
    assert len(found) == len(said), found
    for sentence, beginning in zip(found, said, strict=True):
        assert sentence.startswith(beginning)


def test_zero_needs_no_unit() -> None:
    assert wrong("p99 > 0 and growth(fds) <= 0 and 0 < last(rss)") == []
