"""The report of `full`: the events of its parts, each a verb's, folded into one campaign. No I/O.

A part that this version does not have, or that the server cannot be asked, is a case that was skipped.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from loadgen.errors import ExitCode
from loadgen.events import Event
from loadgen.reason import Code, Reason
from loadgen.severity import Severity
from loadgen.soak.ended import SoakEnded
from loadgen.soak.verdict import Answer
from loadgen.units import NS_PER_S, span
from loadgen.verify.account import MOST_PASSED
from loadgen.verify.case import Outcome, Verdict
from loadgen.verify.checked import HistoryChecked
from loadgen.verify.ended import CampaignBegan, CampaignEnded, CaseEnded, FailureFound
from loadgen.verify.stress.ended import Stressed, StressEnded

SUITE = "full"


@dataclass(frozen=True, slots=True)
class Part:
    """One verb with its options."""

    name: str
    """The verb: "properties"."""
    words: tuple[str, ...] = ()
    """The verb's options."""
    first: tuple[str, ...] = ()
    """A command that is run before, and writes `file`; empty for none."""
    file: str = ""
    """What `first` writes: without it the part is not run, and it is removed when nothing was found."""
    limit_s: float = 0.0
    """The longest time; the part is then ended with what there is. 0: none."""
    lack: str = ""
    """Why the part is not run; empty when it is."""


class Report:
    """The account of all parts. What is told is of the part that began last."""

    def __init__(self, parts: Sequence[Part], version: str, host: str) -> None:
        self._parts = parts
        self._version = version
        self._host = host
        self._part = Part("")
        self._counts: Counter[Verdict] = Counter()
        self._cases: list[CaseEnded] = []
        self._failures: list[FailureFound] = []
        self._sometimes: Counter[str] = Counter()
        self._identities: dict[str, None] = {}
        self._reasons: list[Reason] = []
        self._notes: list[Reason] = []
        self._seeds = 0
        self._of_part: Counter[Verdict] = Counter()
        self._first = 0
        """The index of the part's first case."""
        self._whole = False
        """True when the end of the part was told."""

    def began(self) -> CampaignBegan:
        options = {part.name: " ".join(part.words) for part in self._parts if not part.lack}
        return CampaignBegan(SUITE, tuple(part.name for part in self._parts), 0, self._version, options=options)

    def begin(self, part: Part) -> None:
        """Begin a part."""
        self._part = part
        self._of_part = Counter()
        self._first, self._whole = len(self._cases), False

    def skipped(self, part: Part) -> CaseEnded:
        """Return the case of a part that is not run."""
        self.begin(part)
        return self._case(CaseEnded(part.name, 0, Verdict.SKIPPED, 0, error=part.lack))

    def told(self, event: Event) -> list[Event]:
        """Take an event of the part; return what it is in the report: nothing for most."""
        match event:
            case CampaignBegan():
                self._identities[event.identity] = None
            case CaseEnded():
                return [self._case(event)]
            case FailureFound():
                return [event]
            case CampaignEnded():
                self._campaign(event)
            case Stressed():
                return self._load(event)
            case HistoryChecked():
                return [*self._history(event)]
            case SoakEnded():
                return [*self._soak(event)]
            case StressEnded():
                self._whole = True
                self._identities[event.identity] = None
                self._doubts(event.doubts)
        return []

    def part_ended(self, status: int, words: str, took_ns: int, *, cut: bool, asked: bool) -> None:
        """End the part. `words` is what it said last on standard error. `cut` is True where its time was over, and
        `asked` where it was asked to end, for that or by the user."""
        name = self._part.name
        if not self._whole or (status == ExitCode.INTERRUPTED and not asked):
            why = "its time was over before it began" if cut else words or f"it ended with exit status {status}"
            self._reasons.append(Reason(Code.COULD_NOT_RUN, f"{name}: {why}", Severity.COULD_NOT_RUN))
        counted = (f"{count:,} {_WORDS[verdict]}" for verdict, count in self._of_part.items())
        end = f", ended after the {self._part.limit_s:.0f} s that it has" if cut else ""
        listed = ", ".join(counted) or "no case"
        self._notes.append(Reason(Code.PART, f"{name}: {listed} in {took_ns / NS_PER_S:.1f} s{end}"))

    def ended(self, took_ns: int, *, interrupted: bool) -> CampaignEnded:
        return CampaignEnded(
            suite=SUITE,
            version=self._version,
            host=self._host,
            cases=tuple(self._cases),
            counts=dict(self._counts),
            failures=tuple(self._failures),
            seeds=self._seeds,
            took_ns=took_ns,
            sometimes=dict(self._sometimes),
            identity=", ".join(filter(None, self._identities)),
            reasons=tuple(self._reasons),
            notes=tuple(self._notes),
            interrupted=interrupted,
        )

    # ── One part ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _case(self, case: CaseEnded) -> CaseEnded:
        self._counts[case.verdict] += 1
        self._of_part[case.verdict] += 1
        if case.verdict is not Verdict.PASS or self._counts[Verdict.PASS] <= MOST_PASSED:
            self._cases.append(case)
        return case

    def _campaign(self, ended: CampaignEnded) -> None:
        """Take the end of a campaign, whose failures know all their seeds."""
        self._whole = True
        self._seeds += ended.seeds
        self._sometimes.update(ended.sometimes)
        self._failures += ended.failures
        self._doubts(ended.doubts)
        self._notes += (replace(note, words=f"{self._part.name}: {note.words}") for note in ended.notes)
        fingerprints = {(each.kind, seed): each.outcome.fingerprint for each in ended.failures for seed in each.seeds}
        for place in range(self._first, len(self._cases)):
            case = self._cases[place]
            if case.verdict is Verdict.FAIL:
                found = fingerprints.get((case.kind, case.seed), case.fingerprint)
                self._cases[place] = replace(case, fingerprint=found)

    def _doubts(self, doubts: Sequence[Reason]) -> None:
        # Where a part judged nothing, others may have: that is said, and leaves the report as it is.
        for doubt in doubts:
            told = replace(doubt, words=f"{self._part.name}: {doubt.words}")
            if doubt.severity is Severity.UNKNOWN:
                self._notes.append(replace(told, severity=Severity.GOOD))
            else:
                self._reasons.append(told)

    def _history(self, event: HistoryChecked) -> Iterator[Event]:
        """Yield a history as a case, and its first violation as a failure: `check` shows the others."""
        self._whole = True
        answer, name = event.answer, f"{self._part.name}_history"
        self._doubts(event.doubts)
        self._notes.append(Reason(Code.PART, f"check: {answer.operations:,} operations on {answer.keys:,} keys"))
        replay = shlex.join(["loadgen", "check", event.path])
        verdict = Verdict.FAIL if answer.found else Verdict.UNTOLD if event.doubts else Verdict.PASS
        outcomes = [
            Outcome(
                Verdict.FAIL,
                "every reply of a recorded load was possible, given all others",
                f'{each.kind}, key "{each.key}": {each.why}',
                operations=tuple(f"{shown.process}: {shown.words}" for shown in each.window),
            )
            for each in answer.violations[:1]
        ]
        error = f"{outcomes[0].invariant}: {outcomes[0].message}" if outcomes else "; ".join(_words(event.doubts))
        fingerprint = outcomes[0].fingerprint if outcomes else ""
        yield self._case(
            CaseEnded(
                name,
                0,
                verdict,
                event.took_ns,
                error,
                fingerprint=fingerprint,
                operations=answer.operations,
                replay=replay if outcomes else "",
            )
        )
        for outcome in outcomes:
            self._failures.append(
                FailureFound("check", name, 0, outcome, 0, 0, event.took_ns, replay, artifact=event.path, seeds=(0,))
            )
            yield self._failures[-1]

    def _soak(self, event: SoakEnded) -> Iterator[Event]:
        """Yield a soak as a case, and as a failure where it failed: its run folder judges it again."""
        self._whole = True
        name = self._part.name
        verdict = _OF_SOAKS[event.verdict.answer]
        said = [f"{row.name}: {row.found}" for row in event.verdict.rows if not row.passed]
        said += [f"growth of {each.column}: {each.answer}" for each in event.verdict.graded if not each.passed]
        said += [f"{each.check.expr}: {each.found}" for each in event.verdict.checked if not each.passed]
        error = "" if verdict is Verdict.PASS else "; ".join(said)
        replay = shlex.join(["loadgen", "soak", "--replay", event.folder]) if event.folder else ""
        took_ns = round(event.end.t_s * NS_PER_S)
        outcome = Outcome(verdict, "the soak has what it must have", error)
        failed = verdict is Verdict.FAIL
        fingerprint = outcome.fingerprint if failed else ""
        yield self._case(CaseEnded(name, 0, verdict, took_ns, error, fingerprint=fingerprint, replay=replay))
        if failed:
            failure = FailureFound(name, name, 0, outcome, 0, 0, took_ns, replay, artifact=event.folder, seeds=(0,))
            self._failures.append(failure)
            yield failure

    def _load(self, row: Stressed) -> list[Event]:
        """Return the load of a shape as a case, and as a failure where it is one."""
        shape, error = row.shape, row.skipped or row.failure
        name = f"{self._part.name}_{shape.connections}_{shape.keys}_{shape.value_bytes}"
        if row.result is not None:
            rate, p99 = f"{row.result.throughput_per_s:,.0f} req/s", span(row.result.measured.latency().quantile(0.99))
            self._notes.append(Reason(Code.PART, f"stress: {shape}: {rate}, p99 {p99}"))
        if row.result is not None and row.verdict is not Verdict.PASS:
            said = (reason.words for reason in (*row.result.failed_because, *row.result.invalid_because))
            error = "; ".join(said) or "a check or an objective is not met"
        if row.verdict is not Verdict.FAIL:
            return [self._case(CaseEnded(name, row.seed, row.verdict, row.took_ns, error=error))]
        outcome = Outcome(Verdict.FAIL, "the load is put on, and its checks hold", error)
        failure = FailureFound(
            self._part.name, name, row.seed, outcome, 0, 0, row.took_ns, row.replay, seeds=(row.seed,)
        )
        self._failures.append(failure)
        case = CaseEnded(
            name, row.seed, row.verdict, row.took_ns, error, fingerprint=outcome.fingerprint, replay=row.replay
        )
        return [self._case(case), failure]


def _words(reasons: Sequence[Reason]) -> list[str]:
    return [reason.words for reason in reasons]


_OF_SOAKS = {Answer.PASS: Verdict.PASS, Answer.FAIL: Verdict.FAIL, Answer.CANNOT_TELL: Verdict.UNTOLD}
_WORDS = {Verdict.PASS: "passed", Verdict.FAIL: "failed", Verdict.UNTOLD: "untold", Verdict.SKIPPED: "skipped"}
