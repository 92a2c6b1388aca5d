"""Events from records, so that an earlier result can be shown in any format. No I/O.

Every value that outputs show of an event is in its record, and is read back unchanged. Two things are not restored: the
histogram of an interval is exact only at the percentiles of its row, and the parts of a plan that no output shows are
empty.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from loadgen.events import Event, Result, StepTaken
from loadgen.jobs.load.ended import JobsEnded
from loadgen.plan import Plan
from loadgen.record.read import campaign, check, jobs, judged, monitors, run, search, soak, stress, trial
from loadgen.record.read.fields import Fields
from loadgen.smoke.ended import SmokeBegan
from loadgen.soak.asked import Asked
from loadgen.soak.ended import SoakBegan
from loadgen.trial.ended import ChaosBegan, ChaosEnded, TrialEnded
from loadgen.verify.ended import CaseEnded
from loadgen.verify.stress.ended import Stressed

Record = Mapping[str, Any]


class Reading:
    """The events of a file's records, in their order."""

    def __init__(self) -> None:
        self.missing: dict[str, None] = {}
        """The dotted names of the fields that the records lack and this loadgen writes, such as `sample.commands`."""
        self._plan: Plan | None = None
        self._result: Result | None = None
        self._steps: list[StepTaken] = []
        self._cases: list[CaseEnded] = []
        """The cases of the campaign whose end has not come yet."""
        self._rows: list[Stressed] = []
        """The loads of the stress test whose end has not come yet."""
        self._tests: list[JobsEnded] = []
        """The tests of jobs until their comparison."""
        self._asked: Asked | None = None
        """What was asked of the soak whose beginning has been read."""
        self._gate = False
        """True when a gate's answer is among the records."""

    def events(self, records: Sequence[Record]) -> Iterator[Event]:
        """Yield the events. Raise ValueError, KeyError, TypeError or AttributeError at a record of unknown form."""
        kinds = [str(record["type"]) for record in records]
        self._gate = any(record.get("gate", False) for record in records)
        if "smoke" in kinds:
            yield SmokeBegan(matrix=kinds.count("smoke") > 1)
        if "trial" in kinds:
            plans = (Fields(record, "trial", {}).part("plan") for record in records if record["type"] == "trial")
            yield ChaosBegan(tuple(map(trial.plan, plans)))
        ended: list[TrialEnded] = []
        for record, kind in zip(records, kinds, strict=True):
            fields = Fields(record, kind, self.missing)
            event = self._event(fields)
            if event is not None:
                yield event
            if isinstance(event, TrialEnded):
                ended.append(event)
        if ended:
            yield ChaosEnded(tuple(ended), any(each.interrupted for each in ended))

    @property
    def plan(self) -> Plan:
        """The plan of the last `config` record; an empty plan when there was none, which counts as missing."""
        if self._plan is None:
            self.missing["config"] = None
            return run.plan(Fields({}, "config", {}))
        return self._plan

    def _event(self, record: Fields) -> Event | None:
        match record.name:
            case "config":
                configured = run.configured(record)
                self._plan, self._result, self._steps = configured.plan, None, []
                return configured
            case "phase":
                return run.phase(record)
            case "sample":
                return run.sample(record)
            case "topology":
                return run.topology(record)
            case "result":
                self._result = run.result(record, self.plan)
                return self._result
            case "reading" | "monitor-gap":
                return monitors.event(record)
            case "step":
                self._steps.append(search.step(record))
                return self._steps[-1]
            case "saturation":
                return search.ended(record, self.plan, [taken.step for taken in self._steps])
            case _:
                return self._judged(record)

    def _judged(self, record: Fields) -> Event | None:
        match record.name:
            case "smoke":
                result, self._result = self._result, None
                return judged.smoke(record, self._plan or run.plan(Fields({}, "config", {})), result)
            case "round":
                return judged.round_ended(record, self._gate)
            case "comparison":
                return judged.compared(record)
            case "noise":
                return judged.noise(record)
            case "campaign-began":
                self._cases = []
                return campaign.event(record, ())
            case "check":
                return check.checked(record)
            case "stress-began" | "stress-load" | "stress":
                return self._stress(record)
            case "soak-began" | "soak-baseline" | "soak-checkpoint" | "soak-note" | "soak":
                return self._soak(record)
            case _:
                return trial.event(record) or self._campaign(record) or self._jobs(record)

    def _stress(self, record: Fields) -> Event | None:
        if record.name == "stress-began":
            self._rows = []
        event = stress.event(record, self._result, self._rows)
        if isinstance(event, Stressed):
            self._rows.append(event)
        return event

    def _jobs(self, record: Fields) -> Event | None:
        event = jobs.event(record, self._tests)
        if isinstance(event, JobsEnded):
            self._tests.append(event)
        return event

    def _soak(self, record: Fields) -> Event | None:
        event = soak.event(record, self._asked)
        if isinstance(event, SoakBegan):
            self._asked = event.asked
        return event

    def _campaign(self, record: Fields) -> Event | None:
        event = campaign.event(record, self._cases)
        if isinstance(event, CaseEnded):
            self._cases.append(event)
        return event
