"""`--format verbose` of comparisons: a log line for each round and each answer."""

from __future__ import annotations

from loadgen.comparison import Compared, NoiseFound, RoundEnded, Row
from loadgen.errors import printable
from loadgen.output import comparison, figures
from loadgen.output.event import AnyEvent
from loadgen.output.layout import hung
from loadgen.output.log import Log
from loadgen.output.sink import Sink


class VerboseComparison:
    """A log of the rounds, and what they came to."""

    def __init__(self, sink: Sink, gate: bool) -> None:
        self._log = Log(sink)
        self._gate = gate
        self._letters: dict[str, str] = {}
        """By a candidate's name: as in the rounds, so in the answers."""

    def emit(self, event: AnyEvent) -> None:
        match event:
            case RoundEnded():
                if not self._letters:
                    self._letters = {one.name: comparison.letter(n) for n, one in enumerate(event.candidates)}
                    named = zip(self._letters.values(), map(comparison.candidate, event.candidates), strict=True)
                    self._log.say(event.wall_s, *(f"{letter}: {words}" for letter, words in named))
                self._log.say(event.wall_s, *_round(event))
                self._log.say(event.wall_s, *map(printable, event.round.doubts), level="WARN")
            case Compared():
                b = self._letters.get(event.b.name, "B")
                self._log.say(event.wall_s, f"=== {'Gate' if self._gate else 'Comparison'} ===")
                self._log.block(*hung(_compared(event, self._gate, b)))
            case NoiseFound():
                self._log.say(event.wall_s, "=== Noise of this host ===")
                self._log.block(*hung(_noise(event)))
            case _:
                pass


def _round(event: RoundEnded) -> list[str]:
    ended = event.round
    lines = []
    for place in range(1, len(ended.values)):
        changes = [
            f"{comparison.column(name)} {figures.change(comparison.change(ended, place, name), '%')}"
            for name in comparison.columns([ended])
        ]
        who = f"round {ended.number}/{event.max_rounds} {comparison.order(ended)} {comparison.letter(place)}"
        lines.append(f"{who}: {', '.join(changes) or 'nothing measured'}")
    return lines


def _compared(event: Compared, gate: bool, b: str) -> list[str]:
    answers = [comparison.sentence(row, False, b) for row in event.rows] or ["no round ended"]
    return [
        f"A: {comparison.candidate(event.a)}",
        f"{b}: {comparison.candidate(event.b)}",
        f"rounds: {', '.join(comparison.settings(event))}",
        *(_row(row, b) for row in event.rows),
        *(f"note: {note}" for note in comparison.notes(event)),
        *(f"cut short: {why}" for why in comparison.cut_short(event)),
        *([f"verdict: {event.verdict}", *(f"  {why}" for why in comparison.reasons(event))] if gate else answers),
    ]


def _row(row: Row, b: str) -> str:
    before, after = comparison.a_and_b(row)
    p = "" if row.p is None else f", p={row.p:.3g}"
    noise = "" if row.noise is None else f", noise {100 * row.noise:.2g} %"
    rounds = figures.plural(row.rounds, "round")
    found = f"A {before}, {b} {after}, {comparison.effect(row) or 'no estimate'}{p}, {rounds}{noise}"
    return f"{comparison.label(row.metric)}: {found}: {comparison.answer(row)}"


def _noise(event: NoiseFound) -> list[str]:
    return [
        f"candidate: {comparison.candidate(event.candidate)}",
        f"rounds: {event.rounds}",
        *(f"{metric}: σ {sigma}, false alarms {alarm}" for metric, sigma, alarm in comparison.noise(event)),
        *(f"cut short: {why}" for why in comparison.cut_short(event)),
        comparison.alarms(event),
    ]
