"""`--format quiet` of a soak: the answer, the reasons, and the growth of each series by its band."""

from __future__ import annotations

from loadgen.output.words import figures, soak
from loadgen.soak.ended import SoakEnded


def ended(event: SoakEnded) -> str:
    """Return "PASS soak | 30m, 15 checkpoints; … | FD 0.3/min target"."""
    grown = [
        f"{figures.word(soak.label(event.asked, each.column))} {soak.rate(each, each.grown.slope)} {soak.grade(each)}"
        for each in event.verdict.graded
    ]
    return " | ".join([f"{soak.verdict(event)} soak", soak.summary(event), *soak.why(event), *grown])
