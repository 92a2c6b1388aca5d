"""A stress test as Markdown: the counts, the table, why loads did not pass, and the commands that repeat them.

Words from outside are escaped, so that they cannot break a table or become links or images.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from loadgen.output.formats import monitors
from loadgen.output.paper.markdown import escaped, listed, table
from loadgen.output.words import stress
from loadgen.units import span
from loadgen.verify.case import Verdict
from loadgen.verify.stress.ended import StressEnded


def document(ended: StressEnded) -> str:
    """Return the document."""
    return "\n".join(
        [
            f"# stress: {stress.verdict(ended)}",
            "",
            f"Generated: {datetime.fromtimestamp(ended.wall_s, UTC).strftime('%Y-%m-%dT%H:%M:%SZ')} by loadgen "
            f"{escaped(ended.version)}  ",
            "Suite: stress  ",
            f"Server: {escaped(ended.identity or 'not known')}",
            "",
            "## Summary",
            "",
            *table(["Metric", "Value"], _summary(ended)),
            "",
            f"Status: **{stress.verdict(ended)}**",
            "",
            *listed("Reasons", stress.why(ended)),
            "## Loads",
            "",
            *table(stress.HEADINGS, [stress.cells(row) for row in ended.rows]),
            "",
            *listed("Notes", stress.notes(ended)),
            *_monitors(ended),
            *_others(ended),
        ]
    )


def _summary(ended: StressEnded) -> list[list[str]]:
    return [
        ["Total", str(len(ended.rows))],
        *([word.capitalize(), str(ended.counts[each])] for each, word in stress.COUNTED.items()),
        ["Duration", span(ended.took_ns)],
    ]


def _monitors(ended: StressEnded) -> Iterator[str]:
    """Yield what the monitors beside each load read."""
    for row in ended.rows:
        if row.result is not None and row.result.monitors:
            yield from (f"## Monitors Beside {escaped(stress.name(row))}", "", *monitors.markdown(row.result.monitors))


def _others(ended: StressEnded) -> Iterator[str]:
    """Yield the loads that did not pass, each with its reasons and its command."""
    others = [row for row in ended.rows if row.verdict is not Verdict.PASS]
    if not others:
        return
    yield from ("## Loads That Did Not Pass", "")
    rows = [
        [stress.name(row), stress.answer(row), "; ".join(stress.reasons(row)), stress.replay(row)] for row in others
    ]
    yield from table(["Load", "Answer", "Reasons", "Replay Command"], rows)
    yield ""
