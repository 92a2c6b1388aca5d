"""The parts that the lines of a run, a search and a smoke test share."""

from __future__ import annotations

from loadgen.events import NOT_FOUND, NOTHING_MEASURED, LoadEnded, Result
from loadgen.output.words import figures, sentences
from loadgen.units import NS_PER_US
from loadgen.usage import ServerReport


def server(report: ServerReport | None) -> list[str]:
    """Return the server's CPU time per request; empty when no server was watched or no request was sent."""
    cpu = report.cpu_us_per_request if report is not None else None
    return [] if cpu is None else [f"server={figures.latency_word(cpu * NS_PER_US)}/req"]


def remarks(event: LoadEnded) -> list[str]:
    """Return the facts that a reader of the figures must know: interruption, failures, overload, doubts, warnings."""
    warnings = sentences.warnings(event)
    strain = sentences.overload(event) if isinstance(event, Result) else []
    said = {NOTHING_MEASURED.words, NOT_FOUND.words}
    reasons = [reason for reason in sentences.reasons(event) if reason not in said]
    return [
        *(["interrupted"] if event.interrupted else []),
        *sentences.exit_report(event.server if isinstance(event, Result) else None),
        *(["built-in server"] if event.embedded else []),
        *sentences.failures(event),
        *([f"OVERLOAD: {strain[0]}"] if strain else []),
        *([f"INVALID: {'; '.join(reasons)}"] if reasons else []),
        *([f"warning: {'; '.join(warnings)}"] if warnings else []),
    ]
