"""The diary of a soak: what monitors say and what the journal finds new, kept in the run folder and told.

It knows no load. Who leads one says when a sample is due, and what the load counted; who only watches has none.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from loadgen.errors import OutputError
from loadgen.events import Event
from loadgen.monitors.board import NOT_BEGUN, Board
from loadgen.monitors.reading import Gap, Reading
from loadgen.reason import Reason
from loadgen.soak import written
from loadgen.soak.asked import Asked
from loadgen.soak.capture import Captured, Captures
from loadgen.soak.checkpoints import Checkpoint
from loadgen.soak.ended import Noted, SoakBaseline, SoakCheckpoint, SoakEnded, SoakNoted
from loadgen.soak.folder import Row, RunFolder, kept
from loadgen.soak.found import End, GapSeen, How, RestartSeen
from loadgen.soak.go import Go
from loadgen.soak.journal import BaselineFound, Breach, Journal, News
from loadgen.units import NS_PER_S

_BEAT_NS = NS_PER_S
_EVIDENCE_S = 10.0
"""How long the end waits for evidence."""


class Diary:
    """What is kept of one soak. `emit` receives its events; `open_folder` makes the run folder, given its beginning."""

    def __init__(
        self,
        asked: Asked,
        emit: Callable[[Event], None],
        *,
        board: Board,
        open_folder: Callable[[float], RunFolder],
        version: str,
        host: str,
        target: str,
        go: Go | None = None,
        against: Journal | None = None,
    ) -> None:
        self.asked = asked
        self.tell = emit
        self.board = board
        self.open_folder = open_folder
        self.folder: RunFolder | None = None
        """None before the soak begins to settle."""
        self.version, self.host, self.target = version, host, target
        self.go = go or Go()
        self.journal = Journal(asked, against=against)
        self.captures = Captures(board.evidence, tuple(asked.kinds))
        self.has_evidence = False
        """True when the evidence of the baseline has been asked for."""
        self.columns = tuple(asked.series)
        self.began_wall_s = time.time()
        self.state = "settling"
        self.newest: dict[str, float] = {}
        self.identities: dict[str, str] = {}
        self.beaten_ns = 0
        self.broken = ""
        """Why the run folder could not be written; empty while it can."""
        self.no_go = ""
        """Why the load is paused; empty while it is not."""
        self.wrong: dict[str, str] = {}
        """What was found wrong so far, in words: growth that is red by column, and restarts by monitor."""
        self.evidence = 0
        self.breached: list[tuple[str, str]] = []
        """Monitor and series of breaches whose evidence has not come yet."""
        self.load_words = ""
        """The load of the soak, where settling has found its rate; else empty."""

    def count(self, length_ns: int) -> None:
        """Tell the journal what the load came to so far, over a time of this length."""

    def end(self) -> End:
        """Return how it ended. Every subclass has this."""
        raise NotImplementedError

    # ── Samples ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def sample(self, t_s: float, values: Mapping[str, float], length_ns: int) -> None:
        values = {column: short for column, value in values.items() if (short := kept(value)) is not None}
        self.newest.update(values)
        if not self.has_evidence and t_s >= -self.asked.schedule.settle_s / 2:
            # A server that is asked takes memory for it, for good: what the baseline is of comes after that.
            self.captures.ask("the baseline")
            self.has_evidence = True
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
                words = f"{graded.column} grows by {spelled} at least: {grade}"
                self.note(kind, words, column=graded.column)
                if not self.asked.is_own(graded.column):
                    if news.is_red:
                        self.wrong[graded.column] = words
                    self.breached.append((monitor, series))
                    self.captures.ask(f"{graded.column} grows")
        self.take_evidence(self.captures.taken())

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
            self.wrong[reading.monitor] = words
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
        wrong = (self.no_go, *self.wrong.values()) if self.no_go else (*self.wrong.values(),)
        self.go.tell(self.state, wrong, self.facts(number))

    def facts(self, number: int) -> dict[str, Any]:
        """Return what is served beside the signal."""
        schedule = self.journal.asked.schedule
        left_s = max(0.0, schedule.duration_s - self.journal.t_s)
        values = {column: self.newest[column] for column in self.columns if column in self.newest}
        return {"checkpoint": number, "checkpoints": schedule.checkpoints, "left_s": round(left_s, 1), "values": values}

    # ── The end ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def summed_up(self, notes: Sequence[Reason] = ()) -> SoakEnded:
        """Judge what there is, keep it, and return the last event."""
        self.state = "ended"
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
            tuple(notes),
        )
        self.event("end", end.t_s, {**written.end(end), "totals": written.totals(self.journal.found.totals)})
        self.keep(lambda folder: folder.expose(self.newest))
        self.beat(force=True)
        self.keep(lambda folder: folder.result(result(ended)))
        self.go.tell("ended", () if ended.exit_code == 0 else ("the soak did not pass",))
        if self.broken and end.how is not How.FAILED:
            return replace(ended, end=replace(end, how=How.FAILED, why=self.broken))
        return ended


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
