"""`--format clean` of tests of jobs: totals and answer as users' own scripts print them, and what else there is to say.

The progress of a test is on standard error.
"""

from __future__ import annotations

from collections.abc import Sequence

from loadgen.jobs.load.ended import JobsBegan, JobsCompared, JobsEnded, QueueInspected, WorkerNoted
from loadgen.judge.named import Check
from loadgen.output.formats import jobs_table, monitors
from loadgen.output.paper.grid import grid
from loadgen.output.paper.layout import fact, indented, rule, width, wrapped
from loadgen.output.paper.page import Page
from loadgen.output.words import checks, jobs, jobs_compared, named, queues

_LABEL = 18
"""The width of a label, as in the scripts that users know."""

_ANSWER = 6


class Jobs:
    def __init__(self, page: Page) -> None:
        self._page = page
        self._paint = page.paint
        self.hides_monitors = False
        """True while a test is under way that was not asked for monitors."""

    def began(self, event: JobsBegan) -> None:
        self.hides_monitors = not event.plan.shows_monitors
        self._page.print(
            *[""] * (event.number > 1),
            *(self._paint(line, "bold") for line in wrapped(jobs.title(event.plan))),
            *wrapped(jobs.place(event)),
            *(line for label, words in jobs.setting(event) for line in fact(label, words)),
            *(line for each in event.plan.faults for line in fact("fault", jobs.planned(each))),
        )

    def worker(self, event: WorkerNoted) -> None:
        at = f"+{event.t_s:.1f} s  "
        self._page.print(*(self._paint(line, "yellow") for line in indented(jobs.noted(event), len(at), at)))

    def ended(self, event: JobsEnded) -> None:
        style = checks.style(event.severity)
        self._page.print(
            *(self._results(event) if jobs.has_results(event) else []),
            "",
            self._paint(jobs.answer(event.severity), style),
            *(self._paint(f"  {line}", style) for words in jobs.why(event) for line in wrapped(words, _room())),
        )

    def _results(self, event: JobsEnded) -> list[str]:
        account = event.account
        rows = jobs.latencies(account)
        headings = ("latency", "count", *(name for name, _ in jobs.QUANTILES))
        return [
            "",
            self._paint("RESULTS", "bold"),
            rule(),
            *_facts(jobs.totals(event)),
            *self._under("Worker Distribution:", jobs.distribution(account, event.plan)),
            *_facts([("Duplicates", jobs.duplicates(event))]),
            *_facts(jobs.counted(account.counts)),
            *self._under("Schedule Operations:", jobs.operations(event)),
            *self._table(headings, [[row.name, f"{row.count:,}", *row.cells] for row in rows]),
            *(line for words in jobs.signs(rows) for line in wrapped(words)),
            *self._listed("cost", [f"{label}: {words}" for label, words in jobs.cost(event)]),
            *self._monitors(event),
            *self._listed("faults", jobs.faults(event)),
            *self._listed("storage errors", jobs.errors(account)),
            *self._checks(event.checks),
            *self._listed("notes", jobs.notes(event)),
            *self._listed("profile", jobs.profile(event)),
            *self._listed("printed by the program", jobs.said(event)),
        ]

    def compared(self, event: JobsCompared) -> None:
        places, (header, *lines) = jobs_table.compared(event)
        self._page.print(
            "",
            rule(),
            self._paint(jobs_compared.title(event), "bold"),
            "",
            self._paint(header, "bold"),
            *(self._paint(line, checks.style(each.severity)) for line, each in zip(lines, event.ended, strict=True)),
            "",
            *(line for words in jobs_compared.notes(event, places) for line in wrapped(words)),
            *self._checks(event.checks),
        )

    def inspected(self, event: QueueInspected) -> None:
        running = queues.running(event)
        rows = queues.rows(event)
        self._page.print(
            *(self._paint(line, "bold") for line in wrapped(queues.title(event))),
            *_facts(queues.facts(event)),
            *_facts(queues.workers(event)),
            *(["", self._paint(running, "bold")] if running else []),
            *(grid(queues.HEADINGS, rows) if rows else []),
        )

    # ── Parts ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _under(self, title: str, facts: jobs.Facts) -> list[str]:
        """Return facts below a title; nothing without facts."""
        return [title, *_facts(facts, indent=2)] if facts else []

    def _listed(self, title: str, sentences: Sequence[str]) -> list[str]:
        """Return sentences below a title; nothing without sentences."""
        lines = [f"  {line}" for words in sentences for line in wrapped(words, _room())]
        return ["", self._paint(title, "bold"), *lines] if lines else []

    def _monitors(self, event: JobsEnded) -> list[str]:
        headings, *rows = monitors.table(jobs.monitors(event)) or [""]
        return ["", self._paint(headings, "bold"), *rows] if rows else []

    def _table(self, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
        if not rows:
            return []
        header, *lines = grid(headings, rows)
        return ["", self._paint(header, "bold"), *lines]

    def _checks(self, of: Sequence[Check]) -> list[str]:
        room = max((len(named.name(check)) for check in of), default=0) + 2
        found = [line for check in of for line in self._check(check, room)]
        return ["", self._paint(f"{'check':<{room}}{'':<{_ANSWER}}found", "bold"), *found] if found else []

    def _check(self, check: Check, room: int) -> list[str]:
        label = f"{named.name(check):<{room}}{named.answer(check):<{_ANSWER}}"
        return [self._paint(line, named.style(check)) for line in indented(named.line(check), len(label), label)]


def _facts(facts: jobs.Facts, indent: int = 0) -> list[str]:
    """Return a line for each fact, or more where it is long: "Total Jobs:       1000"."""
    found = []
    for label, words in facts:
        shown = f"{' ' * indent}{label}: "
        found += indented(words, max(_LABEL, len(shown)), shown)
    return found


def _room() -> int:
    return width() - 2
