"""The leader of a soak: puts its loads on, one after the other, with monitors beside them, and keeps what happens.

It decides nothing: the journal says what is new and what the verdict is. Settling comes first; where no rate is given,
its first half finds one, in a closed loop. The soak itself is one load, and another after each pause, when connections
are replaced (`--compress`), and for each extension. The soak's clock stands still between loads.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from loadgen.errors import OutputError, TargetError
from loadgen.events import Event, Overall, Part, PhaseBegan, Progress
from loadgen.judge import verdict as numbers
from loadgen.judge.judging import Judging
from loadgen.monitors.board import NOT_BEGUN, Board
from loadgen.monitors.reading import Gap, Reading
from loadgen.phase import OF_A_LOAD, Phase
from loadgen.plan import Plan, Segment
from loadgen.reason import Code, Reason
from loadgen.runner.crew import Crew
from loadgen.runner.ended_early import EndedEarly
from loadgen.runner.intervals import Interval
from loadgen.runner.load import Counted
from loadgen.runner.member import MakeMember
from loadgen.runner.stop import NEVER, Stop
from loadgen.signs import Signs
from loadgen.snapshot import Snapshot
from loadgen.soak import totals, written
from loadgen.soak.asked import Asked
from loadgen.soak.capture import Captured, Captures
from loadgen.soak.checkpoints import Checkpoint
from loadgen.soak.ended import Noted, SoakBaseline, SoakBegan, SoakCheckpoint, SoakEnded, SoakNoted
from loadgen.soak.folder import Row, RunFolder, kept
from loadgen.soak.found import End, GapSeen, How, RestartSeen
from loadgen.soak.go import Go
from loadgen.soak.journal import BaselineFound, Breach, Journal, News
from loadgen.units import NS_PER_S
from loadgen.usage import WatchedServer
from loadgen.worker.process import WorkerProcess

RATE_SHARE = 0.3
"""A soak without a rate gets this share of what settling reached: a server at its limit only shows its limit."""

ARRIVAL = "poisson"
"""The arrivals at a rate that settling has found."""

_BEAT_NS = NS_PER_S
_LONGEST_PAUSE_S = 0.25
_EVIDENCE_S = 10.0
"""How long the end waits for evidence."""
_SLACK_S = 1e-6


@dataclass(frozen=True, slots=True)
class Wanted:
    """How the loads of a soak are put on."""

    closed: bool = False
    """A closed loop, where the plan has no rate."""
    compress: int = 1
    """All connections are replaced so many times between two checkpoints; 1: they stay."""
    stop_at_no_go: bool = False
    """A no-go ends the soak, and does not pause it."""


class Soak:
    """One soak. `emit` receives all events but the last, which `ended` returns.

    `plan` has the addresses of servers that answer; `server` is the server under load, if it is watched. `open_folder`
    is called when the soak begins to settle, at this Unix time, and returns its run folder.
    """

    def __init__(
        self,
        plan: Plan,
        asked: Asked,
        wanted: Wanted,
        emit: Callable[[Event], None],
        *,
        board: Board,
        open_folder: Callable[[float], RunFolder],
        judging: Judging,
        version: str,
        host: str,
        target: str,
        server: WatchedServer | None = None,
        stop: Stop = NEVER,
        go: Go | None = None,
        against: Journal | None = None,
        notes: tuple[Reason, ...] = (),
        make_member: MakeMember = WorkerProcess,
    ) -> None:
        self.plan = plan
        self.asked = asked
        self.wanted = wanted
        self.tell = emit
        self.board = board
        self.open_folder = open_folder
        self.folder: RunFolder | None = None
        """None before the soak begins to settle."""
        self.judging = judging
        self.version, self.host, self.target = version, host, target
        self.stop = stop
        self.go = go or Go()
        self.journal = Journal(asked, against=against)
        self.notes = notes
        self.crew = Crew(plan, self.pass_on, make_member=make_member, server=server, stop=stop)
        self.captures = Captures(board.evidence, tuple(asked.kinds))
        self.columns = tuple(asked.series)
        self.load_columns = tuple(column for column in asked.series if asked.of_load(column))
        self.began_wall_s = time.time()
        self.state = "settling"
        self.rate_per_s = plan.load.rate_per_s
        self.arrival = plan.load.arrival if plan.load.open_loop else ARRIVAL
        self.offset_s = -asked.schedule.settle_s
        """The time of the soak at which the load under way began."""
        self.counted_from = Snapshot()
        """What the load under way had counted at the last sample."""
        self.sampled_s = 0.0
        """The seconds of the load under way at the last sample."""
        self.before = Snapshot()
        """What the soak's earlier loads counted."""
        self.before_ns = 0
        self.now = Snapshot()
        self.newest: dict[str, float] = {}
        self.identities: dict[str, str] = {}
        self.beaten_ns = 0
        self.broken = ""
        """Why the run folder could not be written; empty while it can."""
        self.no_go = ""
        self.opened = 0
        self.evidence = 0
        self.breached: list[tuple[str, str]] = []
        """Monitor and series of breaches whose evidence has not come yet."""
        self.load_words = ""
        """The load of the soak, where settling has found its rate; else empty."""
        self.signs: list[Signs] = []

    # ── The course ────────────────────────────────────────────────────────────────────────────────────────────────────

    def ended(self, load_in_words: Callable[[float], str]) -> SoakEnded:
        """Soak to the end or to an early end, and return the last event.

        Raises TargetError or WorkerError when there is nothing to soak: no worker, no connection, no prefill.
        """
        crew = self.crew
        try:
            with crew.at_work():
                try:
                    crew.connect()
                    if self.plan.workload.prefill:
                        crew.prefill()
                    self.opened = crew.settled(Phase.PRECHECK).connections.opened
                    self.began_wall_s = time.time()
                    self.folder = self.open_folder(self.began_wall_s)
                    self.tell(self.began(load_in_words))
                    self.settle()
                    self.tell_load(load_in_words)
                    self.soak()
                except EndedEarly:
                    crew.drain()
                return self.sum_up()
        finally:
            self.captures.close(0.0)

    def began(self, load_in_words: Callable[[float], str]) -> SoakBegan:
        found = load_in_words(self.rate_per_s if self.plan.load.open_loop or self.wanted.closed else -1.0)
        return SoakBegan(self.asked, self.version, self.folder_name, self.target, found, self.began_wall_s)

    def settle(self) -> None:
        """Load until caches, buffers and pools are filled; find the rate of the soak where none is given."""
        left_s = self.asked.schedule.settle_s
        if left_s <= 0:
            return
        if not (self.plan.load.open_loop or self.wanted.closed):
            counted = self.put_on(left_s / 2, 0.0)
            reached = counted.measured.ok_in_time * NS_PER_S / counted.length_ns if counted.length_ns else 0.0
            self.rate_per_s = RATE_SHARE * reached
            if counted.ended_early or self.ends:
                return
            if not reached:
                raise TargetError("the server answered nothing while the soak settled, so it has no rate to soak at.")
            left_s /= 2
        self.put_on(left_s, self.rate_per_s)
        # The first row of the soak begins with its own counts.
        self.before, self.before_ns = Snapshot(), 0
        self.captures.ask("the baseline")

    def tell_load(self, load_in_words: Callable[[float], str]) -> None:
        self.load_words = "" if self.plan.load.open_loop else load_in_words(self.rate_per_s)

    def soak(self) -> None:
        self.state = "soaking"
        self.offset_s = 0.0
        while not self.ends:
            left_s = self.journal.asked.schedule.duration_s - self.offset_s
            if left_s <= _SLACK_S:
                if not self.extend():
                    return
                continue
            length_s = left_s
            if self.wanted.compress > 1:
                length_s = min(left_s, self.asked.schedule.checkpoint_s / self.wanted.compress)
            counted = self.put_on(length_s, self.rate_per_s)
            self.before += counted.measured
            self.before_ns += counted.length_ns
            self.now = Snapshot()
            self.signs.append(Signs(counted.signs, counted.host))
            if counted.ended_early or self.ends:
                return
            if self.no_go:
                if self.wanted.stop_at_no_go:
                    return
                self.offset_s += counted.length_ns / NS_PER_S
                self.pause()
            else:
                self.offset_s += length_s

    def extend(self) -> bool:
        """Go on for as long again, up to `at_most_s`, when that may tell what cannot be told; return True then."""
        schedule = self.journal.asked.schedule
        why = self.journal.undecided() if schedule.duration_s < schedule.at_most_s - _SLACK_S else ""
        if not why:
            return False
        longer_s = min(schedule.duration_s + self.asked.schedule.duration_s, schedule.at_most_s)
        self.journal.extended(longer_s)
        self.note(
            Noted.EXTENDED, f"extended from {schedule.duration_s:g}s to {longer_s:g}s: {why}", duration_s=longer_s
        )
        return True

    def pause(self) -> None:
        """Wait without load until the signal says go."""
        began_ns = time.monotonic_ns()
        self.state = "paused"
        self.note(Noted.PAUSE, f"paused: {self.no_go}")
        while not self.ends:
            may_go, why = self.go.may_go()
            if may_go:
                break
            self.no_go = why
            self.crew.pause(_LONGEST_PAUSE_S)
            self.take_news(keep=False)
            self.beat()
        self.no_go = ""
        length_s = (time.monotonic_ns() - began_ns) / NS_PER_S
        self.journal.paused(length_s)
        self.state = "soaking"
        self.note(
            Noted.RESUME, f"resumed after {length_s:.1f}s, which are in no judgement", length_s=round(length_s, 3)
        )

    @property
    def ends(self) -> bool:
        """True when the soak cannot go on, or is not to."""
        return bool(self.broken or self.crew.failure or self.stop.is_set)

    # ── One load ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def put_on(self, length_s: float, rate_per_s: float) -> Counted:
        """Put a load on for this long, at a rate or, for 0, in a closed loop."""
        length_ns = max(1, round(length_s * NS_PER_S))
        if self.crew.load is not None:
            self.crew.connections.open(fresh=self.wanted.compress > 1)
        self.counted_from, self.sampled_s = Snapshot(), 0.0
        load = replace(
            self.plan.load,
            warmup_ns=0,
            duration_ns=length_ns,
            interval_ns=min(round(self.asked.schedule.every_s * NS_PER_S), NS_PER_S),
            profile=(Segment(length_ns, rate_per_s, rate_per_s),) if rate_per_s else (),
            arrival=self.arrival if rate_per_s else "constant",
            requests=0,
            phases=(),
        )
        counted = self.crew.put_on(load, interval_ended=self.interval_ended, enough=self.enough)
        self.opened += counted.measured.connections.opened if self.state == "soaking" else 0
        if self.state == "settling":
            self.offset_s += length_s
        return counted

    def interval_ended(self, ended: Interval) -> None:
        """Take a sample when one is due."""
        if ended.phase != Phase.MEASURE or self.broken:
            return
        interval_ns = min(round(self.asked.schedule.every_s * NS_PER_S), NS_PER_S)
        at_s = ((ended.number - 1) * interval_ns + ended.length_ns) / NS_PER_S
        load_ends = ended.length_ns < interval_ns
        if at_s - self.sampled_s < self.asked.schedule.every_s - _SLACK_S and not load_ends:
            return
        counted, length_s = ended.so_far - self.counted_from, at_s - self.sampled_s
        self.counted_from, self.sampled_s, self.now = ended.so_far, at_s, ended.so_far
        values = self.take_news(keep=True)
        values |= totals.sample(self.load_columns, counted, round(length_s * NS_PER_S))
        self.sample(self.offset_s + at_s, values, self.before_ns + round(at_s * NS_PER_S))

    def sample(self, t_s: float, values: Mapping[str, float], length_ns: int) -> None:
        values = {column: short for column, value in values.items() if (short := kept(value)) is not None}
        self.newest.update(values)
        row = Row(kept(t_s) or 0, self.columns, [values.get(column) for column in self.columns])
        self.keep(lambda folder: folder.sample(row))
        for news in self.journal.sample(row, time.time()):
            self.take(news, length_ns)

    def take(self, news: News, length_ns: int) -> None:
        """Keep and tell what is new."""
        match news:
            case BaselineFound(bases):
                self.event("baseline", 0.0, {"values": written.bases(bases)})
                self.tell(SoakBaseline(self.asked, bases, self.load_words))
            case Checkpoint():
                self.count(length_ns)
                fields = {**written.checkpoint(news), "totals": written.totals(self.journal.found.totals)}
                self.event("checkpoint", news.t_s, fields)
                self.keep(lambda folder: folder.expose(self.newest))
                self.tell(SoakCheckpoint(self.journal.asked, news))
                self.beat(force=True)
            case Breach(_, graded):
                monitor, _, series = graded.column.rpartition(".")
                kind = Noted.BREACH if news.is_red else Noted.WARN
                least = written.per_min(graded.grown.low) or 0.0
                spelled = f"{least / 1e6:.3g} MB/min" if graded.band.dimension.size else f"{least:.3g}/min"
                grade = graded.band.word(graded.best) if graded.best is not None else ""
                self.note(kind, f"{graded.column} grows by {spelled} at least: {grade}", column=graded.column)
                if not self.asked.is_own(graded.column):
                    self.breached.append((monitor, series))
                    self.captures.ask(f"{graded.column} grows")
        self.take_evidence(self.captures.taken())

    def count(self, length_ns: int) -> None:
        self.journal.totals(totals.totals(self.before + self.now, length_ns, self.opened_so_far, self.judging.slo))

    @property
    def opened_so_far(self) -> int:
        return self.opened + self.now.connections.opened

    def enough(self) -> bool:
        """Beat, and return True when the load under way is to end: for a no-go, or as nothing can be kept any more."""
        self.beat()
        if self.state == "soaking":
            may_go, why = self.go.may_go()
            self.no_go = "" if may_go else why or "no-go"
        return bool(self.broken or self.no_go)

    # ── Monitors ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def take_news(self, *, keep: bool) -> dict[str, float]:
        """Return the newest values of monitors by column, without `keep` none; note gaps and restarts."""
        values: dict[str, float] = {}
        for news in self.board.news():
            t_s = max(0.0, self.journal.t_s) if self.state != "settling" else self.journal.t_s
            if isinstance(news, Gap):
                if keep and self.state == "soaking":
                    self.missed(news, t_s)
                continue
            values |= {f"{news.monitor}.{series}": value for series, value in news.values.items()}
            self.identify(news, t_s)
        return values if keep else {}

    def missed(self, gap: Gap, t_s: float) -> None:
        self.journal.gap(GapSeen(gap.monitor, t_s, gap.why, ours=gap.why == NOT_BEGUN))
        seen = written.gap(self.journal.found.gaps[-1])
        self.note(Noted.GAP, f"{gap.monitor} was not read: {gap.why}", **seen)

    def identify(self, reading: Reading, t_s: float) -> None:
        before = self.identities.get(reading.monitor, "")
        if before and reading.identity not in ("", before) and self.state != "settling":
            restart = RestartSeen(reading.monitor, t_s, before, reading.identity)
            self.journal.restart(restart)
            words = f"{reading.monitor} was restarted: {before}, then {reading.identity}"
            self.note(Noted.RESTART, words, **written.restart(restart))
        if reading.identity:
            self.identities[reading.monitor] = reading.identity

    def take_evidence(self, taken: list[Captured]) -> None:
        """Keep what monitors show, and name who leaks."""
        for captured in taken:
            self.evidence += 1
            files: list[str] = []
            for monitor, file, text in captured.texts():
                files += self.keep_evidence(monitor, file, text)
            named = {}
            for monitor, series in self.breached:
                if who := captured.culprit(monitor, series):
                    named[f"{monitor}.{series}"] = who
                    self.journal.named(f"{monitor}.{series}", who)
            said = "; ".join(f"{column}: {who}" for column, who in named.items())
            words = f"evidence of {captured.why}: {len(files)} files" + (f"; {said}" if said else "")
            if files:
                self.note(Noted.EVIDENCE, words, number=self.evidence, files=files, named=named, why=captured.why)

    def keep_evidence(self, monitor: str, file: str, text: str) -> list[str]:
        found: list[str] = []
        self.keep(lambda folder: found.append(folder.evidence(self.evidence, monitor, file, text)))
        return found

    # ── Kept and told ─────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def folder_name(self) -> str:
        return "" if self.folder is None else str(self.folder.path)

    def keep(self, write: Callable[[RunFolder], object]) -> None:
        """Write to the run folder; one that cannot be written ends the soak."""
        if self.broken or self.folder is None:
            return
        try:
            write(self.folder)
        except OutputError as error:
            self.broken = str(error)

    def event(self, kind: str, t_s: float, fields: Mapping[str, Any]) -> None:
        self.keep(lambda folder: folder.event({**fields, "type": kind, "wall_s": time.time(), "t_s": kept(t_s)}))

    def note(self, kind: Noted, words: str, **fields: Any) -> None:
        t_s = self.journal.t_s
        self.event(str(kind), t_s, {"words": words, **fields})
        if kind is Noted.EVIDENCE and not fields["named"]:
            # The baseline's evidence, or one that names nobody: it is in the run folder.
            return
        self.tell(SoakNoted(kind, t_s, words))

    def beat(self, *, force: bool = False) -> None:
        now_ns = time.monotonic_ns()
        if now_ns - self.beaten_ns < _BEAT_NS and not force:
            return
        self.beaten_ns = now_ns
        checkpoints = self.journal.found.checkpoints
        number = checkpoints[-1].number if checkpoints else 0
        self.keep(
            lambda folder: folder.beat(wall_s=time.time(), monotonic_ns=now_ns, checkpoint=number, state=self.state)
        )
        self.go.tell(self.state, self.no_go, self.facts(number))

    def facts(self, number: int) -> dict[str, Any]:
        """Return what is served beside the signal."""
        schedule = self.journal.asked.schedule
        left_s = max(0.0, schedule.duration_s - self.journal.t_s)
        values = {column: self.newest[column] for column in self.columns if column in self.newest}
        return {"checkpoint": number, "checkpoints": schedule.checkpoints, "left_s": round(left_s, 1), "values": values}

    def pass_on(self, event: Event) -> None:
        """Emit an event of the crew: progress with the part of the soak that it is in, no phases of single loads."""
        if isinstance(event, PhaseBegan) and event.phase in (*OF_A_LOAD, Phase.DRAIN):
            return
        if isinstance(event, Progress) and event.phase in OF_A_LOAD:
            event = self.progress(event)
        self.tell(event)

    def progress(self, event: Progress) -> Progress:
        schedule = self.journal.asked.schedule
        at_s = self.offset_s + event.elapsed_ns / NS_PER_S
        if self.state == "settling":
            at_s, length_s = at_s + schedule.settle_s, schedule.settle_s
            parts: tuple[Part, ...] = ()
        else:
            length_s = schedule.duration_s
            parts = (Part("checkpoint", min(schedule.due(0, at_s) + 1, schedule.checkpoints), schedule.checkpoints),)
        left_ns = round(max(0.0, length_s - at_s) * NS_PER_S)
        done_ns, total_ns = round(at_s * NS_PER_S), round(length_s * NS_PER_S)
        return replace(
            event,
            phase="settling" if self.state == "settling" else "soak",
            done=min(done_ns, total_ns),
            total=total_ns,
            elapsed_ns=done_ns,
            overall=Overall(parts, left_ns) if parts else None,
        )

    # ── The end ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def sum_up(self) -> SoakEnded:
        self.state = "ended"
        if self.before_ns:
            self.now = Snapshot()
            self.count(self.before_ns)
        if self.breached:
            self.captures.ask("the end")
        self.take_evidence(self.captures.close(_EVIDENCE_S))
        end = self.end()
        ended = SoakEnded(
            self.journal.asked,
            self.journal.found,
            end,
            self.journal.verdict(end),
            self.version,
            self.host,
            self.target,
            self.folder_name,
            self.began_wall_s,
            (*self.notes, *self.crew.notes, *self.doubts()),
        )
        self.event("end", end.t_s, {**written.end(end), "totals": written.totals(self.journal.found.totals)})
        self.keep(lambda folder: folder.expose(self.newest))
        self.beat(force=True)
        self.keep(lambda folder: folder.result(result(ended)))
        self.go.tell("ended", "" if ended.exit_code == 0 else "the soak did not pass")
        if self.broken and end.how is not How.FAILED:
            return replace(ended, end=replace(end, how=How.FAILED, why=self.broken))
        return ended

    def end(self) -> End:
        t_s = max(0.0, self.journal.t_s)
        if self.broken:
            return End(How.FAILED, t_s, self.broken)
        if self.crew.failure:
            [reason, *_] = self.crew.failure.reasons
            how = How.FAILED if reason.code is Code.WORKER_DIED else How.CRASHED
            return End(how, t_s, reason.words.rstrip("."))
        if self.stop.is_set:
            return End(How.INTERRUPTED, t_s, "it was interrupted")
        if self.no_go:
            return End(How.STOPPED, t_s, f"no-go: {self.no_go}")
        return End(How.COMPLETE, t_s)

    def doubts(self) -> list[Reason]:
        """Return what the generator itself did to the numbers, as remarks: growth is not measured by response times."""
        if not self.signs or not self.before_ns:
            return []
        merged = Signs(self.signs[-1].workers, self.signs[-1].host)
        judged = numbers.judge(
            self.judging.limits,
            self.before,
            merged,
            open_loop=bool(self.rate_per_s),
            spin=self.plan.wire.spin,
            duration_ns=self.before_ns,
        )
        return [Reason(reason.code, reason.words) for reason in (*judged.reasons, *judged.notes)]


def result(ended: SoakEnded) -> dict[str, Any]:
    """Return the fields of `result.json`."""
    return {
        "verdict": str(ended.verdict.answer),
        "exit_status": int(ended.exit_code),
        "version": ended.version,
        "host": ended.host,
        "target": ended.target,
        "wall_s": ended.wall_s,
        "end": written.end(ended.end),
        "found": written.found(ended.found),
        "judged": written.verdict(ended.verdict),
        "notes": [{"code": str(reason.code), "words": reason.words} for reason in ended.notes],
    }


def settle_s(duration_s: float) -> float:
    """Return how long a soak of this length settles: a tenth of it, 30 s at most."""
    return min(30.0, duration_s / 10)
