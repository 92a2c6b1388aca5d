"""`--format quiet` of a comparison or a gate: the answer for each metric."""

from __future__ import annotations

from loadgen.compare.answers import Compared, GateAnswer, NoiseFound
from loadgen.output.words import comparison


def compared(event: Compared) -> str:
    """Return the line."""
    gate = event.settings.one_sided
    answers = [
        f"{comparison.column(row.metric)} {comparison.answer(row, gate)} {comparison.effect(row)}" for row in event.rows
    ]
    if not gate:
        names = f"{comparison.candidate(event.b)} against {comparison.candidate(event.a)}:"
        return "  ".join([names, *(answers or ["no round ended"]), *comparison.cut_short(event)])
    unsaid = comparison.reasons(event) if event.verdict is GateAnswer.REFUSED else comparison.cut_short(event)
    return "  ".join([event.verdict, *answers, *unsaid])


def noise(event: NoiseFound) -> str:
    """Return the line."""
    told = [f"{metric} σ={sigma}" for metric, sigma, _ in comparison.noise(event)]
    return "  ".join([*told, comparison.alarms(event), *comparison.cut_short(event)])
