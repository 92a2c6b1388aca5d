"""`--format clean` of comparisons: a row per round, then for each pair a table, its intervals drawn, and the answer."""

from __future__ import annotations

from loadgen.comparison import METRICS, Candidate, Compared, NoiseFound, RoundEnded, Row, Verdict
from loadgen.errors import printable
from loadgen.output import comparison, figures, plot
from loadgen.output.color import Paint
from loadgen.output.event import AnyEvent
from loadgen.output.layout import WIDTH, fact, facts, indented
from loadgen.output.sink import Sink

HEADER_EVERY = 25
"""Rounds after which the header comes again: about a terminal's height."""

_VERDICT_STYLES = {
    Verdict.PASS: "bold green",
    Verdict.FAIL: "bold red",
    Verdict.INCONCLUSIVE: "bold yellow",
    Verdict.REFUSED: "bold yellow",
}

_ROUND, _ORDER, _CHANGE = 8, 8, 10
"""The widths of a round's columns."""


class CleanComparison:
    """Rounds as they end, and what they came to."""

    def __init__(self, sink: Sink, paint: Paint, gate: bool) -> None:
        self._sink = sink
        self._paint = paint
        self._gate = gate
        self._rounds = 0
        self._letters: dict[str, str] = {}
        """By a candidate's name."""
        self._columns: list[str] = []
        """The metrics of the rounds' table."""

    def emit(self, event: AnyEvent) -> None:
        match event:
            case RoundEnded():
                self._print(*self._headed(event), *self._round(event))
            case Compared():
                self._print(*self._compared(event))
            case NoiseFound():
                self._print(*self._noise(event))
            case _:
                pass

    def _print(self, *lines: str) -> None:
        self._sink.write("".join(f"{line}\n" for line in lines))

    # ── Rounds ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _headed(self, event: RoundEnded) -> list[str]:
        """Who takes part, before the first round; the header above a row where one is due."""
        named: list[str] = []
        if not self._rounds:
            self._columns = comparison.columns([event.round])
            title = "GATE: " if self._gate else "COMPARISON: "
            named = [self._paint(f"{title}{figures.plural(event.max_rounds, 'round')} at most", "bold"), "─" * WIDTH]
            self._letters = {one.name: comparison.letter(place) for place, one in enumerate(event.candidates)}
            for place, one in enumerate(event.candidates):
                named += fact(comparison.letter(place), comparison.candidate(one))
        if self._rounds % HEADER_EVERY:
            header = []
        else:
            names = "".join(f"{comparison.column(metric):>{_CHANGE}}" for metric in self._columns)
            header = ["", self._paint(f"{'round':<{_ROUND}}{'order':<{_ORDER}}{names}", "bold")]
        self._rounds += 1
        return [*named, *header]

    def _round(self, event: RoundEnded) -> list[str]:
        """What changed from A in this round alone: a row for each other candidate, named where there are several."""
        ended = event.round
        several = len(ended.values) > 2
        lines = []
        for place in range(1, len(ended.values)):
            first = f"{ended.number}/{event.max_rounds}" if place == 1 else ""
            second = comparison.letter(place) if several and place > 1 else comparison.order(ended)
            changes = "".join(self._change(comparison.change(ended, place, name), name) for name in self._columns)
            lines.append(f"{first:<{_ROUND}}{printable(second, _ORDER - 1):<{_ORDER}}{changes}")
        more = f" (and {len(ended.doubts) - 1} more)" if len(ended.doubts) > 1 else ""
        doubt = [f"{printable(words)}{more}" for words in ended.doubts[:1]]
        return [*lines, *(self._paint(line, "yellow") for line in facts("", doubt))]

    def _change(self, part: float | None, metric: str) -> str:
        words = f"{figures.change(part):>{_CHANGE}}"
        if part is None or not part:
            return words
        return self._paint(words, "green" if comparison.is_better(METRICS[metric], part) else "red")

    # ── Answers ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _compared(self, event: Compared) -> list[str]:
        return [
            "",
            self._paint(f"{'GATE' if self._gate else 'COMPARISON'}{' (interrupted)' * event.interrupted}", "bold"),
            "─" * WIDTH,
            *fact("A", comparison.candidate(event.a)),
            *fact(self._letter(event.b), comparison.candidate(event.b)),
            *fact("rounds", ", ".join(comparison.settings(event, figures.grouped))),
            *(self._paint(line, "bold red") for line in fact("failure", printable(event.failure, 500))),
            "",
            *(self._table(event) if event.rows else []),
            *plot.lines(event.rows, event.settings.one_sided, self._paint),
            *([""] if event.rows else []),
            *(self._paint(line, "yellow") for note in comparison.notes(event) for line in fact("note", note)),
            *self._answers(event),
        ]

    def _table(self, event: Compared) -> list[str]:
        header = _row(
            "metric", "A", self._letter(event.b), "change", f"{comparison.confidence(event)} interval", "answer"
        )
        return [self._paint(header, "bold"), *map(self._answered, event.rows), ""]

    def _answered(self, row: Row) -> str:
        a, b = comparison.a_and_b(row)
        cells = (comparison.label(row.metric), a, b, figures.change(row.effect), comparison.interval(row))
        return _row(*cells, self._paint(comparison.answer(row), plot.ANSWER_STYLES[row.answer]))

    def _answers(self, event: Compared) -> list[str]:
        if self._gate:
            verdict = f"{event.verdict}: "
            told = [
                line
                for place, words in enumerate(comparison.reasons(event))
                for line in indented(words, len(verdict), "" if place else verdict)
            ]
            return [self._paint(line, _VERDICT_STYLES[event.verdict]) for line in told]
        b = self._letter(event.b)
        answers = [(comparison.sentence(row, False, b), plot.ANSWER_STYLES[row.answer]) for row in event.rows]
        answers = answers or [(why, "bold yellow") for why in comparison.cut_short(event) or ["no round ended"]]
        return [self._paint(line, style) for words, style in answers for line in indented(words, 0)]

    def _letter(self, b: Candidate) -> str:
        """What B was called while there were rounds: of several, each has a letter of its own."""
        return self._letters.get(b.name, "B")

    def _noise(self, event: NoiseFound) -> list[str]:
        rows = [f"{metric:<18}{sigma:>12}{alarm:>18}" for metric, sigma, alarm in comparison.noise(event)]
        header = f"{'metric':<18}{'noise (σ)':>12}{'false alarms':>18}"
        return [
            "",
            self._paint(f"NOISE OF THIS HOST{' (interrupted)' * event.interrupted}", "bold"),
            "─" * WIDTH,
            *fact("candidate", comparison.candidate(event.candidate)),
            *fact("rounds", str(event.rounds)),
            *fact("host", printable(event.host)),
            "",
            *([self._paint(header, "bold"), *rows, ""] if rows else []),
            *(self._paint(line, "bold red") for words in comparison.cut_short(event) for line in indented(words, 0)),
            *indented(comparison.alarms(event), 0),
        ]


def _row(metric: str, a: str, b: str, change: str, interval: str, answer: str) -> str:
    return f"{metric:<17}{a:>10}{b:>10}{change:>11}{interval:>18}  {answer}"
