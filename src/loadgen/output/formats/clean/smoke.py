"""`--format clean` of smoke tests: the answer, then a row for each criterion; of a matrix, a row for each test."""

from __future__ import annotations

from loadgen.escape import printable
from loadgen.output.paper.layout import WIDTH, fact, indented, rule, width
from loadgen.output.paper.page import Page
from loadgen.output.words import figures, sentences, smoke
from loadgen.smoke.check import Check
from loadgen.smoke.ended import SmokeBegan, SmokeEnded

_ANSWER_STYLES = {True: "green", False: "bold red", None: "dim"}

_NAME, _LIMIT, _ANSWER = 19, 12, 6
"""The widths of a criterion's first columns."""

_SERVER, _IDENTITY, _WIDEST_IDENTITY = 18, 13, 40
"""A longer name gets a line of its own, since two cut names may look alike; a longer identity is cut."""


class Smoke:
    """A single test in full; of a matrix, a row for each test when it ends, and below it why the test did not pass."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._paint = page.paint
        self._is_matrix = False
        self._explained: set[str] = set()
        """The notes on signs (≥, ~) that have been printed."""

    def began(self, event: SmokeBegan) -> None:
        self._is_matrix = event.matrix
        if event.matrix:
            self._page.print(self._paint(_row(*_HEADINGS).rstrip(), "bold"))

    def ended(self, event: SmokeEnded) -> None:
        self._page.print(*(self._row(event) if self._is_matrix else self._whole(event)))

    def _whole(self, event: SmokeEnded) -> list[str]:
        verdict = f"{smoke.verdict(event)}  "
        headline = ": ".join(filter(None, [smoke.server(event), ", ".join(smoke.measured(event))]))
        report = event.result.server if event.result is not None else None
        return [
            *(self._paint(line, smoke.style(event)) for line in indented(headline, len(verdict), verdict)),
            *(line for reason in smoke.reasons(event) for line in indented(reason, len(verdict))),
            rule(),
            *(fact("server", sentences.server(report)) if report is not None else []),
            *(fact("hit rate", f"{smoke.hits(event)} %") if smoke.hits(event) != figures.NOTHING else []),
            *(line for note in smoke.notes(event) for line in fact("note", note)),
            "",
            self._paint(f"{'criterion':<{_NAME}}{'limit':<{_LIMIT}}{'':<{_ANSWER}}found", "bold"),
            *(line for check in event.checks for line in self._check(check)),
            *self._log_tail(event),
        ]

    def _check(self, check: Check) -> list[str]:
        label = f"{check.name:<{_NAME}}{check.limit:<{_LIMIT}}{smoke.answer(check):<{_ANSWER}}"
        lines = indented(smoke.found(check), len(label), label)
        return [self._paint(line, _ANSWER_STYLES[check.passed]) for line in lines]

    def _log_tail(self, event: SmokeEnded) -> list[str]:
        if not event.log_tail:
            return []
        lines = (line for words in smoke.log_tail(event) for line in indented(words, 2) or [""])
        return ["", self._paint("the end of the server's log", "bold"), *(self._paint(line, "dim") for line in lines)]

    def _row(self, event: SmokeEnded) -> list[str]:
        cells = [smoke.throughput(event), *smoke.percentiles(event), smoke.hits(event), smoke.server_cpu(event)]
        verdict = _SHORT.get(smoke.verdict(event), smoke.verdict(event))
        reasons = smoke.reasons(event)
        because = [line for reason in reasons for line in indented(reason, 2)]
        name = printable(event.server)
        alone = [name] if len(name) >= _SERVER else []
        row = _row("" if alone else name, _beside_name(event.identity, name), *cells, "")
        return [
            *(line for words in alone for line in indented(words, 0)),
            f"{row}{self._paint(verdict, smoke.style(event))}",
            *(self._paint(line, "red" if event.failed else "yellow") for line in because),
            *(self._paint(line, "dim") for note in self._fresh(event) for line in indented(note, 2)),
        ]

    def _fresh(self, event: SmokeEnded) -> list[str]:
        """Return the notes on signs in this row that no earlier row had."""
        notes = [note for note in smoke.marks(event) if note not in self._explained]
        self._explained |= {*notes}
        return notes


_HEADINGS = ("server", "identity", "req/s", "p50", "p99", "p99.9", "hit%", "CPU/req", "")

_SHORT = {"CANNOT TELL": "?", "INTERRUPTED": "stop"}
"""Short forms of verdicts that are wider than the last column."""


def _row(name: str, identity: str, *cells: str) -> str:
    """Return a row of the matrix. The identity grows in a wide row; a narrow row leaves it out, and p99.9."""
    rate, p50, p99, p999, hits, cpu, verdict = cells
    room = _IDENTITY + width() - WIDTH
    called = f"{_short(identity, min(room, _WIDEST_IDENTITY) - 1):<{min(room, _WIDEST_IDENTITY)}}" if room > 0 else ""
    tail = f"{p999:>8}" if width() >= WIDTH else ""
    return f"{name:<{_SERVER}}{called}{rate:>5}{p50:>8}{p99:>8}{tail}{hits:>6}{cpu:>8}  {verdict}"


def _beside_name(identity: str, server: str) -> str:
    """Return the identity; only its version when room is short and the server's name begins with the identity's."""
    name, blank, version = identity.rpartition(" ")
    return version if blank and width() <= WIDTH and server.startswith(name) else identity


def _short(identity: str, longest: int) -> str:
    """Return a name and version cut to `longest`; the name is cut, so that the version can be read: "memca… 1.6.18"."""
    words = printable(identity)
    name, _, version = words.rpartition(" ")
    if len(words) <= longest or not name or len(version) > longest - 3:
        return printable(words, longest)
    return f"{name[: longest - len(version) - 2]}… {version}"
