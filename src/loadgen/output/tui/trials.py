"""The state of trials: a fold over their events. No clock and no I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from loadgen.engine._histogram import Histogram
from loadgen.escape import printable
from loadgen.output.tui.faults import Faults
from loadgen.output.tui.log import Log
from loadgen.output.tui.series import Point, Series
from loadgen.output.words import trials
from loadgen.severity import Severity
from loadgen.trial.ended import ChaosBegan, ChaosEnded, TrialBegan, TrialEnded, TrialPhaseBegan, TrialSample
from loadgen.trial.observed import Counts, NodeState, Observed, Transition, WrongAnswer
from loadgen.trial.plan import TrialPlan
from loadgen.units import NS_PER_S

SMOOTHED_S = 1.0
"""The time over which rates and latencies of now are counted, so that figures can be read."""

_LONGEST = 160

_BREAKER_STYLES = {"closed": "good", "half-open": "warn", "open": "bad"}
_END_STYLES = {Severity.GOOD: "good", Severity.BREACHED: "bad", Severity.FAILED: "bad", Severity.COULD_NOT_RUN: "bad"}


@dataclass(slots=True)
class Node:
    """One node as the client on trial sees it. The numbers of operations are of the trial so far."""

    state: NodeState
    ended: int = 0
    errors: int = 0
    wrong: int = 0
    rate_per_s: float = 0.0


@dataclass(frozen=True, slots=True)
class _Recent:
    """One of the newest samples, as far as the figures of now need it."""

    length_s: float
    ended: int
    by_node: Mapping[int, int]
    latency: Histogram


class Trials:
    """The trial under way, and where it stands among the trials of the command."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.faults = Faults(log)
        self.began: ChaosBegan | None = None
        self.plan: TrialPlan | None = None
        self.number = 0
        self.phase: TrialPhaseBegan | None = None
        self.results: list[Severity] = []
        """The severities of the trials that have ended."""
        self._forget()

    def _forget(self) -> None:
        """Begin the figures of a trial."""
        self.series = Series()
        self.nodes: dict[int, Node] = {}
        """An operation on several nodes is in each of them, and once in the numbers of all."""
        self.ended = self.errors = self.wrong = 0
        self.rate_per_s = 0.0
        """Operations that ended in the last second, per second."""
        self.top_per_s = 0.0
        """The highest rate of a second so far."""
        self.under_way = 0
        self._recent: deque[_Recent] = deque()

    @property
    def latency(self) -> Histogram:
        """The response times of the operations that ended well in the last second."""
        return sum((recent.latency for recent in self._recent), Histogram())

    def chaos_began(self, event: ChaosBegan) -> None:
        self.began = event

    def trial_began(self, event: TrialBegan) -> None:
        self.plan, self.number, self.phase = event.plan, event.number, None
        self.faults.clear()
        self._forget()
        what = event.plan.scenario or f"workload {event.plan.traffic.name}"
        self.log.say(event.wall_s, f"trial began: {printable(what, _LONGEST)} with {event.plan.client.name}", "bold")

    def phase_began(self, event: TrialPhaseBegan) -> None:
        self.phase = event
        self.log.say(event.wall_s, f"phase: {event.phase}", "accent")

    def sample(self, event: TrialSample) -> None:
        observed = event.observed
        for number, state in observed.states.items():
            self._node(number).state = state
        for number in observed.seen:
            node, counts = self._node(number), observed.of(number)
            node.ended += counts.ended
            node.errors += counts.failed
            node.wrong += counts.wrong
        whole = observed.of()
        self.ended += whole.ended
        self.errors += whole.failed
        self.wrong += whole.wrong
        self.under_way = observed.under_way
        self._add_recent(event, whole)
        for transition in observed.transitions:
            self._changed(event, transition)
        for answer in observed.wrong:
            self._wrong(event, answer)

    def trial_ended(self, event: TrialEnded) -> None:
        self.results.append(event.severity)
        self.faults.clear()
        word, style = trials.verdict(event), _END_STYLES.get(event.severity, "warn")
        why = [f"{check.name}: {check.found}" for check in event.checks if check.severity is event.severity]
        why = [reason.words for reason in event.reasons if reason.severity is event.severity] + why
        because = f": {why[0]}" if why and event.severity is not Severity.GOOD else ""
        self.log.say(
            event.wall_s,
            printable(f"{word} {event.plan.scenario or event.plan.traffic.name}{because}", _LONGEST),
            style,
        )

    def chaos_ended(self, event: ChaosEnded) -> None:
        self.phase = None

    def _node(self, number: int) -> Node:
        return self.nodes.setdefault(number, Node(NodeState()))

    def _add_recent(self, event: TrialSample, whole: Counts) -> None:
        observed = event.observed
        length_s = (observed.to_ns - observed.from_ns) / NS_PER_S
        failed = whole.failed + whole.wrong
        self.series.add(Point(event.wall_s, length_s, whole.ended, whole.ended, failed, bool(self.faults)))
        ended = {number: observed.of(number).ended for number in observed.seen}
        self._recent.append(_Recent(length_s, whole.ended, ended, whole.latency))
        while len(self._recent) > 1 and sum(each.length_s for each in self._recent) > SMOOTHED_S * 1.1:
            self._recent.popleft()
        over_s = sum(each.length_s for each in self._recent)
        for number, node in self.nodes.items():
            recent = sum(each.by_node.get(number, 0) for each in self._recent)
            node.rate_per_s = recent / over_s if over_s > 0 else 0.0
        self.rate_per_s = sum(each.ended for each in self._recent) / over_s if over_s > 0 else 0.0
        self.top_per_s = max(self.top_per_s, self.rate_per_s)

    def _changed(self, event: TrialSample, change: Transition) -> None:
        words = f"breaker of node {change.node}: {change.before} → {change.after}"
        self.log.say(_wall_s(event, event.observed, change.at_ns), words, breaker_style(change.after))

    def _wrong(self, event: TrialSample, answer: WrongAnswer) -> None:
        words = f"wrong answer ({answer.kind}) from node {answer.node}, key {answer.key}: {answer.found}"
        self.log.say(_wall_s(event, event.observed, answer.at_ns), printable(words, _LONGEST), "bad")


def breaker_style(state: str | None) -> str:
    """Return the style of a breaker's state; the worst of states that differ between callers, as "closed/open"."""
    states = (state or "").split("/")
    return next((style for name, style in reversed(_BREAKER_STYLES.items()) if name in states), "dim")


def _wall_s(event: TrialSample, observed: Observed, at_ns: int) -> float:
    """Return the Unix time of a monotonic time within the sample's interval."""
    return event.wall_s - max(0, observed.to_ns - at_ns) / NS_PER_S
