"""Comparisons in words, the same in every format for people. Pure functions to plain text.

A change is the change from the first candidate to the other, in the metric's own direction: less throughput is "−5 %",
more latency "+5 %". The two are printed by name; in a gate, as baseline and candidate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from loadgen.compare.answers import Compared, GateAnswer, NoiseFound, Row
from loadgen.compare.candidate import Candidate
from loadgen.compare.metric import METRICS, Metric
from loadgen.compare.round import Round
from loadgen.escape import printable
from loadgen.output.words import figures
from loadgen.percentiles import COMPARED
from loadgen.stats.sequential import Shift
from loadgen.units import format_duration, percent

BASELINE, CANDIDATE = "baseline", "candidate"

SHORT = {
    "throughput": "throughput",
    "server_cpu": "CPU/req",
    "rss": "memory",
    **{name: label for name, label, _ in COMPARED},
}
"""The headings of metrics in narrow columns. Any other metric is printed by its name."""

_LONGEST_NAME = 60

_LONGEST = 700
"""Characters of a note: a sentence of loadgen's, in which text from outside has been cut already."""

_OPEN = "…"
"""The end of an interval that the rounds are too few to bound."""


class Doubts:
    """A filter of the rounds' doubts: of each candidate, the first round that has doubts is shown."""

    def __init__(self) -> None:
        self._doubted: set[str] = set()

    def fresh(self, ended: Round) -> list[str]:
        """Return the doubts of this round about candidates that no earlier round had doubts about."""
        told = [doubt.words for doubt in ended.doubts if _doubted(doubt.words) not in self._doubted]
        self._doubted |= {_doubted(words) for words in told}
        return [printable(words, _LONGEST) for words in told]


def _doubted(doubt: str) -> str:
    """Return the name of the candidate, with which a doubt begins."""
    return doubt.partition(":")[0]


def roles(names: Sequence[str], gate: bool) -> list[str]:
    """Return what the candidates are printed as: their names, or in a gate their roles."""
    return [BASELINE, CANDIDATE] if gate and len(names) == 2 else [printable(name, _LONGEST_NAME) for name in names]


def pair(compared: Compared) -> list[str]:
    """Return the `roles` of the two that are compared."""
    return roles([compared.a.name, compared.b.name], compared.settings.one_sided)


def cut(names: Sequence[str], width: int) -> list[str]:
    """Return names cut to a column; names that begin alike keep their ends: "builtin-uvloop" may become "…-uvloop"."""
    short = [printable(name, width) for name in names]
    if len(set(short)) == len(set(names)):
        return short
    return [name if len(name) <= width else f"…{name[1 - width :]}" for name in names]


def candidate(one: Candidate) -> str:
    """Return a candidate's name, identity, and date if it is a stored result: "redis (redis 7.0.15)"."""
    about = [one.identity, f"results of {one.taken}" if one.taken else "results" * (one.kind == "results")]
    said = ", ".join(printable(words) for words in about if words)
    return f"{printable(one.name)} ({said})" if said else printable(one.name)


def column(metric: str) -> str:
    return SHORT.get(metric, metric)


def label(metric: str) -> str:
    return METRICS[metric].label


def change(ended: Round, place: int, metric: str) -> float | None:
    """Return the change of a candidate against the first in this round alone; None when either lacks the metric."""
    a, b = ended.values[0].get(metric), ended.values[place].get(metric)
    return b / a - 1 if a and b is not None else None


def is_better(metric: Metric, part: float) -> bool:
    return part > 0 if metric.higher_is_better else part < 0


def band(row: Row, one_sided: bool) -> tuple[float, float]:
    """Return the lowest and the highest change within the threshold, as shares of the metric.

    The threshold is a share of the cost, the time per request for a throughput: with 5 %, a throughput may change by
    1 / 1.05 - 1. A gate (`one_sided`) has no bound for a change to the better.
    """
    worse, better = math.log1p(row.threshold), -math.inf if one_sided else -math.log1p(row.threshold)
    edges = (-worse, -better) if METRICS[row.metric].higher_is_better else (better, worse)
    low, high = (math.expm1(edge) if math.isfinite(edge) else edge for edge in edges)
    return low, high


def threshold(row: Row) -> str:
    return f"{100 * row.threshold:.3g} %"


def interval(row: Row) -> str:
    """Return an interval in percent: "[−5.6, −4.7]"; empty without an estimate or when both ends are unknown."""
    if row.effect is None or row.ci_low is row.ci_high is None:
        return ""
    low, high = (_OPEN if end is None else figures.change(end, "") for end in (row.ci_low, row.ci_high))
    return f"[{low}, {high}]"


def effect(row: Row) -> str:
    """Return the change and its interval: "−5.1 % [−5.6, −4.7]"; empty without an estimate."""
    return f"{figures.change(row.effect)} {interval(row)}".strip() if row.effect is not None else ""


def a_and_b(row: Row) -> tuple[str, str]:
    """Return the medians of the two."""
    unit = METRICS[row.metric].unit
    return figures.amount(row.a, unit), figures.amount(row.b, unit)


def answer(row: Row, one_sided: bool) -> str:
    """Return the answer in a word or two: "worse", "better", "same" ("not worse" in a gate), "can't tell"."""
    if row.answer is Shift.UNCLEAR:
        return "can't tell"
    return "not worse" if one_sided and row.answer is Shift.SAME else str(row.answer)


def sentence(row: Row, compared: Compared) -> str:
    """Return the answer and its grounds: "candidate is worse: throughput −5.1 %, 90 % interval [−5.6, −4.7]"."""
    one_sided = compared.settings.one_sided
    a, b = pair(compared)
    told = f"{label(row.metric)} {_effect_in_words(row, confidence(compared))}".strip()
    match row.answer:
        case Shift.WORSE | Shift.BETTER:
            return f"{b} is {row.answer}{'' if one_sided else f' than {a}'}: {told}"
        case Shift.SAME:
            said = f"not worse by {threshold(row)} or more" if one_sided else f"the same within {threshold(row)}"
            return f"{label(row.metric)} is {said}: {told.removeprefix(label(row.metric)).strip()}"
        case _:
            return "; ".join([f"can't tell: {told}", *_why_unclear(row)])


def _effect_in_words(row: Row, sure: str) -> str:
    if row.effect is None:
        return ""
    within = f"{sure} interval {interval(row)}" if interval(row) else f"too few rounds for a {sure} interval"
    return f"{figures.change(row.effect)}, {within}"


def _why_unclear(row: Row) -> list[str]:
    """Return the reasons why the answer is unclear, and how many more rounds may make it clear."""
    why = []
    if row.effect is not None:
        why += [f"the interval does not exclude a change of {threshold(row)}"] if interval(row) else []
        if row.p is not None and row.level is not None and row.p > row.level:
            why.append(f"p = {row.p:.2g} is above the {row.level:.2g} that a change needs")
        elif row.level is not None and abs(row.effect) < row.threshold / 2:
            why.append("the estimate is nearer to no change")
        if row.noise is not None and "σ" not in row.why:
            why.append(f"the noise from round to round is σ = {_percent(row.noise)}")
    if row.why:
        why.append(printable(row.why, _LONGEST))
    if row.more_rounds and "σ" not in row.why:
        why.append(f"about {figures.plural(row.more_rounds, 'more round')} would give an answer")
    return why


def reasons(compared: Compared) -> list[str]:
    """Return the reasons for a gate's verdict, a sentence each."""
    if compared.verdict is GateAnswer.ERROR:
        return [printable(compared.failure, _LONGEST)]
    unclear = Shift.UNCLEAR
    wanted = {GateAnswer.FAIL: Shift.WORSE, GateAnswer.INCONCLUSIVE: unclear, GateAnswer.REFUSED: unclear}.get(
        compared.verdict
    )
    told = [sentence(row, compared) for row in compared.rows if wanted in (None, row.answer)]
    return [*told, *([] if compared.verdict is GateAnswer.PASS else cut_short(compared))] or ["no round ended"]


def cut_short(event: Compared | NoiseFound) -> list[str]:
    """Return the reasons why the rounds ended early: a failure, an interruption."""
    return [
        *([printable(event.failure, _LONGEST)] if event.failure else []),
        *(["interrupted"] if event.interrupted else []),
    ]


def notes(compared: Compared) -> list[str]:
    return [printable(note.words, _LONGEST) for note in compared.notes]


def count(event: Compared | NoiseFound) -> str:
    """Return how many rounds ran and how long all took: "8 rounds in 1 min 40 s"; empty for stored results alone."""
    if isinstance(event, NoiseFound):
        rounds = [event.rounds]
    else:
        sides = zip((event.a, event.b), event.values, strict=True)
        rounds = [len(values) for one, values in sides if one.kind != "results"]
    return figures.count(max(rounds), "round", event.took_s) if rounds and event.took_s else ""


def settings(compared: Compared, spell: Callable[[int], str] = str) -> list[str]:
    """Return the settings of a comparison: rounds, slices, rate, seed."""
    told = compared.settings
    each, before = (figures.spaced(format_duration(ns), spell) for ns in (told.slice_ns, told.settle_ns))
    rate = f"latency at {figures.whole_rate(compared.rate_per_s, spell)} req/s"
    paired = [
        f"{figures.plural(len(compared.values[1]), 'round')} (limit {told.max_rounds})",
        f"{told.slices} slices of {each} each, after {before} of settling",
    ]
    return [
        *(paired if compared.paired else [f"{len(compared.values[0])} and {len(compared.values[1])} rounds"]),
        *([rate] if compared.rate_per_s else []),
        f"seed {compared.seed}",
    ]


def confidence(compared: Compared) -> str:
    """Return the confidence of the intervals: "90 %"."""
    return f"{100 * compared.confidence:.3g} %"


def noise(event: NoiseFound) -> list[tuple[str, str, str]]:
    """Return each metric's label, σ from round to round, and how often identical servers would be called worse."""
    return [
        (
            label(metric) if metric in METRICS else metric,
            _percent(event.noise.get(metric)),
            _percent(event.false_alarms.get(metric)),
        )
        for metric in dict.fromkeys([*event.noise, *(name for name in event.false_alarms if name != "any")])
    ]


def alarms(event: NoiseFound) -> str:
    """Return how often a gate would fail identical servers in at least one metric."""
    if "any" not in event.false_alarms:
        return "too few rounds to estimate how often this gate would fail on identical servers"
    return f"this gate would fail {_percent(event.false_alarms['any'])} of the time on identical servers"


def columns(rounds: Sequence[Round]) -> list[str]:
    """Return the metrics that any candidate has in these rounds, in the order of METRICS."""
    return [name for name in METRICS if any(name in values for ended in rounds for values in ended.values)]


def _percent(part: float | None) -> str:
    return figures.NOTHING if part is None else percent(part)
