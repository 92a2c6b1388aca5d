"""The events of a campaign: its beginning, the end of each case, each new failure, and its end. Values; no I/O."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from loadgen.events import Ending, Event
from loadgen.reason import Code, Reason
from loadgen.severity import Severity
from loadgen.units import NS_PER_S
from loadgen.verify.case import Outcome, Verdict
from loadgen.verify.durability.survival import Survival

NOTHING_JUDGED = Reason(Code.NOTHING_JUDGED, "no case was judged", Severity.UNKNOWN)


@dataclass(frozen=True, slots=True)
class CampaignBegan(Event):
    """The beginning of a campaign."""

    suite: str
    """The verb: "properties"."""
    kinds: tuple[str, ...]
    seeds: int
    """The seeds that each kind is run with; 0 where kinds have different numbers, or a time ends the campaign."""
    version: str
    identity: str = ""
    """Name and version of the subjects in their own words."""
    options: Mapping[str, str] = field(default_factory=dict)
    """What each case depends on beside its seed."""
    wall_s: float = field(default_factory=time.time)
    """Unix time."""
    duration_ns: int = 0
    """The time after which no case is begun; 0 where the number of seeds ends the campaign."""


@dataclass(frozen=True, slots=True)
class CaseEnded(Event):
    """The end of one case, before anything is shrunk."""

    kind: str
    seed: int
    verdict: Verdict
    took_ns: int
    error: str = ""
    """Invariant and message of a failure; why a case was not judged; empty for one that passed."""
    fingerprint: str = ""
    trace: str = ""
    """The hash of all that the case did and saw; empty where there is none."""
    operations: int = 0
    """How many were done."""
    replay: str = ""
    """The command that runs the failed case again; empty for others."""
    survival: Survival | None = None
    """What became of the acknowledged writes; None where the case does not look for them."""
    shrunk: str = ""
    """The file of the shrunk case that was run; empty for the seed's own case."""
    wall_s: float = field(default_factory=time.time)


@dataclass(frozen=True, slots=True)
class FailureFound(Event):
    """A failure that no earlier case of the campaign had, shrunk."""

    suite: str
    kind: str
    seed: int
    outcome: Outcome
    """Of the smallest tape that was found."""
    drawn_operations: int
    """The operations of the seed's own case, before shrinking."""
    drawn_faults: int
    took_ns: int
    """The time of the seed's own case."""
    replay: str
    """The command that runs the case again."""
    reproduced: bool = True
    """False when the same tape did not fail again: then nothing was shrunk."""
    artifact: str = ""
    """The path of the artifact; empty where there is none."""
    divergence: str = ""
    """Of a replay, where it left the recorded run."""
    seeds: tuple[int, ...] = ()
    """All seeds that failed alike, in the order of their cases; known when the campaign has ended."""
    wall_s: float = field(default_factory=time.time)


@dataclass(frozen=True, slots=True)
class Machine:
    """What one machine did of a campaign that was run on several."""

    name: str
    """As it was launched: "local 1", "ssh h1"."""
    host: str
    """What the machine calls itself."""
    processes: int
    """How many ran seeds at a time."""
    seeds: int
    """Seeds that it has run and reported, of each test that a campaign consists of."""
    ran_ns: int
    """From its first lease to its last report."""
    lost: str = ""
    """How it was lost, in words; empty for one that was there to the end."""
    leased_again: int = 0
    """The seeds that it had not reported when it was lost, and that others were given."""

    @property
    def seeds_per_s(self) -> float:
        return self.seeds * NS_PER_S / self.ran_ns if self.ran_ns else 0.0


@dataclass(frozen=True, slots=True)
class CampaignEnded(Ending):
    """The end of a campaign."""

    suite: str
    version: str
    host: str
    """The fingerprint of this machine."""
    cases: tuple[CaseEnded, ...]
    """In the order in which they ended: every case that did not pass, and as many of the others as were kept."""
    counts: Mapping[Verdict, int]
    """Of all cases."""
    failures: tuple[FailureFound, ...]
    """The different failures, in the order in which they were found."""
    seeds: int
    """Seeds that were run with every kind."""
    took_ns: int
    virtual_ns: int = 0
    """The virtual time of simulated cases, of each that of one run; 0 where none was simulated."""
    sometimes: Mapping[str, int] = field(default_factory=dict)
    """How often each state was reached, over all cases."""
    identity: str = ""
    reasons: tuple[Reason, ...] = ()
    """Why the campaign was not run to its end, or does not hold."""
    notes: tuple[Reason, ...] = ()
    interrupted: bool = False
    machines: tuple[Machine, ...] = ()
    """Those that ran it; empty where it was run here."""
    wall_s: float = field(default_factory=time.time)

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def seeds_per_s(self) -> float:
        return self.seeds * NS_PER_S / self.took_ns if self.took_ns else 0.0

    @property
    def cases_per_s(self) -> float:
        return self.total * NS_PER_S / self.took_ns if self.took_ns else 0.0

    @property
    def virtual_ratio(self) -> float:
        """Virtual time over real time; 0 where no case was simulated."""
        return self.virtual_ns / self.took_ns if self.took_ns else 0.0

    @property
    def doubts(self) -> tuple[Reason, ...]:
        """The reasons why this is no pass, apart from failures."""
        judged = self.counts.get(Verdict.PASS, 0) + self.counts.get(Verdict.FAIL, 0)
        return (*self.reasons, *[NOTHING_JUDGED] * (not judged and not self.reasons and not self.interrupted))

    @property
    def severity(self) -> Severity:
        return Severity.gravest(
            [
                *[Severity.INTERRUPTED] * self.interrupted,
                *(reason.severity for reason in self.doubts),
                *[Severity.FAILED] * bool(self.counts.get(Verdict.FAIL)),
                *[Severity.UNKNOWN] * bool(self.counts.get(Verdict.UNTOLD)),
            ]
        )


def unreached(sometimes: Counter[str]) -> tuple[Reason, ...]:
    """Return a reason for each state that no case reached."""
    return tuple(
        Reason(Code.STATE_NOT_REACHED, f"no case reached the state: {state}", Severity.FAILED)
        for state, count in sometimes.items()
        if not count
    )


def survivals(cases: Iterable[CaseEnded]) -> dict[str, Survival]:
    """Return by kind what became of the acknowledged writes of all its cases; empty where none looked for them."""
    found: dict[str, Survival] = {}
    for case in cases:
        if case.survival is not None:
            found[case.kind] = found.get(case.kind, Survival()) + case.survival
    return found
