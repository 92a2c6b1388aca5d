"""`--format quiet` of a saturation search: its answer, and the reasons to doubt the answer."""

from __future__ import annotations

from loadgen.events import SearchEnded
from loadgen.output.formats.quiet.account import remarks
from loadgen.output.words import search


def ended(event: SearchEnded) -> str:
    """Return the line."""
    return "  ".join([*_found(event), *remarks(event)])


def _found(event: SearchEnded) -> list[str]:
    answer = event.answer
    if answer is None:
        return [f"{search.terms(event.limits)} not known"]
    return [search.interval(answer), search.terms(event.limits), search.sureness(answer)]
