"""A history that was checked as Markdown: the answer, the counts, and each violation with its operations by process.

Words from outside are escaped, so that they cannot break a table or become links or images.
"""

from __future__ import annotations

from datetime import UTC, datetime

from loadgen.output.paper.markdown import escaped, listed, table
from loadgen.output.words import histories
from loadgen.units import span
from loadgen.verify.checked import HistoryChecked
from loadgen.verify.checkers.answer import Violation


def document(checked: HistoryChecked) -> str:
    """Return the document."""
    answer = checked.answer
    return "\n".join(
        [
            f"# check: {histories.verdict(checked)}",
            "",
            f"Generated: {datetime.fromtimestamp(checked.wall_s, UTC).strftime('%Y-%m-%dT%H:%M:%SZ')} by loadgen "
            f"{escaped(checked.version)}  ",
            f"History: {escaped(checked.path)}  ",
            f"Model: {escaped(answer.model)}",
            "",
            "## Summary",
            "",
            *table(
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
            *listed("Kinds of violations", histories.kinds(checked)),
            *listed("Not judged", histories.why(checked)),
            *listed("Notes", histories.notes(checked)),
            *(line for violation in answer.violations for line in _violation(violation)),
            *[f"{histories.more(checked)}.", ""][: 2 * bool(histories.more(checked))],
        ]
    )


def _violation(violation: Violation) -> list[str]:
    rows = histories.window(violation)
    table = [[("✗ " if accused else "") + process, bar, words] for process, bar, words, accused in rows]
    lines = [["Process", "Order", "Operation"], ["---"] * 3]
    lines += [[escaped(process), f"`{bar}`", escaped(words)] for process, bar, words in table]
    return [
        f"## {escaped(histories.title(violation))}",
        "",
        escaped(histories.sentence(violation)),
        "",
        *(f"| {' | '.join(cells)} |" for cells in lines),
        "",
    ]
