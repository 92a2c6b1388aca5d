"""`--format quiet` of a campaign: the answer with its counts, and the replay command of each different failure."""

from __future__ import annotations

from loadgen.output.words import campaigns
from loadgen.verify.ended import CampaignEnded


def ended(event: CampaignEnded) -> str:
    """Return the line."""
    parts = [f"{campaigns.verdict(event)} {event.suite}", campaigns.summary(event), *campaigns.reasons(event)]
    return "  ".join([*parts, *map(campaigns.replay, event.failures)])
