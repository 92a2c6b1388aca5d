"""What a comparison says in words, the same in every format for people. Pure functions to plain text.

A change is B / A - 1 and is shown in the metric's own direction: less throughput is "−5 %", more latency "+5 %".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from loadgen.comparison import METRICS, Candidate, Compared, Metric, NoiseFound, Round, Row, Verdict
from loadgen.errors import printable
from loadgen.output import figures
from loadgen.stats.sequential import Answer
from loadgen.units import format_duration

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

SHORT = {"throughput": "throughput", "server_cpu": "CPU/req", "rss": "memory", "p999": "p99.9"}
"""What a column is called; other metrics by their names."""

_LONGEST = 500
"""A note is a sentence of our own, whose words from outside have been cut already."""

_OPEN = "…"
"""The end of an interval that is not known from so few rounds."""


def letter(place: int) -> str:
    """What a candidate is called beside its name: A is the one that the others are held against."""
    return LETTERS[place] if place < len(LETTERS) else f"#{place + 1}"


def order(ended: Round) -> str:
    """The first slices of a round: "ABBA…", there and back once."""
    first = ended.order[: 2 * len(ended.values)]
    return "".join(map(letter, first)) + "…" * (len(ended.order) > len(first))


def candidate(one: Candidate) -> str:
    """Name, and what it calls itself: "redis (redis 7.0.15)"."""
    about = [one.identity, f"results of {one.taken}" if one.taken else "results" * (one.kind == "results")]
    said = ", ".join(printable(words) for words in about if words)
    return f"{printable(one.name)} ({said})" if said else printable(one.name)


def column(metric: str) -> str:
    return SHORT.get(metric, metric)


def label(metric: str) -> str:
    return METRICS[metric].label


def change(ended: Round, place: int, metric: str) -> float | None:
    """Of a candidate against the first, in this round alone; None where one of them does not have the metric."""
    a, b = ended.values[0].get(metric), ended.values[place].get(metric)
    return b / a - 1 if a and b is not None else None


def is_better(metric: Metric, part: float) -> bool:
    return part > 0 if metric.higher_is_better else part < 0


def band(row: Row, one_sided: bool) -> tuple[float, float]:
    """The changes that nobody minds, from and to: a threshold is a share of what is worse when there is more of it.

    That is 1 / 1.05 - 1 for a throughput with a threshold of 5 %. To a gate no change for the better is too large.
    """
    worse, better = math.log1p(row.threshold), -math.inf if one_sided else -math.log1p(row.threshold)
    edges = (-worse, -better) if METRICS[row.metric].higher_is_better else (better, worse)
    low, high = (math.expm1(edge) if math.isfinite(edge) else edge for edge in edges)
    return low, high


def threshold(row: Row) -> str:
    return f"{100 * row.threshold:.3g} %"


def interval(row: Row) -> str:
    """Such as "[−5.6, −4.7]", in percent; empty where there is nothing to estimate from."""
    if row.effect is None:
        return ""
    low, high = (_OPEN if end is None else figures.change(end, "") for end in (row.ci_low, row.ci_high))
    return f"[{low}, {high}]"


def effect(row: Row) -> str:
    """Such as "−5.1 % [−5.6, −4.7]"; empty where there is none."""
    return f"{figures.change(row.effect)} {interval(row)}" if row.effect is not None else ""


def a_and_b(row: Row) -> tuple[str, str]:
    """The medians of both."""
    unit = METRICS[row.metric].unit
    return figures.amount(row.a, unit), figures.amount(row.b, unit)


def answer(row: Row) -> str:
    """A word or two: "worse", "same", "can't tell"."""
    return "can't tell" if row.answer is Answer.UNCLEAR else str(row.answer)


def sentence(row: Row, one_sided: bool, b: str = "B") -> str:
    """The answer and what it rests on: "B is worse: throughput −5.1 % [−5.6, −4.7]"; `b` is what B is called."""
    match row.answer:
        case Answer.WORSE | Answer.BETTER:
            return f"{b} is {row.answer}: {label(row.metric)} {effect(row)}"
        case Answer.SAME:
            said = "not worse by" if one_sided else "the same within"
            return f"{label(row.metric)} is {said} {threshold(row)}: {effect(row)}"
        case _:
            told = f"{label(row.metric)} {effect(row)}".strip()
            return f"can't tell: {told}{_what_it_would_take(row)}"


def _what_it_would_take(row: Row) -> str:
    if row.why:
        return f"; {printable(row.why, _LONGEST)}"
    return f"; about {figures.plural(row.more_rounds, 'more round')} would tell" if row.more_rounds else ""


def reasons(compared: Compared) -> list[str]:
    """What a gate's verdict rests on, a sentence for each."""
    wanted = {Verdict.FAIL: Answer.WORSE, Verdict.INCONCLUSIVE: Answer.UNCLEAR}.get(compared.verdict)
    told = [sentence(row, True) for row in compared.rows if wanted in (None, row.answer)]
    if compared.verdict is Verdict.REFUSED:
        return [printable(compared.refused, _LONGEST)]
    return [*told, *([] if compared.verdict is Verdict.PASS else cut_short(compared))] or ["no round ended"]


def cut_short(event: Compared | NoiseFound) -> list[str]:
    """Why there were fewer rounds than there should be."""
    return [
        *([printable(event.failure, _LONGEST)] if event.failure else []),
        *(["interrupted"] if event.interrupted else []),
    ]


def notes(compared: Compared) -> list[str]:
    return [printable(note, _LONGEST) for note in compared.notes]


def settings(compared: Compared, spell: Callable[[int], str] = str) -> list[str]:
    """How it was run: rounds, slices, rate, seed."""
    told = compared.settings
    rate = f"latency at {figures.whole_rate(compared.rate_per_s, spell)} req/s"
    paired = [
        f"{len(compared.values[1])} of {figures.plural(told.max_rounds, 'round')} at most",
        f"{told.slices} slices of {format_duration(told.slice_ns)} each, after {format_duration(told.settle_ns)}",
    ]
    return [
        *(paired if compared.paired else [f"{len(compared.values[0])} and {len(compared.values[1])} rounds"]),
        *([rate] if compared.rate_per_s else []),
        f"seed {compared.seed}",
    ]


def confidence(compared: Compared) -> str:
    """Of the intervals: "90 %"."""
    return f"{100 * compared.confidence:.3g} %"


def noise(event: NoiseFound) -> list[tuple[str, str, str]]:
    """By metric: its label, σ from round to round, and how often it would be called worse than itself."""
    return [
        (
            label(metric) if metric in METRICS else metric,
            _percent(event.noise.get(metric)),
            _percent(event.false_alarms.get(metric)),
        )
        for metric in dict.fromkeys([*event.noise, *(name for name in event.false_alarms if name != "any")])
    ]


def alarms(event: NoiseFound) -> str:
    """How often one metric or more would be called worse than itself."""
    if "any" not in event.false_alarms:
        return "there were too few rounds to say how often this would raise a false alarm"
    return f"of gates like this on two equal servers, {_percent(event.false_alarms['any'])} would fail"


def columns(rounds: Sequence[Round]) -> list[str]:
    """The metrics that these rounds have of any candidate, in the order in which they are shown."""
    return [name for name in METRICS if any(name in values for ended in rounds for values in ended.values)]


def _percent(part: float | None) -> str:
    return figures.NOTHING if part is None else f"{100 * part:.2g} %"
