"""A comparison from its first round to its answers.

`rounds` runs each round. `stats.sequential.Suite` receives the evidence here, and decides when to look, what the answer
is and on what grounds. This file prints nothing.

A difference is that of logarithms, ln(bad_B / bad_A): above 0 where B is worse, for metrics of either direction. Ratios
of 20 / 19 and 19 / 20 are equally far from 0, and B / A is a power of e.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from loadgen.compare.answers import Compared, NoiseFound, Row
from loadgen.compare.candidate import Candidate
from loadgen.compare.metric import METRICS, Metric
from loadgen.compare.results import Stored
from loadgen.compare.round import ContestBegan, Round, RoundEnded
from loadgen.compare.rounds import Contestant, Interrupted, Rounds
from loadgen.compare.settings import ComparisonSettings
from loadgen.errors import LoadgenError, UsageError, WorkerError
from loadgen.events import Event
from loadgen.host import machine
from loadgen.reason import Code, Reason
from loadgen.runner.stop import NEVER, Stop
from loadgen.severity import Severity
from loadgen.stats.noise import noise
from loadgen.stats.rank_sum import RankSum
from loadgen.stats.ranks import RankTest
from loadgen.stats.sequential import (
    LEAST_FOR_NOISE,
    Rule,
    Shift,
    Suite,
    false_alarms,
    least_rounds,
    more_rounds,
)
from loadgen.stats.signed_rank import SignedRank
from loadgen.version import __version__

Values = Mapping[str, float]
Key = tuple[int, str]
"""The place of a candidate that is compared with the first, and the name of a metric."""

# A metric stays unclear when more than this share of its rounds is left out because the generator ran late.
MOST_LATE = 0.5

STORED = (
    "at least one of the two is a stored result, so the difference includes changes on this host since then; run both "
    "now where you can"
)

# The threshold for which `ComparisonSettings.noise` is given.
NOISE_THRESHOLD = 0.05


class Contest:
    """The comparison of the first candidate with each of the others.

    `emit` receives progress and rounds; `result` returns the answers. When `stop` is set, the current round is
    discarded, and the answers are those of the rounds before.
    """

    def __init__(
        self,
        found: Sequence[Contestant | Stored],
        settings: ComparisonSettings,
        seed: int,
        emit: Callable[[Event], None],
        notes: Sequence[Reason] = (),
        *,
        stop: Stop = NEVER,
    ) -> None:
        self.found = found
        self.settings = settings
        self.seed = seed
        self.emit = emit
        self.notes = list(notes)
        self.live = [place for place, each in enumerate(found) if isinstance(each, Contestant)]
        self.rounds = Rounds([each for each in found if isinstance(each, Contestant)], settings, seed, emit, stop=stop)
        self.values: list[list[Values]] = [list(each.values) if isinstance(each, Stored) else [] for each in found]
        """By candidate, the metrics of each round."""
        self.ended: list[Round] = []
        self.rule = rule_for(settings, len(self.pairs), live=bool(self.live))
        self.suite: Suite[Key] = Suite(
            {(place, name): t for place in self.pairs for name, t in settings.thresholds.items()}, self.rule
        )
        self.began_s = time.monotonic()
        self.failed: tuple[Reason, ...] = ()
        self.interrupted = False

    @property
    def pairs(self) -> range:
        """The candidates that are compared with the first."""
        return range(1, len(self.found))

    def result(self) -> list[Compared]:
        """Run rounds until every metric has its answer, or as many as are allowed, and return the answers."""
        self.run_rounds(lambda: self.suite.finished, gate=self.settings.one_sided)
        if not self.live:
            self.suite.look(self.evidence())
        return [self.compared(place) for place in self.pairs]

    def run_rounds(self, enough: Callable[[], bool], *, gate: bool) -> None:
        """Run rounds until `enough` returns True, the last look is over, or an interrupt or an error ends them."""
        last = self.rule.looks[-1]
        if self.live:
            self.emit(ContestBegan(tuple(map(self.candidate, self.live)), last, gate))
        try:
            while self.live and len(self.ended) < last and not enough():
                self.take(self.rounds.next(), last, gate)
                self.suite.rounds = len(self.ended)
                if self.suite.is_look:
                    self.suite.look(self.evidence())
        except (Interrupted, KeyboardInterrupt):
            self.interrupted = True
        except LoadgenError as error:
            code = Code.WORKER_DIED if isinstance(error, WorkerError) else Code.COULD_NOT_RUN
            self.failed = (Reason(code, str(error), Severity.COULD_NOT_RUN),)

    def take(self, ended: Round, most: int, gate: bool) -> None:
        self.ended.append(ended)
        for place, values in zip(self.live, ended.values, strict=True):
            self.values[place].append(values)
        self.emit(RoundEnded(ended, tuple(map(self.candidate, self.live)), most, gate))

    def candidate(self, place: int) -> Candidate:
        """Return the candidate, with the identity that its server gave first."""
        candidate = self.found[place].candidate
        if place not in self.live:
            return candidate
        return replace(candidate, identity=self.rounds.identities[self.live.index(place)])

    def noise_of_itself(self) -> NoiseFound:
        """Run as many rounds as are allowed, and return the differences between two candidates that are the same."""
        self.run_rounds(lambda: False, gate=False)
        thresholds = self.settings.thresholds
        rounds = [
            {name: badness(name, b) - badness(name, a) for name in thresholds if name in a and name in b}
            for a, b in zip(*self.values, strict=True)
        ]
        judged = {name: thresholds[name] for name in thresholds if any(name in differences for differences in rounds)}
        return NoiseFound(
            candidate=self.candidate(0),
            host=machine.fingerprint(),
            rounds=len(self.ended),
            noise={name: sigma for name in judged if (sigma := self.noise(1, name)) is not None},
            false_alarms=false_alarms(rounds, judged, self.rule, self.seed) if len(rounds) >= LEAST_FOR_NOISE else {},
            interrupted=self.interrupted,
            reasons=self.failed,
            took_s=time.monotonic() - self.began_s,
        )

    # ── Answers ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def evidence(self) -> dict[Key, RankTest]:
        """Return the test of each metric that both of a pair have in enough rounds."""
        found = {key: self.tested(*key) for key in self.suite.thresholds if not self.mostly_late(*key)}
        return {key: test for key, test in found.items() if test is not None}

    def tested(self, place: int, name: str) -> RankTest | None:
        """Return the test of one metric of this candidate against the first; None without values on both sides."""
        if self.paired(place):
            differences = self.differences(place, name)
            return SignedRank(differences) if differences else None
        a, b = self.badness(0, name), self.badness(place, name)
        return RankSum(a, b) if a and b else None

    def late_rounds(self, place: int, name: str) -> int:
        """Return the number of rounds left out of a metric because the generator ran late on either side."""
        sides = [self.live.index(side) for side in (0, place) if side in self.live]
        return sum(any(name in ended.late[side] for side in sides) for ended in self.ended if ended.late)

    def mostly_late(self, place: int, name: str) -> bool:
        return self.late_rounds(place, name) > MOST_LATE * len(self.ended)

    def differences(self, place: int, name: str) -> list[float]:
        """Return how much worse the candidate was than the first, in each round that has the metric of both."""
        rounds = zip(self.values[0], self.values[place], strict=True)
        return [badness(name, b) - badness(name, a) for a, b in rounds if name in a and name in b]

    def badness(self, place: int, name: str) -> list[float]:
        """Return the badness of one candidate in each of its rounds that has the metric."""
        return [badness(name, values) for values in self.values[place] if name in values]

    def paired(self, place: int) -> bool:
        return 0 in self.live and place in self.live

    def noisy(self, place: int, name: str) -> str:
        """Return why the gate has given a metric up on this machine; empty when it has not."""
        if (place, name) not in self.suite.given_up:
            return ""
        threshold, sigma = self.settings.thresholds[name], self.suite.grounds[place, name].spread
        limit = self.settings.noise * threshold / NOISE_THRESHOLD
        return (
            f"{METRICS[name].label} differs from round to round by σ = {100 * sigma:.1f} % on this host (limit "
            f"{100 * limit:.1f} %), and {self.settings.max_rounds} rounds cannot tell a change of "
            f"{100 * threshold:.3g} % from that noise; give the host nothing else to do, measure longer slices, or "
            "widen the metric's threshold"
        )

    def noise(self, place: int, name: str) -> float | None:
        differences = self.differences(place, name) if self.paired(place) else []
        return noise(differences) if len(differences) >= LEAST_FOR_NOISE else None

    def compared(self, place: int) -> Compared:
        rows = tuple(self.row(place, name) for name in self.settings.thresholds)
        rounds_notes = (Reason(code, words) for words, code in self.rounds.notes.items())
        notes = [*self.notes, *rounds_notes, *self.late_notes(place)]
        if not self.paired(place):
            notes += [Reason(Code.STORED, STORED), *self.too_few(place)]
        here = machine.fingerprint()
        for each in (self.candidate(0), self.candidate(place)):
            if each.host not in ("", here):
                words = f"{each.name} was measured on another machine ({each.host}), which adds to the difference"
                notes.append(Reason(Code.OTHER_MACHINE, words))
        noisy = (self.noisy(place, name) for name in self.settings.thresholds)
        refused = [Reason(Code.HOST_NOISY, words, Severity.UNKNOWN) for words in noisy if words]
        return Compared(
            a=self.candidate(0),
            b=self.candidate(place),
            rows=rows if self.values[0] or self.values[place] else (),
            settings=self.settings,
            confidence=self.rule.confidence,
            paired=self.paired(place),
            seed=self.seed,
            rate_per_s=self.rounds.rate_per_s,
            values=(tuple(self.values[0]), tuple(self.values[place])),
            host=here,
            version=__version__,
            reasons=(*self.failed, *refused),
            notes=tuple(notes),
            interrupted=self.interrupted,
            took_s=time.monotonic() - self.began_s,
        )

    def late_notes(self, place: int) -> list[Reason]:
        """Return notes on the slices and rounds in which the host took a CPU away."""
        notes: list[Reason] = []
        if repeated := sum(ended.repeated for ended in self.ended):
            listed = "1 slice was" if repeated == 1 else f"{repeated} slices were"
            words = f"{listed} measured again, because the host took a CPU away while they were measured"
            notes.append(Reason(Code.MEASURED_AGAIN, words))
        late = [ended for ended in self.ended if any(ended.late)]
        doubts = [doubt for ended in late for doubt in ended.doubts]
        if doubts and any(self.late_rounds(place, name) for name in self.settings.thresholds):
            many = f" ({len(doubts)} such warnings; the last is shown)" if len(doubts) > 1 else ""
            notes.append(Reason(Code.ROUNDS_LATE, f"{doubts[-1].words}{many}"))
        return notes

    def too_few(self, place: int) -> list[Reason]:
        """Return a note when there are too few independent runs to tell any difference from chance."""
        a, b = len(self.values[0]), len(self.values[place])
        alpha = self.rule.alphas[-1] / len(self.suite.thresholds)
        if math.comb(a + b, a) >= (1 if self.settings.one_sided else 2) / alpha:
            return []
        words = f"{a} and {b} runs are too few to tell any difference from chance: store more runs"
        return [Reason(Code.TOO_FEW, words)]

    def row(self, place: int, name: str) -> Row:
        metric, threshold, key = METRICS[name], self.settings.thresholds[name], (place, name)
        answer, a, b = self.suite.answers[key], self.median(place=0, name=name), self.median(place=place, name=name)
        found = self.tested(place, name) if answer is Shift.UNCLEAR else self.suite.grounds[key]
        took_s = sum(ended.took_s for ended in self.ended)
        if found is None:
            rounds = min(len(self.values[0]), len(self.values[place]))
            why, sigma = self.why_unknown(place, name), self.noise(place, name)
            return Row(name, answer, None, None, None, None, rounds, threshold, a, b, sigma, why=why, took_s=took_s)
        low, high = sorted(self.change(metric, bound) for bound in found.interval(self.rule.confidence))
        unclear = answer is Shift.UNCLEAR
        return Row(
            metric=name,
            answer=answer,
            effect=self.change(metric, found.estimate),
            # With few rounds, one or both bounds do not exist.
            ci_low=low if low > -1 else None,
            ci_high=high if high < math.inf else None,
            p=self.rule.p(found),
            rounds=found.rounds,
            threshold=threshold,
            a=a,
            b=b,
            noise=self.noise(place, name),
            more_rounds=more_rounds(found, threshold, self.rule) if unclear else None,
            why=self.why_unclear(place, name, found) if unclear else "",
            level=self.suite.level if unclear else None,
            took_s=took_s if unclear else sum(ended.took_s for ended in self.ended[: found.rounds]),
        )

    def why_unknown(self, place: int, name: str) -> str:
        """Return why there is nothing to estimate a metric from."""
        if late := self.late_rounds(place, name):
            return f"the generator ran late in {late} of {_rounds(len(self.ended))}"
        return f"{METRICS[name].noun} was not measured on both sides"

    def why_unclear(self, place: int, name: str, found: RankTest) -> str:
        """Return what keeps a metric from its answer, beside the number of rounds; empty for nothing else."""
        late = self.late_rounds(place, name)
        spoilt = f"the generator ran late in {late} of {_rounds(len(self.ended))}, which are left out" if late else ""
        return "; ".join(filter(None, [spoilt, self.noisy(place, name)]))

    def median(self, place: int, name: str) -> float | None:
        values = [values[name] for values in self.values[place] if name in values]
        return statistics.median(values) if values else None

    def change(self, metric: Metric, difference: float) -> float:
        """Return a difference of badness as the change of the metric itself: B / A - 1."""
        return math.expm1(-difference if metric.higher_is_better else difference)


def rule_for(settings: ComparisonSettings, pairs: int, *, live: bool) -> Rule:
    """Return the rule for looks and answers. Raises UsageError when live rounds are too few to find a difference."""
    judged = len(settings.thresholds) * pairs
    least = least_rounds(judged, one_sided=settings.one_sided)
    if live and settings.max_rounds < least:
        metrics = "1 metric" if judged == 1 else f"{judged} metrics"
        raise UsageError(
            f"{_rounds(settings.max_rounds)} cannot tell a difference in {metrics} from chance, however large it is: "
            f"allow {least} at least (--rounds {least}), or judge fewer metrics (false in [compare] or [gate])."
        )
    noise = settings.noise / NOISE_THRESHOLD if settings.one_sided else math.inf
    return Rule.within(settings.max_rounds, judged, one_sided=settings.one_sided, most_noise=noise)


def badness(name: str, values: Values) -> float:
    """Return a metric's logarithm, with the sign chosen so that more is worse."""
    return math.log(values[name]) * (-1 if METRICS[name].higher_is_better else 1)


def _rounds(count: int) -> str:
    return "1 round" if count == 1 else f"{count} rounds"
