"""The account of a campaign: its cases, its different failures, and what else they showed. Values; no I/O, no clock.

It may be kept in parts: what was counted in one place is taken as `Findings`, and added in another.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from loadgen.reason import Code, Reason
from loadgen.severity import Severity
from loadgen.verify.case import Verdict
from loadgen.verify.ended import CampaignEnded, CaseEnded, FailureFound, Machine, unreached

MOST_PASSED = 100_000
"""Cases that passed and are kept for the report; of more, there is the number only."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What came of some cases."""

    cases: tuple[CaseEnded, ...] = ()
    """Every one, in the order in which they ended."""
    failures: tuple[FailureFound, ...] = ()
    """Those that were not found before."""
    sometimes: Mapping[str, int] = field(default_factory=dict)
    virtual_ns: int = 0
    notes: tuple[Reason, ...] = ()


def joined(findings: Sequence[Findings]) -> Findings:
    """Return several findings as one, in this order."""
    sometimes: Counter[str] = Counter()
    for each in findings:
        sometimes.update(each.sometimes)
    return Findings(
        tuple(case for each in findings for case in each.cases),
        tuple(failure for each in findings for failure in each.failures),
        dict(sometimes),
        sum(each.virtual_ns for each in findings),
        tuple(dict.fromkeys(note for each in findings for note in each.notes)),
    )


class Account:
    """The account of one campaign."""

    def __init__(self, suite: str) -> None:
        self.suite = suite
        self.interrupted = False
        self._counts: Counter[Verdict] = Counter()
        self._cases: list[CaseEnded] = []
        self._failures: dict[tuple[str, str], FailureFound] = {}
        self._known: set[tuple[str, str]] = set()
        self._sometimes: Counter[str] = Counter()
        self._virtual_ns = 0
        self._identities: dict[str, None] = {}
        self._reasons: list[Reason] = []
        self._notes: list[Reason] = []

    def case(self, ended: CaseEnded, sometimes: Mapping[str, int], virtual_ns: int) -> None:
        """Count a case, the states that it reached, and the virtual time that passed in it."""
        self._counts[ended.verdict] += 1
        self._sometimes.update(sometimes)
        self._virtual_ns += virtual_ns
        if ended.verdict is not Verdict.PASS or self._counts[Verdict.PASS] <= MOST_PASSED:
            self._cases.append(ended)

    def found(self, failure: FailureFound) -> None:
        """Keep a failure, in place of a larger case of the same one."""
        key = failure.kind, failure.outcome.fingerprint
        if key not in self._failures or self.improves(failure):
            self._failures[key] = failure
        self._known.add(key)

    def known(self, kind: str, fingerprint: str) -> None:
        """Note that a failure was found elsewhere: its cases are counted, and it is not found here."""
        self._known.add((kind, fingerprint))

    def knows(self, kind: str, fingerprint: str) -> bool:
        """Return True when a failure was found before, here or elsewhere."""
        return (kind, fingerprint) in self._known

    def improves(self, failure: FailureFound) -> bool:
        """Return True for a failure that was not found before, and for a smaller case of one that was found here."""
        key = failure.kind, failure.outcome.fingerprint
        before = self._failures.get(key)
        return not self.knows(*key) or (before is not None and _size(failure) < _size(before))

    def identity(self, words: str) -> None:
        """Note the name and the version of subjects, in their own words."""
        self._identities[words] = None

    def could_not_run(self, words: str) -> None:
        """Note why the rest of the campaign cannot be run, once."""
        reason = Reason(Code.COULD_NOT_RUN, words, Severity.COULD_NOT_RUN)
        if reason not in self._reasons:
            self._reasons.append(reason)

    @property
    def doubts(self) -> tuple[str, ...]:
        """Why the campaign cannot be run to its end, in words."""
        return tuple(reason.words for reason in self._reasons)

    def note(self, remark: Reason) -> None:
        """Note a remark on what the cases show, once."""
        if remark not in self._notes:
            self._notes.append(remark)

    def taken(self) -> Findings:
        """Return what was counted since the last call, and count from nothing; which failures are known stays."""
        found = Findings(
            tuple(self._cases), (*self._failures.values(),), dict(self._sometimes), self._virtual_ns, tuple(self._notes)
        )
        self._counts.clear()
        self._cases = []
        self._failures = {}
        self._sometimes = Counter()
        self._virtual_ns = 0
        self._notes = []
        return found

    def add(self, findings: Findings) -> None:
        """Count what was counted elsewhere."""
        for case in findings.cases:
            self.case(case, {}, 0)
        self._sometimes.update(findings.sometimes)
        self._virtual_ns += findings.virtual_ns
        for failure in findings.failures:
            self.found(failure)
        for remark in findings.notes:
            self.note(remark)

    def ended(
        self,
        version: str,
        host: str,
        *,
        seeds: int,
        took_ns: int,
        judges_states: bool,
        machines: Iterable[Machine] = (),
    ) -> CampaignEnded:
        """Return the end of the campaign, as far as it came. `seeds` is the number of different ones that were run."""
        of_failure: dict[tuple[str, str], list[int]] = {}
        for case in self._cases:
            if case.verdict is Verdict.FAIL:
                of_failure.setdefault((case.kind, case.fingerprint), []).append(case.seed)
        failures = (
            replace(each, seeds=tuple(dict.fromkeys(of_failure.get(key, ())))) for key, each in self._failures.items()
        )
        unfinished = self.interrupted or bool(self._reasons)
        states = unreached(self._sometimes) if judges_states and not unfinished else ()
        return CampaignEnded(
            suite=self.suite,
            version=version,
            host=host,
            cases=tuple(self._cases),
            counts=dict(self._counts),
            failures=tuple(failures),
            seeds=seeds,
            took_ns=took_ns,
            virtual_ns=self._virtual_ns,
            sometimes=dict(self._sometimes),
            identity=", ".join(filter(None, self._identities)),
            reasons=(*self._reasons, *states),
            notes=tuple(self._notes),
            interrupted=self.interrupted,
            machines=tuple(machines),
        )

    def in_order(self, kinds: Iterable[str]) -> None:
        """Put cases and failures in the order of seeds, and of `kinds` for one seed, whichever ended first."""
        place = {kind: number for number, kind in enumerate(kinds)}
        self._cases.sort(key=lambda case: (case.seed, place.get(case.kind, 0)))
        order = sorted(self._failures.items(), key=lambda item: (item[1].seed, place.get(item[1].kind, 0)))
        self._failures = dict(order)


def _size(failure: FailureFound) -> tuple[bool, int, int]:
    """Return what is less for a failure that tells more: one that is reproduced, has fewer steps, a smaller seed."""
    outcome = failure.outcome
    return not failure.reproduced, len(outcome.operations) + len(outcome.faults), failure.seed
