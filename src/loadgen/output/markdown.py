"""A gate's answer as Markdown, for the summary of a GitHub job: the verdict as heading, a table, and why.

Names come from outside and are escaped: a table stays a table, and nothing becomes a link or an image.
"""

from __future__ import annotations

import re

from loadgen.comparison import Compared, Row, Verdict
from loadgen.errors import printable
from loadgen.output import comparison, figures
from loadgen.output.sink import write_file
from loadgen.stats.sequential import Answer

_SIGNS = {Verdict.PASS: "✅", Verdict.FAIL: "❌", Verdict.INCONCLUSIVE: "⚠️", Verdict.REFUSED: "⚠️"}

_HEADINGS = ("metric", "A", "B", "change", "interval", "threshold", "answer")


def append_markdown(path: str, compared: Compared) -> None:
    """Adds to the file, as a job's summary is added to by each step. Raises OutputError when it cannot be written."""
    write_file(path, markdown(compared), append=True)


def markdown(compared: Compared) -> str:
    """The section, with an empty line after it."""
    headings = [*_HEADINGS]
    headings[headings.index("interval")] = f"{comparison.confidence(compared)} interval"
    table = [headings, ["---"] + ["---:"] * 5 + ["---"], *map(_row, compared.rows)] if compared.rows else []
    reasons = [] if compared.verdict is Verdict.PASS else comparison.reasons(compared)
    told = [*reasons, *comparison.notes(compared)]
    names = f"{escaped(printable(compared.b.name))} against {escaped(printable(compared.a.name))}"
    lines = [
        f"## {_SIGNS[compared.verdict]} {compared.verdict}: {names}",
        "",
        *([f"| {' | '.join(cells)} |" for cells in table] + [""] * bool(table)),
        *([f"- {escaped(words)}" for words in told] + [""] * bool(told)),
        f"A is {escaped(comparison.candidate(compared.a))}, B is {escaped(comparison.candidate(compared.b))}: "
        f"{escaped(', '.join(comparison.settings(compared, figures.grouped)))}.",
        "",
    ]
    return "\n".join(lines) + "\n"


def escaped(words: str) -> str:
    """Text that Markdown takes as it is, on one line."""
    plain = re.sub(r"([\\`*_\[\]~@#!])", r"\\\1", " ".join(words.split()))
    return plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("|", "&#124;")


def _row(row: Row) -> list[str]:
    answer = escaped(comparison.answer(row))
    return [
        escaped(comparison.label(row.metric)),
        *comparison.a_and_b(row),
        figures.change(row.effect),
        comparison.interval(row),
        comparison.threshold(row),
        f"**{answer}**" if row.answer in (Answer.WORSE, Answer.BETTER) else answer,
    ]
