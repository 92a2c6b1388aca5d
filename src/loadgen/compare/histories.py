"""The histories of a comparison: in one folder, a file for each candidate and round.

A round restarts its servers, so its history is one of its own: its values are marked with another number than those of
other rounds, and a value of another round is somebody else's.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

from loadgen.errors import UsageError
from loadgen.plan import KeptHistory, Plan
from loadgen.verify.history import folder


class Histories:
    """The folder of a comparison's histories; nothing is kept where the plans ask for none."""

    def __init__(self, plans: Sequence[Plan]) -> None:
        """Make the folder. Raises UsageError when it has histories already, OutputError when it cannot be made."""
        self.folder = next((plan.history.path for plan in plans if plan.history is not None), "")
        if self.folder:
            folder.made(self.folder, "candidate and round")

    def of_round(self, plan: Plan, place: int, name: str, number: int) -> Plan:
        """Return the plan with the history of a candidate in a round; 0 is the load by which a rate is found."""
        if plan.history is None:
            return plan
        path = folder.named(self.folder, str(place + 1), name, f"round-{number:02}" if number else "rate")
        return replace(plan, history=KeptHistory(path, plan.history.keys, int.from_bytes(os.urandom(8)) | 1))


def refuse_shared(named: Sequence[tuple[str, Plan]]) -> None:
    """Raise UsageError where two candidates are one running server and a history is kept: each is given by name."""
    seen: dict[str, str] = {}
    for name, plan in named:
        for endpoint in map(str, plan.target.endpoints) if plan.history is not None else ():
            if endpoint in seen:
                raise UsageError(
                    f"{seen[endpoint]} and {name} are the same running server, {endpoint}: each would take what the "
                    "other writes for wrong values, so that no history is kept; leave the history out."
                )
            seen[endpoint] = name
