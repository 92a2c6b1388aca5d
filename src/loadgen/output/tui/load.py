"""The state of a load, or of a search: a fold over its events. No clock and no I/O."""

from __future__ import annotations

from collections import Counter

from loadgen.engine._histogram import Histogram
from loadgen.escape import printable
from loadgen.events import (
    Configured,
    Monitored,
    MonitorGap,
    PhaseBegan,
    Progress,
    Result,
    Sample,
    SearchEnded,
    ServerAwaited,
    StepTaken,
    TopologyChanged,
    per_s,
)
from loadgen.output.tui.faults import Faults
from loadgen.output.tui.log import Log
from loadgen.output.tui.series import Point, Series
from loadgen.output.words import figures, hosts, sentences
from loadgen.output.words.monitors import Gaps
from loadgen.phase import OF_A_LOAD, Phase
from loadgen.stats.search import Step
from loadgen.units import NS_PER_S

_LONGEST = 300


class Load:
    """The load under way. Figures begin anew with each load of a command."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.faults = Faults(log)
        self.header: Configured | None = None
        self.awaited = ""
        """The name of the server that is being started; empty when none is."""
        self.phase: PhaseBegan | None = None
        self.progress: Progress | None = None
        self._forget()

    def _forget(self) -> None:
        """Begin the figures of a load."""
        self.series = Series()
        self.sample: Sample | None = None
        """The newest interval."""
        self.measured = Histogram()
        """The response times of the measure window so far."""
        self.ended = 0
        self.failed = 0
        self.hits = 0
        self.misses = 0
        self.top_per_s = 0.0
        self.is_strained = False
        """True when there are warnings on the newest interval."""
        self.step: Step | None = None
        """The newest rate that a search has tried."""
        self.readings: Counter[str] = Counter()
        """By monitor, how often it was read."""
        self.gaps: Counter[str] = Counter()
        """By monitor, how often it was not."""
        self._gaps_said = Gaps()

    @property
    def rate_per_s(self) -> float:
        """Replies of the newest interval per second; in a search, those at the newest rate that was tried."""
        if self.sample is not None:
            return per_s(self.sample.interval.total.answered, self.sample.interval_ns)
        return self.step.achieved_per_s if self.step is not None else 0.0

    @property
    def offered_per_s(self) -> float | None:
        """Requests that fell due in the newest interval, per second; None in a closed loop."""
        if self.sample is None or self.header is None or not self.header.plan.load.open_loop:
            return None
        return per_s(self.sample.offered, self.sample.interval_ns)

    def server_awaited(self, event: ServerAwaited) -> None:
        self.header, self.awaited = event.load, printable(event.name, 60)
        self.log.say(event.load.wall_s, f"starting {self.awaited}")

    def configured(self, event: Configured) -> None:
        self.header, self.awaited = event, ""
        self.phase = self.progress = None
        self.faults.clear()
        self._forget()
        self.log.say(event.wall_s, f"load on {sentences.started(event)}", "bold")
        for note in sentences.notes(event):
            self.log.say(event.wall_s, note, "warn")
        for line in hosts.agent_lines(event):
            self.log.say(event.wall_s, line)

    def phase_began(self, event: PhaseBegan) -> None:
        if self.phase is not None and self.phase.phase == Phase.SEARCH and event.phase in OF_A_LOAD:
            return
        self.phase, self.progress = event, None
        self.log.say(event.wall_s, f"phase: {event.phase}", "accent")

    def progressed(self, event: Progress) -> None:
        before = self.progress
        self.progress = event
        if event.note and (before is None or before.note != event.note) and self.phase is not None:
            wall_s = self.phase.wall_s + event.elapsed_ns / NS_PER_S
            self.log.say(wall_s, f"{event.phase}: {printable(event.note, _LONGEST)}", "warn")

    def sampled(self, event: Sample) -> None:
        total = event.interval.total
        self.sample = event
        failed, length_s = total.not_ok, event.interval_ns / NS_PER_S
        ended = total.ok + failed
        self.series.add(Point(event.wall_s, length_s, total.answered, ended, failed, bool(self.faults)))
        self.top_per_s = max(self.top_per_s, self.rate_per_s)
        limits = self.header.judging.limits if self.header is not None else None
        strain = sentences.strain(event, limits)
        if strain and not self.is_strained:
            self.log.say(event.wall_s, strain[0], "warn")
        self.is_strained = bool(strain)
        if event.phase != Phase.WARMUP:
            self.measured = self.measured + event.interval.latency()
            self.ended += ended
            self.failed += failed
            hits, misses = event.interval.lookups
            self.hits += hits
            self.misses += misses

    def monitored(self, event: Monitored) -> None:
        self.readings[event.reading.monitor] += 1

    def monitor_gap(self, event: MonitorGap) -> None:
        self.gaps[event.gap.monitor] += 1
        for words in self._gaps_said.words(event):
            self.log.say(event.gap.wall_s, words, "warn")

    def topology_changed(self, event: TopologyChanged) -> None:
        for words in event.words:
            self.log.say(event.wall_s, f"nodes: {printable(words, _LONGEST)}", "warn")

    def step_taken(self, event: StepTaken) -> None:
        step = self.step = event.step
        replies = round(step.achieved_per_s * step.length_s)
        self.ended += replies
        self.series.add(Point(event.wall_s, step.length_s, replies, replies, 0, bool(self.faults)))
        self.top_per_s = max(self.top_per_s, self.rate_per_s)
        passed = "passed" if step.passed else "failed"
        words = f"rate {event.number}: {figures.rate(step.rate_per_s)} req/s {passed}"
        self.log.say(event.wall_s, words, "good" if step.passed else "warn")

    def ended_load(self, event: Result | SearchEnded) -> None:
        if isinstance(event, Result):
            for line, part in zip(hosts.part_lines(event), hosts.parts_shown(event.hosts), strict=False):
                self.log.say(event.wall_s, line, "bad" if part.host is None else "")
        for words in sentences.verdict(event)[:1]:
            self.log.say(event.wall_s, printable(words, _LONGEST), "good" if event.valid else "bad")
