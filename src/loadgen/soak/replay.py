"""The replay of a recorded soak: its journal told again all that the run folder has, so that it is judged anew. No I/O
but the folder's."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

from loadgen.errors import UsageError
from loadgen.escape import printable
from loadgen.judge.check import Check
from loadgen.reason import Reason
from loadgen.soak import written
from loadgen.soak.asked import asked_of
from loadgen.soak.bands import Band
from loadgen.soak.ended import SoakEnded
from loadgen.soak.folder import KeptRun, Row
from loadgen.soak.found import End, How
from loadgen.soak.journal import Journal


class Replay:
    """A recorded soak. Its bands and checks are those that it had, unless others are given."""

    def __init__(
        self,
        run: KeptRun,
        *,
        bands: tuple[Band, ...] | None = None,
        checks: tuple[Check, ...] | None = None,
        against: Journal | None = None,
    ) -> None:
        """Raises UsageError when `run.json` is none of a soak."""
        self.run = run
        self._against = against
        try:
            asked = asked_of(run.run)
            self.began_wall_s = float(run.run["started_s"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            what = f"{type(error).__name__}: {error}"
            raise UsageError(
                f"{printable(str(run.path))}/run.json: is not what a soak writes ({printable(what, 80)})."
            ) from None
        if bands is not None:
            asked = replace(asked, bands=bands)
        if checks is not None:
            asked = replace(asked, checks=checks)
        self.asked = asked

    @cached_property
    def journal(self) -> Journal:
        """The journal, told everything. Raises UsageError for lines that are none of a soak."""
        journal = Journal(self.asked, against=self._against)
        events = [*self._events()]
        # Checkpoints' own times on the wall say if they were late.
        walls = {int(event["number"]): float(event["wall_s"]) for _, event in events if event["type"] == "checkpoint"}
        waiting = iter(events)
        due = next(waiting, None)
        began_s = self.began_wall_s + self.asked.schedule.settle_s
        for event in (event for _, event in events if event["type"] == "baseline"):
            began_s = float(event["wall_s"]) - self.asked.schedule.every_s
        for row in self.run.rows():
            while due is not None and due[0] < row.t_s:
                self._tell(journal, due[1])
                due = next(waiting, None)
            number = journal.asked.schedule.due(0, row.t_s) if row.t_s > 0 else 0
            journal.sample(row, self._wall_s(began_s, row, number, walls))
        while due is not None:
            self._tell(journal, due[1])
            due = next(waiting, None)
        return journal

    def ended(self, version: str, notes: tuple[Reason, ...] = ()) -> SoakEnded:
        """Return the end of the soak, judged by this version; `notes` are remarks on the verdict."""
        journal = self.journal
        end = self._end(journal)
        run = self.run.run
        return SoakEnded(
            journal.asked,
            journal.found,
            end,
            journal.verdict(end),
            version,
            str(run.get("host", "")),
            str(run.get("target", "")),
            str(self.run.path),
            self.began_wall_s,
            notes,
            replayed=True,
        )

    def _wall_s(self, began_s: float, row: Row, number: int, walls: Mapping[int, float]) -> float:
        """Return when a sample came: of one at a checkpoint it is known, of others it does not matter."""
        return walls.get(number, began_s + row.t_s)

    def _events(self) -> Iterator[tuple[float, Mapping[str, Any]]]:
        """Yield the events with their times, in their order; what is said of settling is before everything else."""
        for event in self.run.events:
            try:
                t_s = float(event["t_s"]) if event["t_s"] is not None else 0.0
                yield (-math.inf if event["type"] == "baseline" else t_s), {"number": 0, **event}
            except (KeyError, TypeError, ValueError):
                raise UsageError(
                    f"{printable(str(self.run.path))}/events.ndjson: has an event that is none of a soak."
                ) from None

    def _tell(self, journal: Journal, event: Mapping[str, Any]) -> None:
        match event["type"]:
            case "gap":
                journal.gap(written.gap_of(event))
            case "restart":
                journal.restart(written.restart_of(event))
            case "checkpoint" | "end":
                journal.totals(written.totals_of(event["totals"]))
            case "resume":
                journal.paused(float(event["length_s"]))
            case "extended":
                journal.extended(float(event["duration_s"]))
            case "evidence":
                for column, who in event["named"].items():
                    journal.named(str(column), str(who))

    def _end(self, journal: Journal) -> End:
        for event in reversed(self.run.events):
            if event.get("type") == "end":
                return written.end_of(event)
        t_s = max(0.0, journal.t_s)
        return End(How.KILLED, t_s, "the run folder has no end: loadgen was killed, or the soak still runs")
