"""The leader of a soak: puts its loads on, one after the other, with monitors beside them, and keeps what happens.

It decides nothing: the journal says what is new and what the verdict is. Settling comes first; where no rate is given,
its first half finds one, in a closed loop. The soak itself is one load, and another after each pause, when connections
are replaced (`--compress`), and for each extension. The soak's clock stands still between loads. Beside a peer, another
server, each load is put on both at the same time.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from loadgen.errors import TargetError
from loadgen.events import Event, Overall, Part, Progress
from loadgen.judge import verdict as numbers
from loadgen.phase import OF_A_LOAD
from loadgen.plan import Plan
from loadgen.reason import Reason
from loadgen.runner.ended_early import EndedEarly
from loadgen.runner.load import Counted
from loadgen.soak.asked import Asked
from loadgen.soak.ended import SoakEnded
from loadgen.soak.found import How
from loadgen.soak.side import SLACK_S, Peer, Side
from loadgen.units import NS_PER_S

RATE_SHARE = 0.3
"""A soak without a rate gets this share of what settling reached: a server at its limit only shows its limit."""

_LONGEST_PAUSE_S = 0.25


@dataclass(frozen=True, slots=True)
class Wanted:
    """How the loads of a soak are put on."""

    closed: bool = False
    """A closed loop, where the plan has no rate."""
    stop_at_no_go: bool = False
    """A no-go ends the soak, and does not pause it."""


class Soak(Side):
    """One soak. `emit` receives all events but the last, which `ended` returns. `peer` has the second server, if any.

    The other keywords are those of `Side`.
    """

    def __init__(
        self,
        plan: Plan,
        asked: Asked,
        wanted: Wanted,
        emit: Callable[[Event], None],
        *,
        notes: tuple[Reason, ...] = (),
        peer: Peer | None = None,
        **side: Any,
    ) -> None:
        super().__init__(plan, asked, emit, **side)
        self.notes = notes
        self.wanted = wanted
        self.rate_per_s = plan.load.rate_per_s
        self.peer = peer
        self.sides: Sequence[Side] = [self]
        if peer is not None:
            self.sides = [self, peer]
            peer.turn = self.turn

    # ── The course ────────────────────────────────────────────────────────────────────────────────────────────────────

    def ended(self, load_in_words: Callable[[float], str]) -> SoakEnded:
        """Soak to the end or to an early end, and return the last event.

        Raises TargetError or WorkerError when there is nothing to soak: no worker, no connection, no prefill.
        """
        with contextlib.ExitStack() as stack:
            for side in self.sides:
                stack.callback(side.captures.close, 0.0)
                stack.enter_context(side.crew.at_work())
            try:
                for side in self.sides:
                    side.connect()
                began_wall_s = time.time()
                for side in self.sides:
                    side.began_wall_s = began_wall_s
                    side.folder = side.open_folder(began_wall_s)
                found = load_in_words(self.rate_per_s if self.plan.load.open_loop or self.wanted.closed else -1.0)
                for side in self.sides:
                    side.tell(side.began(found))
                self.settle()
                self.tell_load(load_in_words)
                self.soak()
            except EndedEarly:
                for side in self.sides:
                    side.crew.drain()
            return self.sum_up()

    def settle(self) -> None:
        """Load until caches, buffers and pools are filled; find the rate of the soak where none is given."""
        left_s = self.asked.schedule.settle_s
        if left_s <= 0:
            return
        if not (self.plan.load.open_loop or self.wanted.closed):
            counted = self.put_on_all(left_s / 2, 0.0)
            reached = min(map(reached_per_s, counted))
            self.rate_per_s = RATE_SHARE * reached
            if self.ends:
                return
            if not reached:
                raise TargetError("the server answered nothing while the soak settled, so it has no rate to soak at.")
            left_s /= 2
        self.put_on_all(left_s, self.rate_per_s)

    def tell_load(self, load_in_words: Callable[[float], str]) -> None:
        self.load_words = "" if self.plan.load.open_loop else load_in_words(self.rate_per_s)

    def soak(self) -> None:
        for side in self.sides:
            side.begin()
        while not self.ends:
            left_s = self.journal.asked.schedule.duration_s - self.offset_s
            if left_s <= SLACK_S:
                if not self.extend():
                    return
                continue
            length_s = left_s
            if self.asked.wear.is_faster:
                length_s = min(left_s, self.asked.schedule.checkpoint_s / self.asked.wear.times)
            self.put_on_all(length_s, self.rate_per_s)
            if self.ends:
                return
            if self.no_go:
                if self.wanted.stop_at_no_go:
                    return
                self.wait_for_go()

    def put_on_all(self, length_s: float, rate_per_s: float) -> list[Counted]:
        """Put a load on both sides for this long, and return what each has counted, ours first."""
        if self.peer is None:
            return [self.put_on(length_s, rate_per_s)]
        with self.peer.alongside(length_s, rate_per_s) as theirs:
            try:
                ours = self.put_on(length_s, rate_per_s)
            finally:
                self.peer.is_left = self.ends or self.is_over
        # Both have one clock from here: loads that were ended early may have other lengths.
        self.peer.offset_s = self.offset_s
        return [ours, *theirs]

    def extend(self) -> bool:
        """Go on for as long again, up to `at_most_s`, when that may tell what cannot be told; return True then."""
        schedule = self.journal.asked.schedule
        why = self.journal.undecided() if schedule.duration_s < schedule.at_most_s - SLACK_S else ""
        if not why:
            return False
        longer_s = min(schedule.duration_s + self.asked.schedule.duration_s, schedule.at_most_s)
        for side in self.sides:
            side.extended(longer_s, f"extended from {schedule.duration_s:g}s to {longer_s:g}s: {why}")
        return True

    def wait_for_go(self) -> None:
        """Wait without load until the signal says go."""
        began_ns = time.monotonic_ns()
        for side in self.sides:
            side.pause(self.no_go)
        while not self.ends:
            may_go, why = self.go.may_go()
            if may_go:
                break
            self.no_go = why
            self.crew.pause(_LONGEST_PAUSE_S)
            for side in self.sides:
                side.take_news(keep=False)
                side.beat()
        self.no_go = ""
        length_s = (time.monotonic_ns() - began_ns) / NS_PER_S
        for side in self.sides:
            side.resume(length_s)

    @property
    def ends(self) -> bool:
        """True when the soak cannot go on, or is not to."""
        return bool(self.broken or self.crew.failure or self.stop.is_set)

    def enough(self) -> bool:
        """Beat, and return True when the load under way is to end: for a no-go, or as nothing can be kept any more."""
        if self.state == "soaking":
            may_go, why = self.go.may_go()
            self.no_go = "" if may_go else why or "no-go"
        return super().enough()

    @property
    def is_over(self) -> bool:
        return bool(self.broken or self.no_go)

    def pass_on(self, event: Event) -> None:
        """Emit an event of the crew, progress with the part of the soak that it is in."""
        if isinstance(event, Progress) and event.phase in OF_A_LOAD:
            event = self.progress(event)
        super().pass_on(event)

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
        for side in self.sides:
            side.count_all()
        if self.peer is not None:
            if self.end().how is not How.COMPLETE:
                self.peer.why_left = f"the soak of {self.target} ended"
            self.peer.tell(self.peer.summed_up())
        return self.summed_up((*self.notes, *self.crew.notes, *self.of_the_peer(), *self.doubts()))

    def of_the_peer(self) -> list[Reason]:
        """Return a remark on a second server whose load ended before ours."""
        if self.peer is None or not (failure := self.peer.crew.failure) or self.ends:
            return []
        [reason, *_] = failure.reasons
        words = f"the load on {self.peer.target} ended early, and the soak went on without it: {reason.words}"
        return [Reason(reason.code, words.rstrip("."))]

    def doubts(self) -> list[Reason]:
        """Return what the generator itself did to the numbers, as remarks: growth is not measured by response times."""
        if not self.before_ns:
            return []
        judged = numbers.judge(
            self.judging.limits,
            self.before,
            self.signs,
            open_loop=bool(self.rate_per_s),
            spin=self.plan.wire.spin,
            duration_ns=self.before_ns,
        )
        return [Reason(reason.code, reason.words) for reason in (*judged.reasons, *judged.notes)]


def reached_per_s(counted: Counted) -> float:
    """Return the requests per second that were answered in time."""
    return counted.measured.ok_in_time * NS_PER_S / counted.length_ns if counted.length_ns else 0.0


def settle_s(duration_s: float) -> float:
    """Return how long a soak of this length settles: a tenth of it, 30 s at most."""
    return min(30.0, duration_s / 10)
