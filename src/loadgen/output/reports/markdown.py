"""A gate's answer as Markdown for the summary of a GitHub job: the verdict as heading, a table, and the reasons.

Names come from outside and are escaped, so that they cannot break the table or become links or images.
"""

from __future__ import annotations

from loadgen import escape
from loadgen.compare.answers import Compared, GateAnswer, Row
from loadgen.output.paper.sink import write_file
from loadgen.output.words import comparison, figures
from loadgen.stats.sequential import Shift

_LONGEST = 1000

_SIGNS = {
    GateAnswer.PASS: "✅",
    GateAnswer.FAIL: "❌",
    GateAnswer.INCONCLUSIVE: "⚠️",
    GateAnswer.REFUSED: "⚠️",
    GateAnswer.ERROR: "❌",
}


def append_markdown(path: str, compared: Compared) -> None:
    """Append to the file, as each step of a job appends to its summary. Raise OutputError when it cannot be written."""
    write_file(path, markdown(compared), append=True)


def markdown(compared: Compared) -> str:
    """Return the section, with an empty line after it."""
    a, b = map(_escaped, comparison.pair(compared))
    sure = f"{comparison.confidence(compared)} interval of it"
    headings = ["metric", a, b, "change", sure, "change that matters", "answer"]
    rows = [_row(row, compared) for row in compared.rows]
    table = [headings, ["---"] + ["---:"] * 5 + ["---"], *rows] if rows else []
    reasons = [] if compared.verdict is GateAnswer.PASS else comparison.reasons(compared)
    told = [*reasons, *comparison.notes(compared)]
    names = f"{_escaped(compared.b.name)} against {_escaped(compared.a.name)}"
    lines = [
        f"## {_SIGNS[compared.verdict]} {compared.verdict}: {names}",
        "",
        *([f"| {' | '.join(cells)} |" for cells in table] + [""] * bool(table)),
        *([f"- {_escaped(words)}" for words in told] + [""] * bool(told)),
        f"{b}: {_escaped(comparison.candidate(compared.b))}; {a}: {_escaped(comparison.candidate(compared.a))}. "
        f"{_escaped(', '.join(comparison.settings(compared, figures.grouped)))}.",
        "",
    ]
    return "\n".join(lines) + "\n"


def _escaped(words: str) -> str:
    return escape.markdown(words, _LONGEST)


def _row(row: Row, compared: Compared) -> list[str]:
    answer = _escaped(comparison.answer(row, compared.settings.one_sided))
    return [
        _escaped(comparison.label(row.metric)),
        *comparison.a_and_b(row),
        figures.change(row.effect),
        comparison.interval(row),
        comparison.threshold(row),
        f"**{answer}**" if row.answer in (Shift.WORSE, Shift.BETTER) else answer,
    ]
