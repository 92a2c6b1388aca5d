"""`--format clean` of clients on trial: a row for each second, and below them the answer, the checks and figures."""

from __future__ import annotations

from loadgen.events import FaultBegan, FaultEnded
from loadgen.judge.named import Check
from loadgen.output.formats import monitors
from loadgen.output.paper.layout import WIDTH, fact, facts, indented, rule, width, wrapped
from loadgen.output.paper.page import Page
from loadgen.output.words import figures, named, trials
from loadgen.severity import Severity
from loadgen.trial.ended import ChaosBegan, ChaosEnded, TrialBegan, TrialEnded, TrialPhaseBegan, TrialSample
from loadgen.trial.observed import Observed
from loadgen.units import NS_PER_S, span

HEADER_EVERY = 25
"""The header is repeated after this many rows: about a terminal's height."""

_CHECK, _ANSWER = 17, 6
"""The widths of a check's first columns."""

_PHASE, _NODE, _CELL = 10, 5, 9
"""The widths of a figure's columns."""


class Trial:
    """One trial after the other: rows while it runs, and what came of it."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._paint = page.paint
        self._rows = 0
        self._phase = ""
        self._elapsed_ns = 0
        self._second: list[Observed] = []
        """The intervals since the last row."""

    def began(self, event: ChaosBegan) -> None:
        if len(event.trials) > 1:
            loops = ", again and again" * event.loops
            self._page.print(f"{figures.plural(len(event.trials), 'trial')}, one after the other{loops}")

    def trial(self, event: TrialBegan) -> None:
        blank = [""] if event.number > 1 else []
        self._rows, self._elapsed_ns, self._second = 0, 0, []
        self._page.print(
            *blank,
            *(self._paint(line, "bold") for line in wrapped(trials.title(event.plan))),
            *fact("client", event.plan.client.name),
            *fact("load", trials.setting(event.plan)),
            rule(),
        )

    def phase(self, event: TrialPhaseBegan) -> None:
        self._phase = event.phase
        length = f", {span(event.length_ns)}" if event.length_ns else ""
        self._page.print(self._paint(f"phase {event.phase}{length}", "dim"))

    def sample(self, event: TrialSample) -> None:
        """Print a row when a second has been observed, or a phase has changed."""
        self._second.append(event.observed)
        if sum(map(_length_ns, self._second)) < 0.95 * NS_PER_S:
            return
        header = [] if self._rows % HEADER_EVERY else [self._paint(_line("second", "", *_HEADINGS), "bold")]
        self._rows += 1
        self._page.print(*header, self._row(event.phase))

    def _row(self, phase: str) -> str:
        whole = sum(self._second, Observed())
        length_ns, last, self._second = sum(map(_length_ns, self._second)), self._second[-1], []
        self._elapsed_ns += length_ns
        row = trials.Row(phase, trials.ALL_NODES, whole.of(), length_ns)
        at = f"+{self._elapsed_ns / NS_PER_S:.1f} s"
        p50, p95, p99, _ = row.latencies
        states = trials.breakers(last)
        line = _line(at, "", row.ok_per_s, row.failed_share, p50, p95, p99)
        room = width() - len(line) - 2
        return self._paint(f"{line}  {states[:room]}".rstrip(), "red" if row.counts.failed else "")

    def fault_began(self, event: FaultBegan) -> None:
        self._page.print(*(self._paint(line, "yellow") for line in indented(trials.fault_began(event), 3, "▼")))

    def fault_ended(self, event: FaultEnded) -> None:
        self._page.print(*(self._paint(line, "yellow") for line in indented(trials.fault_ended(event), 3, "▲")))

    # ── The end ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def ended(self, event: TrialEnded) -> None:
        verdict = f"{trials.verdict(event)}  "
        reasons = [line for words in trials.reasons(event) for line in indented(words, len(verdict))]
        answer = indented(trials.name(event.plan), len(verdict), verdict)
        self._second = []
        self._page.print(
            rule(),
            *(self._paint(line, trials.style(event)) for line in answer),
            *reasons,
            *fact("client", trials.client(event)),
            *facts("faults", trials.effects(event)),
            *facts("nodes", trials.node_figures(event)),
            *(line for note in trials.notes(event) for line in fact("note", note)),
            *self._checks(event),
            *self._figures(event),
            *monitors.painted(event.monitors, self._paint),
            *facts("errors", trials.errors(event)),
            *facts("breakers", trials.transitions(event)),
            *facts("pools", trials.pools(event)),
            *facts("abandoned", trials.late_replies(event)),
            *facts("loads", trials.loads(event)),
            *(self._paint(line, "red") for line in facts("wrong answers", trials.wrong(event))),
        )

    def _checks(self, event: TrialEnded) -> list[str]:
        if not event.checks:
            return []
        header = self._paint(f"{'check':<{_CHECK}}{'':<{_ANSWER}}found", "bold")
        return ["", header, *(line for check in event.checks for line in self._check(check))]

    def _check(self, check: Check) -> list[str]:
        label = f"{named.name(check):<{_CHECK}}{named.answer(check):<{_ANSWER}}"
        is_told = check.level is not None or check.severity is not Severity.GOOD
        limit = f" (limit {check.limit})" if check.limit and is_told else ""
        lines = indented(f"{named.found(check)}{limit}", len(label), label)
        return [self._paint(line, named.style(check)) for line in lines]

    def _figures(self, event: TrialEnded) -> list[str]:
        rows = trials.rows(event)
        if not rows:
            return []
        header = self._paint(_line("phase", "node", "ok/s", "ok %", *_shown(["p50", "p95", "p99", "max"])), "bold")
        lines = [_line(row.phase, row.node, row.ok_per_s, row.ok_share, *_shown(row.latencies)) for row in rows]
        return ["", header, *lines, ""]

    def all_ended(self, event: ChaosEnded) -> None:
        if len(event.trials) < 2:
            return
        room_of_scenario = 30 - max(0, WIDTH - width())
        columns = (("scenario", room_of_scenario), ("client", 14), ("answer", 14), ("recovered", 11), ("wrong", 6))
        found = [trials.summary(each) for each in event.trials]
        header = "".join(f"{label:<{room}}" for label, room in columns)
        lines = [self._paint(header.rstrip(), "bold")]
        for cells, each in zip(found, event.trials, strict=True):
            row = "".join(f"{_cut(cells[label], room):<{room}}" for label, room in columns).rstrip()
            lines.append(self._paint(row, trials.style(each)))
            told = ", ".join(f"{phase} {cells[key]}" for key in cells if key.startswith("p50") for phase in [key[12:]])
            lines += indented(
                f"detected {cells['detected']}; leaked {cells['leaked']}; errors {cells['errors']}; "
                f"p50/p95/p99 {told or figures.NOTHING}",
                2,
            )
        self._page.print("", rule(), *lines)


_HEADINGS = ("ok/s", "failed %", "p50", "p95", "p99")


def _line(first: str, second: str, *cells: str) -> str:
    return f"{first:<{_PHASE}}{second:<{_NODE}}{''.join(f'{cell:>{_CELL}}' for cell in cells)}"


def _shown(latencies: list[str]) -> list[str]:
    """Return p50, p95, p99 and the maximum; in narrow lines without p95."""
    return latencies if width() >= WIDTH else [latencies[0], *latencies[2:]]


def _length_ns(observed: Observed) -> int:
    return max(0, observed.to_ns - observed.from_ns)


def _cut(words: str, room: int) -> str:
    return words if len(words) < room else f"{words[: room - 2]}…"
