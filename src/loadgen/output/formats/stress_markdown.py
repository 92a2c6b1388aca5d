"""A stress test as Markdown: the counts, the table, why loads did not pass, and the commands that repeat them.

Words from outside are escaped, so that they cannot break a table or become links or images.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from loadgen import escape
from loadgen.output.words import stress
from loadgen.units import span
from loadgen.verify.case import Verdict
from loadgen.verify.stress.ended import StressEnded

_LONGEST = 1000


def document(ended: StressEnded) -> str:
    """Return the document."""
    return "\n".join(
        [
            f"# stress: {stress.verdict(ended)}",
            "",
            f"Generated: {datetime.fromtimestamp(ended.wall_s, UTC).strftime('%Y-%m-%dT%H:%M:%SZ')} by loadgen "
            f"{_escaped(ended.version)}  ",
            "Suite: stress  ",
            f"Server: {_escaped(ended.identity or 'not known')}",
            "",
            "## Summary",
            "",
            *_table(["Metric", "Value"], _summary(ended)),
            "",
            f"Status: **{stress.verdict(ended)}**",
            "",
            *_list("Reasons", stress.why(ended)),
            "## Loads",
            "",
            *_table(stress.HEADINGS, [stress.cells(row) for row in ended.rows]),
            "",
            *_list("Notes", stress.notes(ended)),
            *_others(ended),
        ]
    )


def _summary(ended: StressEnded) -> list[list[str]]:
    return [
        ["Total", str(len(ended.rows))],
        *([word.capitalize(), str(ended.counts[each])] for each, word in stress.COUNTED.items()),
        ["Duration", span(ended.took_ns)],
    ]


def _others(ended: StressEnded) -> Iterator[str]:
    """Yield the loads that did not pass, each with its reasons and its command."""
    others = [row for row in ended.rows if row.verdict is not Verdict.PASS]
    if not others:
        return
    yield from ("## Loads That Did Not Pass", "")
    rows = [
        [stress.name(row), stress.answer(row), "; ".join(stress.reasons(row)), stress.replay(row)] for row in others
    ]
    yield from _table(["Load", "Answer", "Reasons", "Replay Command"], rows)
    yield ""


def _list(title: str, said: Sequence[str]) -> list[str]:
    return [f"{title}:", "", *(f"- {_escaped(words)}" for words in said), ""] if said else []


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [headings, ["---"] * len(headings), *([_escaped(cell) for cell in row] for row in rows)]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def _escaped(words: str) -> str:
    return escape.markdown(words, _LONGEST)
