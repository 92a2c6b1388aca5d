"""What the lines of a run, a search and a smoke test have in common."""

from __future__ import annotations

from loadgen.events import NOT_FOUND, NOTHING_MEASURED, LoadEnded, Result
from loadgen.output.words import figures, sentences
from loadgen.units import NS_PER_US
from loadgen.usage import ServerReport


def server(report: ServerReport | None) -> list[str]:
    """The CPU time that a request cost a server that was watched; nothing where none was."""
    cpu = report.cpu_us_per_request if report is not None else None
    return [] if cpu is None else [f"server={figures.latency_word(cpu * NS_PER_US)}/req"]


def remarks(event: LoadEnded) -> list[str]:
    """What keeps a reader from taking the figures as they stand."""
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
