"""`--format clean` of comparisons: a row per round, then for each pair a table, a plot of intervals and the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from loadgen.compare.answers import Compared, GateAnswer, NoiseFound, Row
from loadgen.compare.candidate import Candidate
from loadgen.compare.metric import METRICS
from loadgen.compare.round import ContestBegan, RoundEnded
from loadgen.escape import printable
from loadgen.output.paper.layout import WIDTH, fact, facts, indented, rule, width
from loadgen.output.paper.page import Page
from loadgen.output.pictures import plot
from loadgen.output.words import comparison, figures

HEADER_EVERY = 25
"""The header is repeated after this many rounds: about a terminal's height."""

_VERDICT_STYLES = {
    GateAnswer.PASS: "bold green",
    GateAnswer.FAIL: "bold red",
    GateAnswer.INCONCLUSIVE: "bold yellow",
    GateAnswer.REFUSED: "bold yellow",
    GateAnswer.ERROR: "bold red",
}

_ROUND, _NAME, _CHANGE = 8, 12, 10
"""The widths of a round's columns; the column of names is shown for more than two candidates."""

_AMOUNT = 12
"""The width of the column of medians of each of the two candidates."""

_LONGEST = 700


class Comparison:
    """A row for each round when it ends, and the answers."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._paint = page.paint
        self._rounds = 0
        self._named = False
        """True when the candidates have been printed."""
        self._doubts = comparison.Doubts()
        self._columns: list[str] = []
        """The metrics shown in the table of rounds."""

    def began(self, event: ContestBegan) -> None:
        self._page.print(*self._begun(event))

    def round(self, event: RoundEnded) -> None:
        self._page.print(*self._headed(event), *self._round(event))

    def compared(self, event: Compared) -> None:
        self._page.print(*self._compared(event))

    def noise(self, event: NoiseFound) -> None:
        self._page.print(*self._noise(event))

    # ── Rounds ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _headed(self, event: RoundEnded) -> list[str]:
        """Return the lines above a row: the candidates before the first round, and the header when one is due."""
        named: list[str] = []
        if not self._rounds:
            room = width() - _ROUND - (_NAME if len(event.candidates) > 2 else 0)
            self._columns = comparison.columns([event.round])[: room // _CHANGE]
            named = self._begun(event)
        if self._rounds % HEADER_EVERY:
            header = []
        else:
            names = "".join(f"{comparison.column(metric):>{_CHANGE}}" for metric in self._columns)
            against = f"{'against':<{_NAME}}" if len(event.candidates) > 2 else ""
            header = ["", self._paint(f"{'round':<{_ROUND}}{against}{names}", "bold")]
        self._rounds += 1
        return [*named, *header]

    def _begun(self, event: ContestBegan | RoundEnded) -> list[str]:
        """Return the title and the candidates, once. They have no identity yet: a server reports it after its start."""
        if self._named:
            return []
        self._named = True
        title = f"{'GATE' if event.gate else 'COMPARISON'}: at most {figures.plural(event.max_rounds, 'round')}"
        who = _candidates([replace(one, identity="") for one in event.candidates], event.gate)
        return [self._paint(title, "bold"), rule(), *who]

    def _round(self, event: RoundEnded) -> list[str]:
        """Return a row for each candidate but the first: its changes from the first in this round."""
        ended = event.round
        lines = []
        names = comparison.cut([one.name for one in event.candidates], _NAME - 1)
        for place in range(1, len(ended.values)):
            first = f"{ended.number}/{event.max_rounds}" if place == 1 else ""
            second = f"{names[place]:<{_NAME}}" if len(names) > 2 else ""
            changes = "".join(self._change(comparison.change(ended, place, name), name) for name in self._columns)
            lines.append(f"{first:<{_ROUND}}{second}{changes}")
        return [*lines, *(self._paint(line, "yellow") for line in facts("", self._doubts.fresh(ended)))]

    def _change(self, part: float | None, metric: str) -> str:
        words = f"{figures.change(part):>{_CHANGE}}"
        if part is None or not part:
            return words
        return self._paint(words, "green" if comparison.is_better(METRICS[metric], part) else "red")

    # ── Answers ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _compared(self, event: Compared) -> list[str]:
        gate = event.settings.one_sided
        return [
            "",
            self._paint(f"{'GATE' if gate else 'COMPARISON'}{' (interrupted)' * event.interrupted}", "bold"),
            rule(),
            *_candidates((event.a, event.b), gate),
            *fact("rounds", ", ".join(comparison.settings(event, figures.grouped))),
            *fact("took", comparison.count(event)),
            *(self._paint(line, "bold red") for line in fact("failure", printable(event.failure, _LONGEST))),
            "",
            *(self._table(event) if event.rows else []),
            *plot.lines(event.rows, gate, self._paint),
            *([""] if event.rows else []),
            *(self._paint(line, "yellow") for note in comparison.notes(event) for line in fact("note", note)),
            *self._answers(event),
        ]

    def _table(self, event: Compared) -> list[str]:
        a, b = comparison.cut(comparison.pair(event), _AMOUNT - 1)
        header = _row("metric", a, b, "change", f"{comparison.confidence(event)} interval", "answer")
        return [self._paint(header, "bold"), *(self._answered(row, event) for row in event.rows), ""]

    def _answered(self, row: Row, event: Compared) -> str:
        a, b = comparison.a_and_b(row)
        cells = (comparison.label(row.metric), a, b, figures.change(row.effect), comparison.interval(row))
        answer = comparison.answer(row, event.settings.one_sided)
        return _row(*cells, self._paint(answer, plot.ANSWER_STYLES[row.answer]))

    def _answers(self, event: Compared) -> list[str]:
        if event.settings.one_sided:
            verdict = f"{event.verdict}: "
            told = [
                line
                for place, words in enumerate(comparison.reasons(event))
                for line in indented(words, len(verdict), "" if place else verdict)
            ]
            return [self._paint(line, _VERDICT_STYLES[event.verdict]) for line in told]
        answers = [(comparison.sentence(row, event), plot.ANSWER_STYLES[row.answer]) for row in event.rows]
        answers = answers or [(why, "bold yellow") for why in comparison.cut_short(event) or ["no round ended"]]
        return [self._paint(line, style) for words, style in answers for line in indented(words, 0)]

    def _noise(self, event: NoiseFound) -> list[str]:
        rows = [f"{metric:<18}{sigma:>12}{alarm:>18}" for metric, sigma, alarm in comparison.noise(event)]
        header = f"{'metric':<18}{'noise (σ)':>12}{'false alarms':>18}"
        return [
            "",
            self._paint(f"NOISE OF THIS HOST{' (interrupted)' * event.interrupted}", "bold"),
            rule(),
            *fact("candidate", comparison.candidate(event.candidate)),
            *fact("rounds", str(event.rounds)),
            *fact("took", comparison.count(event)),
            *fact("host", printable(event.host)),
            "",
            *([self._paint(header, "bold"), *rows, ""] if rows else []),
            *(self._paint(line, "bold red") for words in comparison.cut_short(event) for line in indented(words, 0)),
            *indented(comparison.alarms(event), 0),
        ]


def _row(metric: str, a: str, b: str, change: str, interval: str, answer: str) -> str:
    both = f"{a:>{_AMOUNT}}{b:>{_AMOUNT}}" if width() >= WIDTH else ""
    return f"{metric:<17}{both}{change:>10}{interval:>16}  {answer}"


def _candidates(candidates: Sequence[Candidate], gate: bool) -> list[str]:
    """Return the lines that name the candidates; in a gate, with their roles."""
    if gate:
        roles = comparison.roles([one.name for one in candidates], True)
        named = zip(roles, candidates, strict=True)
        return [line for role, one in named for line in fact(role, comparison.candidate(one))]
    return facts("candidates", [comparison.candidate(one) for one in candidates])
