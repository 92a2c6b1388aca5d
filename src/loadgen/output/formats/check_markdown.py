"""A history that was checked as Markdown: the answer, the counts, and each violation with its operations by process.

Words from outside are escaped, so that they cannot break a table or become links or images.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from loadgen import escape
from loadgen.output.words import histories
from loadgen.units import span
from loadgen.verify.checked import HistoryChecked
from loadgen.verify.checkers.answer import Violation

_LONGEST = 1000


def document(checked: HistoryChecked) -> str:
    """Return the document."""
    answer = checked.answer
    return "\n".join(
        [
            f"# check: {histories.verdict(checked)}",
            "",
            f"Generated: {datetime.fromtimestamp(checked.wall_s, UTC).strftime('%Y-%m-%dT%H:%M:%SZ')} by loadgen "
            f"{_escaped(checked.version)}  ",
            f"History: {_escaped(checked.path)}  ",
            f"Model: {_escaped(answer.model)}",
            "",
            "## Summary",
            "",
            *_table(
                ["Metric", "Value"],
                [
                    ["operations", f"{answer.operations:,}"],
                    ["keys", f"{answer.keys:,}"],
                    ["violations", f"{answer.found:,}"],
                    *([name, f"{count:,}"] for name, count in answer.counts.items()),
                    ["duration", span(checked.took_ns)],
                ],
            ),
            "",
            *_list("Kinds of violations", histories.kinds(checked)),
            *_list("Not judged", histories.why(checked)),
            *_list("Notes", histories.notes(checked)),
            *(line for violation in answer.violations for line in _violation(violation)),
            *[f"{histories.more(checked)}.", ""][: 2 * bool(histories.more(checked))],
        ]
    )


def _violation(violation: Violation) -> list[str]:
    rows = histories.window(violation)
    table = [[("✗ " if accused else "") + process, bar, words] for process, bar, words, accused in rows]
    lines = [["Process", "Order", "Operation"], ["---"] * 3]
    lines += [[_escaped(process), f"`{bar}`", _escaped(words)] for process, bar, words in table]
    return [
        f"## {_escaped(histories.title(violation))}",
        "",
        _escaped(histories.sentence(violation)),
        "",
        *(f"| {' | '.join(cells)} |" for cells in lines),
        "",
    ]


def _list(title: str, said: Sequence[str]) -> list[str]:
    return [f"{title}:", "", *(f"- {_escaped(words)}" for words in said), ""] if said else []


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [headings, ["---"] * len(headings), *([_escaped(cell) for cell in row] for row in rows)]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def _escaped(words: str) -> str:
    return escape.markdown(words, _LONGEST)
