"""`--format verbose` of comparisons: a log line for each round and each answer."""

from __future__ import annotations

from collections.abc import Sequence

from loadgen.compare.answers import Compared, NoiseFound, Row
from loadgen.compare.candidate import Candidate
from loadgen.compare.round import RoundEnded
from loadgen.output.paper.layout import hung
from loadgen.output.paper.log import Log
from loadgen.output.words import comparison, figures
from loadgen.units import percent


class Comparison:
    """A log of the rounds and the answers."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._named = False
        self._doubts = comparison.Doubts()

    def round(self, event: RoundEnded) -> None:
        if not self._named:
            self._log.say(event.wall_s, *_candidates(event.candidates, event.gate))
            self._named = True
        self._log.say(event.wall_s, *_round(event))
        self._log.say(event.wall_s, *self._doubts.fresh(event.round), level="WARN")

    def compared(self, event: Compared) -> None:
        self._log.say(event.wall_s, f"=== {'Gate' if event.settings.one_sided else 'Comparison'} ===")
        self._log.block(*hung(_compared(event)))

    def noise(self, event: NoiseFound) -> None:
        self._log.say(event.wall_s, "=== Noise of this host ===")
        self._log.block(*hung(_noise(event)))


def _candidates(candidates: Sequence[Candidate], gate: bool) -> list[str]:
    roles = comparison.roles([one.name for one in candidates], gate) if gate else ["candidate"] * len(candidates)
    return [f"{role}: {comparison.candidate(one)}" for role, one in zip(roles, candidates, strict=True)]


def _round(event: RoundEnded) -> list[str]:
    ended = event.round
    roles = comparison.roles([one.name for one in event.candidates], event.gate)
    lines = []
    for place in range(1, len(ended.values)):
        changes = [
            f"{comparison.column(name)} {figures.change(comparison.change(ended, place, name), '%')}"
            for name in comparison.columns([ended])
        ]
        who = f"round {ended.number}/{event.max_rounds} {roles[place]} against {roles[0]}"
        lines.append(f"{who}: {', '.join(changes) or 'nothing measured'}")
    return lines


def _compared(event: Compared) -> list[str]:
    gate = event.settings.one_sided
    answers = [comparison.sentence(row, event) for row in event.rows] or ["no round ended"]
    return [
        *_candidates((event.a, event.b), gate),
        f"rounds: {', '.join(comparison.settings(event))}",
        *_took(event),
        *(_row(row, event) for row in event.rows),
        *(f"note: {note}" for note in comparison.notes(event)),
        *(f"cut short: {why}" for why in comparison.cut_short(event)),
        *([f"verdict: {event.verdict}", *(f"  {why}" for why in comparison.reasons(event))] if gate else answers),
    ]


def _took(event: Compared | NoiseFound) -> list[str]:
    count = comparison.count(event)
    return [f"took: {count}"] if count else []


def _row(row: Row, event: Compared) -> str:
    a, b = comparison.pair(event)
    before, after = comparison.a_and_b(row)
    p = "" if row.p is None else f", p={row.p:.3g}"
    noise = "" if row.noise is None else f", noise {percent(row.noise)}"
    rounds = figures.plural(row.rounds, "round")
    found = f"{a} {before}, {b} {after}, {comparison.effect(row) or 'no estimate'}{p}, {rounds}{noise}"
    return f"{comparison.label(row.metric)}: {found}: {comparison.answer(row, event.settings.one_sided)}"


def _noise(event: NoiseFound) -> list[str]:
    return [
        f"candidate: {comparison.candidate(event.candidate)}",
        f"rounds: {event.rounds}",
        *_took(event),
        *(f"{metric}: σ {sigma}, false alarms {alarm}" for metric, sigma, alarm in comparison.noise(event)),
        *(f"cut short: {why}" for why in comparison.cut_short(event)),
        comparison.alarms(event),
    ]
