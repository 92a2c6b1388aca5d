"""`--format quiet` of a smoke test: the answer, the load's figures, and why the test did not pass."""

from __future__ import annotations

from loadgen.output.formats.quiet.account import server
from loadgen.output.words import smoke
from loadgen.smoke.ended import SmokeEnded


def ended(event: SmokeEnded) -> str:
    """Return the line."""
    report = event.result.server if event.result is not None else None
    parts = [f"{smoke.verdict(event)} {smoke.server(event)}", *smoke.measured(event), *server(report)]
    return "  ".join([*parts, *filter(None, ["; ".join(smoke.reasons(event))])])
