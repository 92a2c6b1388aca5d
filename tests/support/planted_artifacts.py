"""Artifacts of the failures of `planted_kinds`."""

from __future__ import annotations

from planted_kinds import Reads

from loadgen.verify.artifact import Artifact, Origin
from loadgen.verify.campaign import Batch, Campaign


def kept(bug: str = "lost") -> list[Artifact]:
    """The artifacts of a campaign."""
    found: list[Artifact] = []

    def keep(artifact: Artifact) -> str:
        found.append(artifact)
        return ""

    campaign = Campaign(
        "planted",
        Origin("0.1.0", "abc"),
        20,
        emit=lambda event: None,
        clock_ns=lambda: 0,
        replay=lambda batch, kind, seed: "",
        keep=keep,
    )
    campaign.run(Batch("planted", [Reads(bug=bug)], range(20), {"ops": "100", "bug": bug}, "store 1.0", "5bec"))
    return found
