"""The histories of a comparison: in one folder, a file for each candidate and round.

A round restarts its servers, so its history is one of its own: its values are marked with another number than those of
other rounds, and a value of another round is somebody else's.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from loadgen.errors import OutputError, UsageError
from loadgen.escape import printable
from loadgen.plan import KeptHistory, Plan

SUFFIX = ".lghist"

_MOST_OF_A_NAME = 60
"""Of a candidate's name in a file's."""


class Histories:
    """The folder of a comparison's histories; nothing is kept where the plans ask for none."""

    def __init__(self, plans: Sequence[Plan]) -> None:
        """Make the folder. Raises UsageError when it has histories already, OutputError when it cannot be made."""
        self.folder = next((plan.history.path for plan in plans if plan.history is not None), "")
        if not self.folder:
            return
        folder = Path(self.folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            there = any(each.suffix == SUFFIX for each in folder.iterdir())
        except OSError as error:
            said = "there is a file of this name" if isinstance(error, FileExistsError) else error.strerror
            raise OutputError(
                f"the folder of histories {printable(self.folder)} could not be made: {said}; a comparison keeps a "
                "file for each candidate and round in it"
            ) from error
        if there:
            raise UsageError(f"{printable(self.folder)} has histories already: remove them, or name another folder.")

    def of_round(self, plan: Plan, place: int, name: str, number: int) -> Plan:
        """Return the plan with the history of a candidate in a round; 0 is the load by which a rate is found."""
        if plan.history is None:
            return plan
        word = re.sub(r"[^A-Za-z0-9._-]+", "-", name)[:_MOST_OF_A_NAME].strip("-.")
        of = f"round-{number:02}" if number else "rate"
        path = Path(self.folder, "-".join(filter(None, (str(place + 1), word, of))) + SUFFIX)
        return replace(plan, history=KeptHistory(str(path), plan.history.keys, int.from_bytes(os.urandom(8)) | 1))


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
