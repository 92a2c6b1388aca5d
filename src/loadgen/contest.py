"""A comparison from its first round to its answers: rounds while they are wanted, then what they say.

How a round is run is for `rounds` to know, and how an answer follows from differences for `stats.sequential`. It
prints nothing.

A difference is that of logarithms, ln(bad_B / bad_A): above 0 where B is worse, whichever way the metric is good. So
a twentieth more and a twentieth less are as far from 0, and B / A comes back out as a power of e.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from loadgen import __version__, host
from loadgen.comparison import METRICS, Candidate, Compared, Metric, NoiseFound, Round, RoundEnded, Row, Settings
from loadgen.errors import LoadgenError
from loadgen.events import Event
from loadgen.results import Stored
from loadgen.rounds import Contestant, Interrupted, Rounds
from loadgen.stats.noise import noise
from loadgen.stats.rank_sum import RankSum
from loadgen.stats.ranks import RankTest
from loadgen.stats.sequential import Answer, Rule, false_alarms, judge, least_rounds, more_rounds
from loadgen.stats.signed_rank import SignedRank

Values = Mapping[str, float]

LATENCIES = ("p50", "p99", "p999")

# Latency of which so large a share of rounds is in part the generator's says nothing of the servers.
MOST_DOUBTFUL = 0.25

# A spread of fewer differences is a guess.
LEAST_FOR_NOISE = 5

STORED = (
    "at least one of the two is a stored result: what has changed on this host since is in the difference, so run both "
    "now where you can"
)

# A limit on noise is said for a threshold of this size.
NOISE_THRESHOLD = 0.05


class Contest:
    """The first candidate against each of the others. `emit` gets progress and rounds; `result` returns the answers."""

    def __init__(
        self,
        found: Sequence[Contestant | Stored],
        settings: Settings,
        seed: int,
        emit: Callable[[Event | RoundEnded], None],
        notes: Sequence[str] = (),
    ) -> None:
        self.found = found
        self.settings = settings
        self.seed = seed
        self.emit = emit
        self.notes = list(notes)
        self.live = [place for place, each in enumerate(found) if isinstance(each, Contestant)]
        self.rounds = Rounds([each for each in found if isinstance(each, Contestant)], settings, seed, emit)
        self.values: list[list[Values]] = [list(each.values) if isinstance(each, Stored) else [] for each in found]
        """By candidate, its metrics of each round."""
        self.ended: list[Round] = []
        self.decided: dict[str, Answer] = {}
        """By `key`."""
        self.grounds: dict[str, RankTest] = {}
        """By `key`, what the answer rests on: the rounds up to the look that gave it."""
        self.refused = self.failure = ""
        self.interrupted = False

    @property
    def pairs(self) -> range:
        """The candidates that are held against the first."""
        return range(1, len(self.found))

    def result(self) -> list[Compared]:
        """Runs rounds until every metric has its answer, or as many as are allowed."""
        rule = self.rule()
        try:
            while self.live and len(self.ended) < rule.looks[-1]:
                self.take(self.rounds.next(), rule.looks[-1])
                if len(self.ended) in rule.looks and self.look(rule):
                    break
        except (Interrupted, KeyboardInterrupt):
            self.interrupted = True
        except LoadgenError as error:
            self.failure = str(error)
        if not self.live:
            self.look(rule)
        return [self.compared(place, rule) for place in self.pairs]

    def rule(self) -> Rule:
        judged = len(self.settings.thresholds) * len(self.pairs)
        least = least_rounds(judged, one_sided=self.settings.one_sided)
        if self.live and self.settings.max_rounds < least:
            self.notes.append(
                f"{self.settings.max_rounds} rounds cannot tell a difference in {judged} metrics from chance, however "
                f"large it is: allow {least} at least"
            )
        return Rule.within(self.settings.max_rounds, judged, one_sided=self.settings.one_sided)

    def take(self, ended: Round, most: int) -> None:
        self.ended.append(ended)
        for place, values in zip(self.live, ended.values, strict=True):
            self.values[place].append(values)
        self.emit(RoundEnded(ended, tuple(map(self.candidate, self.live)), most))

    def candidate(self, place: int) -> Candidate:
        """With what it called itself when it was first asked."""
        candidate = self.found[place].candidate
        if place not in self.live:
            return candidate
        return replace(candidate, identity=self.rounds.identities[self.live.index(place)])

    def noise_of_itself(self) -> NoiseFound:
        """Of two that are the same: how much they differ, after as many rounds as are allowed."""
        rule = self.rule()
        try:
            while len(self.ended) < rule.looks[-1]:
                self.take(self.rounds.next(), rule.looks[-1])
        except (Interrupted, KeyboardInterrupt):
            self.interrupted = True
        except LoadgenError as error:
            self.failure = str(error)
        thresholds = self.settings.thresholds
        rounds = [
            {name: badness(name, b) - badness(name, a) for name in thresholds if name in a and name in b}
            for a, b in zip(*self.values, strict=True)
        ]
        judged = {name: thresholds[name] for name in thresholds if any(name in differences for differences in rounds)}
        return NoiseFound(
            candidate=self.candidate(0),
            host=host.fingerprint(),
            rounds=len(self.ended),
            noise={name: sigma for name in judged if (sigma := self.noise(1, name)) is not None},
            false_alarms=false_alarms(rounds, judged, rule, self.seed) if len(rounds) >= LEAST_FOR_NOISE else {},
            interrupted=self.interrupted,
            failure=self.failure,
        )

    # ── Answers ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def look(self, rule: Rule) -> bool:
        """Asks what the rounds so far say; whether nothing is left to be asked."""
        evidence = {key(place, name): found for place in self.pairs for name, found in self.evidence(place).items()}
        thresholds = {key(place, name): t for place in self.pairs for name, t in self.settings.thresholds.items()}
        noisy = {
            key(place, name): why
            for place in self.pairs
            for name in self.settings.thresholds
            if (why := self.noisy(place, name))
        }
        answers = judge(evidence, thresholds, rule, self.decided)
        # Noise makes no false alarms, as the test is exact; it may well hide a difference, and so nothing is the same.
        self.decided = {
            name: Answer.UNCLEAR if name in noisy and answer is Answer.SAME else answer
            for name, answer in answers.items()
        }
        self.refused = next((why for name, why in noisy.items() if self.decided[name] is Answer.UNCLEAR), "")
        answered = {name for name, answer in self.decided.items() if answer is not Answer.UNCLEAR}
        self.grounds |= {name: evidence[name] for name in answered & evidence.keys() - self.grounds.keys()}
        # What there is no evidence of, or too much noise in, further rounds will hardly bring.
        return evidence.keys() - noisy.keys() <= answered

    def evidence(self, place: int) -> dict[str, RankTest]:
        """By judged metric that both have, what the rounds say of this candidate against the first."""
        found: dict[str, RankTest] = {}
        for name in self.settings.thresholds:
            if self.doubtful(METRICS[name]) and key(place, name) not in self.grounds:
                continue
            if self.paired(place):
                if differences := self.differences(place, name):
                    found[name] = SignedRank(differences)
            elif (a := self.badness(0, name)) and (b := self.badness(place, name)):
                found[name] = RankSum(a, b)
        return found

    def differences(self, place: int, name: str) -> list[float]:
        """By how much worse it was than the first, in each round that knows the metric of both."""
        rounds = zip(self.values[0], self.values[place], strict=True)
        return [badness(name, b) - badness(name, a) for a, b in rounds if name in a and name in b]

    def badness(self, place: int, name: str) -> list[float]:
        """How bad one candidate was by itself, in each of its rounds that knows the metric."""
        return [badness(name, values) for values in self.values[place] if name in values]

    def paired(self, place: int) -> bool:
        return 0 in self.live and place in self.live

    def doubtful(self, metric: Metric) -> str:
        """Why a metric's numbers are not the servers' own; empty when they are."""
        doubts = [ended.doubts for ended in self.ended if ended.doubts]
        if metric.name not in LATENCIES or len(doubts) <= MOST_DOUBTFUL * len(self.ended):
            return ""
        return f"in {len(doubts)} of {len(self.ended)} rounds the generator was late itself"

    def noisy(self, place: int, name: str) -> str:
        """Why this machine is not one for a gate to judge a metric on; empty when it is, or has been judged already."""
        if not self.settings.one_sided or self.decided.get(key(place, name), Answer.UNCLEAR) is not Answer.UNCLEAR:
            return ""
        threshold, sigma = self.settings.thresholds[name], self.noise(place, name)
        limit = self.settings.noise * threshold / NOISE_THRESHOLD
        if sigma is None or sigma <= limit:
            return ""
        return (
            f"{METRICS[name].label} differs from round to round by σ = {sigma:.1%} on this host, and over {limit:.1%} "
            f"a change of {threshold:.1%} cannot be told from noise in {self.settings.max_rounds} rounds; give the "
            "host nothing else to do, measure longer slices, or give the metric a wider threshold"
        )

    def noise(self, place: int, name: str) -> float | None:
        differences = self.differences(place, name) if self.paired(place) else []
        return noise(differences) if len(differences) >= LEAST_FOR_NOISE else None

    def compared(self, place: int, rule: Rule) -> Compared:
        evidence = self.evidence(place)
        rows = tuple(self.row(place, name, evidence.get(name), rule) for name in self.settings.thresholds)
        notes = [*self.notes, *self.rounds.notes]
        doubts = [doubt for ended in self.ended for doubt in ended.doubts]
        if any(self.doubtful(METRICS[name]) for name in self.settings.thresholds):
            notes.append(f"{doubts[-1]}; the last of {len(doubts)} such remarks")
        if not self.paired(place):
            notes += [STORED, *self.too_few(place, rule)]
        here = host.fingerprint()
        for each in (self.candidate(0), self.candidate(place)):
            if each.host not in ("", here):
                notes.append(
                    f"{each.name} was measured on another machine ({each.host}): the difference is theirs, too"
                )
        return Compared(
            a=self.candidate(0),
            b=self.candidate(place),
            rows=rows if self.values[0] or self.values[place] else (),
            settings=self.settings,
            confidence=rule.confidence,
            paired=self.paired(place),
            seed=self.seed,
            rate_per_s=self.rounds.rate_per_s,
            values=(tuple(self.values[0]), tuple(self.values[place])),
            host=host.fingerprint(),
            version=__version__,
            notes=tuple(notes),
            failure=self.failure,
            refused=self.refused,
            interrupted=self.interrupted,
        )

    def too_few(self, place: int, rule: Rule) -> list[str]:
        """Whether so few independent runs could tell any difference from chance, however large it is."""
        a, b = len(self.values[0]), len(self.values[place])
        alpha = rule.alphas[-1] / len(self.settings.thresholds) / len(self.pairs)
        if math.comb(a + b, a) >= (1 if self.settings.one_sided else 2) / alpha:
            return []
        return [f"{a} and {b} runs cannot tell a difference from chance, however large it is: store more of them"]

    def row(self, place: int, name: str, found: RankTest | None, rule: Rule) -> Row:
        metric, threshold = METRICS[name], self.settings.thresholds[name]
        a, b = self.median(0, name), self.median(place, name)
        if found is None:
            why = self.doubtful(metric) or f"{metric.label} is not known of both"
            sigma, rounds = self.noise(place, name), min(len(self.values[0]), len(self.values[place]))
            return Row(name, Answer.UNCLEAR, None, None, None, None, rounds, threshold, a, b, sigma, why=why)
        answer = self.decided.get(key(place, name), Answer.UNCLEAR)
        found = self.grounds.get(key(place, name), found)
        low, high = sorted(self.change(metric, bound) for bound in found.interval(rule.confidence))
        return Row(
            metric=name,
            answer=answer,
            effect=self.change(metric, found.estimate),
            # With few rounds there is no bound on one side or on both.
            ci_low=low if low > -1 else None,
            ci_high=high if high < math.inf else None,
            p=rule.p(found),
            rounds=found.rounds,
            threshold=threshold,
            a=a,
            b=b,
            noise=self.noise(place, name),
            more_rounds=more_rounds(found, threshold, rule) if answer is Answer.UNCLEAR else None,
            why=self.noisy(place, name) if answer is Answer.UNCLEAR else "",
        )

    def median(self, place: int, name: str) -> float | None:
        values = [values[name] for values in self.values[place] if name in values]
        return statistics.median(values) if values else None

    def change(self, metric: Metric, difference: float) -> float:
        """A difference of badness as the change of the metric itself: B / A - 1."""
        return math.expm1(-difference if metric.higher_is_better else difference)


def badness(name: str, values: Values) -> float:
    """A metric's logarithm, turned so that more is worse."""
    return math.log(values[name]) * (-1 if METRICS[name].higher_is_better else 1)


def key(place: int, name: str) -> str:
    """What a metric of one candidate is called among those of all."""
    return f"{place}:{name}"
