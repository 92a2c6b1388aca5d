"""`--format quiet` of a client on trial: the answer, detection and recovery, and why the trial did not pass."""

from __future__ import annotations

from loadgen.output.words import trials
from loadgen.trial.ended import TrialEnded


def ended(event: TrialEnded) -> str:
    """Return the line."""
    parts = [f"{trials.verdict(event)} {trials.name(event.plan)}", *trials.node_figures(event)]
    return "  ".join([*parts, *filter(None, ["; ".join(trials.reasons(event))])])
