"""`--format quiet` of a history that was checked: the answer, and the kinds of violations."""

from __future__ import annotations

from loadgen.output.words import histories
from loadgen.verify.checked import HistoryChecked


def ended(event: HistoryChecked) -> str:
    """Return the line."""
    found = [f"{kind}={count}" for kind, count in sorted(event.answer.kinds.items())]
    parts = [f"{histories.verdict(event)} check", histories.summary(event), *found, *histories.why(event)]
    return "  ".join(parts)
