"""`--format clean` of smoke tests: the answer first, then a row for each criterion; of many tests, a row for each."""

from __future__ import annotations

from loadgen.errors import printable
from loadgen.output import figures, sentences, smoke
from loadgen.output.color import Paint
from loadgen.output.event import AnyEvent
from loadgen.output.layout import WIDTH, fact, indented
from loadgen.output.sink import Sink
from loadgen.smoke import Check, SmokeEnded

_ANSWER_STYLES = {True: "green", False: "bold red", None: "dim"}

_NAME, _LIMIT, _ANSWER = 19, 12, 6
"""The widths of a criterion's first columns."""

_SERVER, _IDENTITY = 18, 13
"""A longer name has a line of its own, as a cut one may be another server's too; a longer identity is cut."""


class CleanSmoke:
    """One test. Its load's own events are not shown: `--format verbose` has them."""

    def __init__(self, sink: Sink, paint: Paint) -> None:
        self._sink = sink
        self._paint = paint

    def emit(self, event: AnyEvent) -> None:
        if isinstance(event, SmokeEnded):
            self._sink.write("".join(f"{line}\n" for line in self._ended(event)))

    def _ended(self, event: SmokeEnded) -> list[str]:
        verdict = f"{smoke.verdict(event)}  "
        headline = ": ".join(filter(None, [smoke.server(event), ", ".join(smoke.measured(event))]))
        report = event.result.server if event.result is not None else None
        return [
            *(self._paint(line, smoke.style(event)) for line in indented(headline, len(verdict), verdict)),
            *(line for reason in smoke.reasons(event) for line in indented(reason, len(verdict))),
            "─" * WIDTH,
            *(fact("server", sentences.server(report)) if report is not None else []),
            *(fact("hit rate", f"{smoke.hits(event)}%") if smoke.hits(event) != figures.NOTHING else []),
            *(line for note in smoke.notes(event) for line in fact("note", note)),
            "",
            self._paint(f"{'criterion':<{_NAME}}{'limit':<{_LIMIT}}{'':<{_ANSWER}}found", "bold"),
            *(line for check in event.checks for line in self._check(check)),
            *self._last_words(event),
        ]

    def _check(self, check: Check) -> list[str]:
        label = f"{check.name:<{_NAME}}{check.limit:<{_LIMIT}}{smoke.answer(check):<{_ANSWER}}"
        lines = indented(smoke.found(check), len(label), label)
        return [self._paint(line, _ANSWER_STYLES[check.passed]) for line in lines]

    def _last_words(self, event: SmokeEnded) -> list[str]:
        if not event.last_words:
            return []
        lines = (line for words in smoke.last_words(event) for line in indented(words, 2) or [""])
        return ["", self._paint("the end of the server's log", "bold"), *(self._paint(line, "dim") for line in lines)]


class CleanMatrix:
    """Many tests: a row as soon as one has ended, and below it what it failed by first."""

    def __init__(self, sink: Sink, paint: Paint) -> None:
        self._sink = sink
        self._paint = paint
        self._rows = 0

    def emit(self, event: AnyEvent) -> None:
        if not isinstance(event, SmokeEnded):
            return
        header = [self._paint(_row(*_HEADINGS).rstrip(), "bold")] if not self._rows else []
        self._rows += 1
        self._sink.write("".join(f"{line}\n" for line in [*header, *self._ended(event)]))

    def _ended(self, event: SmokeEnded) -> list[str]:
        cells = [smoke.throughput(event), *smoke.percentiles(event), smoke.hits(event), smoke.server_cpu(event)]
        verdict = _SHORT.get(smoke.verdict(event), smoke.verdict(event))
        reasons = smoke.reasons(event)
        more = f"; and {len(reasons) - 1} more" if len(reasons) > 1 else ""
        because = indented(f"{reasons[0]}{more}", 2) if reasons else []
        name = printable(event.server)
        alone = [name] if len(name) >= _SERVER else []
        return [
            *(line for words in alone for line in indented(words, 0)),
            f"{_row('' if alone else name, event.identity, *cells, '')}{self._paint(verdict, smoke.style(event))}",
            *(self._paint(line, "red" if event.failed else "yellow") for line in because),
        ]


_HEADINGS = ("server", "identity", "req/s", "p50", "p99", "p99.9", "hit%", "CPU/req", "")

_SHORT = {"CANNOT TELL": "?", "INTERRUPTED": "stop"}
"""What the last column has no room for."""


def _row(name: str, identity: str, *cells: str) -> str:
    rate, p50, p99, p999, hits, cpu, verdict = cells
    names = f"{name:<{_SERVER}}{printable(identity, _IDENTITY - 1):<{_IDENTITY}}"
    return f"{names}{rate:>5}{p50:>8}{p99:>8}{p999:>8}{hits:>6}{cpu:>8}  {verdict}"
