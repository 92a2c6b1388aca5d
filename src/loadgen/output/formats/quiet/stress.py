"""`--format quiet` of a stress test: the answer, and of each load throughput, p50, p99 and memory."""

from __future__ import annotations

from loadgen.output.words import figures, stress
from loadgen.verify.stress.ended import Stressed, StressEnded


def ended(event: StressEnded) -> str:
    """Return the line."""
    parts = [f"{stress.verdict(event)} stress", stress.summary(event), *stress.why(event)]
    return "  ".join([*parts, *map(_row, event.rows)])


def _row(row: Stressed) -> str:
    connections, keys, value, rate, p50, p99, memory, *_ = map(figures.word, stress.cells(row))
    figured = f"{rate}req/s p50={p50} p99={p99} memory={memory} " if row.result is not None else ""
    return f"{connections}×{keys}×{value}: {figured}{stress.answer(row)}"
