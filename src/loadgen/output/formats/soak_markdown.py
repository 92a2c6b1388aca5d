"""A soak as Markdown: the answer and its reasons, the bands, what was asked, and the checks.

Words from outside are escaped, so that they cannot break a table or become links or images.
"""

from __future__ import annotations

from loadgen.judge.check import Level
from loadgen.output.paper.markdown import escaped, listed, table
from loadgen.output.words import checks, soak
from loadgen.soak.ended import SoakEnded


def document(ended: SoakEnded) -> str:
    """Return the document."""
    judged = ended.verdict
    return "\n".join(
        [
            f"# Soak: {soak.verdict(ended)}",
            "",
            f"{escaped(soak.complete(ended))}  ",
            f"Start: {soak.moment(ended.began_wall_s)}  ",
            f"Target: {escaped(ended.target)}  ",
            f"Duration: {soak.length(ended.end.t_s)} of {soak.length(ended.asked.schedule.duration_s)}, "
            f"{len(ended.found.checkpoints)} checkpoints  ",
            f"Run folder: {escaped(ended.folder)}",
            "",
            *listed("Reasons", soak.why(ended)),
            "## Growth",
            "",
            *table(soak.HEADINGS, [soak.cells(ended.asked, each) for each in judged.graded]),
            "",
            *_rows(ended, Level.MUST, "## Must have"),
            *_rows(ended, Level.NICE, "## Nice to have"),
            *(
                ["## Checks", "", *(f"- {escaped(checks.line(each))}" for each in judged.checked), ""]
                if judged.checked
                else []
            ),
            "## Checkpoints",
            "",
            *(f"- {escaped(soak.checkpoint(ended.asked, each))}" for each in ended.found.checkpoints),
            "",
            *listed("Notes", soak.notes(ended)),
        ]
    )


def _rows(ended: SoakEnded, level: Level, title: str) -> list[str]:
    rows = [[row.name, soak.row_answer(row), soak.found(row)] for row in ended.verdict.rows if row.level is level]
    return [title, "", *table(["What", "Answer", "Found"], rows), ""] if rows else []
