"""An agent: what runs on a machine of a run, between its leader and its workers. No I/O; the time is an argument.

An agent is claimed once, by one leader, for one rank of one run, and starts no load before. It ends its workers when
its leader is silent for longer than their lease.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from loadgen.errors import WorkerError
from loadgen.fleet.frame import Frame, FrameError, Frames, Kind, frame
from loadgen.fleet.introduction import Claim, HandshakeError, Introduction, is_proof, misfit, proof
from loadgen.fleet.pickled import UnknownMessageError, pickled, unpickled
from loadgen.fleet.seed_messages import Answer, Finish, Known, Prepare, Shorten, Take, Unable
from loadgen.fleet.seed_messages import Order as SeedOrder
from loadgen.fleet.together import Together
from loadgen.signs import HostSigns
from loadgen.units import NS_PER_MS, NS_PER_S
from loadgen.worker.messages import (
    Beat,
    ClockReading,
    Drained,
    Failed,
    Goodbye,
    Hello,
    Message,
    Order,
    PutOn,
    TellTime,
)

BEAT_NS = 500 * NS_PER_MS
"""The time between two signs of life, of the leader and of an agent."""

WELL = "has said goodbye to its leader"
"""How an agent ends that its leader has ended."""

SILENT_NS = 10 * NS_PER_S
"""The time after which an agent without a plan gives up a leader that is silent. One that waits for other agents says
that it is there."""


class Hands(Protocol):
    """What an agent does on its machine."""

    def send(self, data: bytes) -> None:
        """Send bytes to the leader."""

    def lock(self, run: str, rank: int) -> str:
        """Take a rank of a run for ever. Return why it cannot be taken, in words after the agent's name; or nothing."""

    def start(self, hello: Hello) -> None:
        """Start a worker, which receives `hello`. Raises WorkerError when it cannot be started."""

    def tell(self, order: Order) -> None:
        """Send an order to all workers."""

    def seeds(self, order: SeedOrder) -> None:
        """Carry out an order of a campaign of seeds. Raises WorkerError when a process cannot be started."""

    def look(self) -> Callable[[], HostSigns]:
        """Begin to watch the machine. Return a function that says what has been seen."""

    def end(self) -> None:
        """End all workers, and close the channel once all that was sent has gone."""


class Agent:
    """An agent's state. `over` says how it ended; empty while it has not."""

    def __init__(self, hands: Hands, introduction: Introduction, token: str, now_ns: int) -> None:
        self._hands = hands
        self._introduction = introduction
        self._token = token
        self._frames = Frames()
        self._claim: Claim | None = None
        self._together: Together | None = None
        self._places: dict[int, int] = {}
        """The places of the workers, by their indexes in the plan."""
        self._lease_ns = 0
        self._heard_ns = now_ns
        self._beat_ns = now_ns
        self._signs: Callable[[], HostSigns] | None = None
        self._leaving = False
        self._runs_seeds = False
        """The agent was claimed for a campaign of seeds, and has no plan."""
        self.over = ""

    @property
    def run(self) -> str:
        """The name of the run that the agent was claimed for; empty before."""
        return self._claim.run if self._claim is not None else ""

    def begin(self) -> None:
        """Introduce the agent."""
        self._hands.send(frame(Kind.INTRODUCTION, self._introduction.to_json()))

    # ── The leader ──────────────────────────────────────────────────────────────────────────────────────────────────

    def received(self, data: bytes, now_ns: int) -> None:
        """Take bytes from the leader."""
        try:
            frames = self._frames.feed(data)
        except FrameError as error:
            self._end(f"was sent what no leader sends: {error}")
            return
        for each in frames:
            if not self.over:
                self._heard_ns = now_ns
                self._take(each, now_ns)

    def leader_gone(self) -> None:
        """The channel has ended."""
        self._end("" if self._leaving else "lost its leader, and has ended its load")

    def _take(self, each: Frame, now_ns: int) -> None:
        match each.kind:
            case Kind.CLAIM if self._claim is None:
                self._be_claimed(each.body)
            case Kind.BEAT:
                if self._together is not None:
                    self._hands.tell(Beat())
            case Kind.TOLD if self._claim is not None:
                try:
                    message = unpickled(each.body)
                except UnknownMessageError as error:
                    self._end(f"was told {error}")
                    return
                self._told(message, now_ns)
            case _:
                self._end(f"was sent a {each.kind.name.lower()} that it did not wait for")

    def _be_claimed(self, body: bytes) -> None:
        own = self._introduction
        try:
            claim = Claim.of_json(body)
        except HandshakeError as error:
            self._refuse(f"was claimed by somebody who {error}")
            return
        if claim.agent != own.nonce:
            self._refuse("was sent the claim of another agent: it was launched a second time")
        elif not is_proof(claim.proof, self._token, "leader", own.nonce, claim.nonce):
            self._refuse("has another token than its leader: give both the same (--token-file, or LOADGEN_TOKEN)")
        elif words := misfit(claim, own.version):
            self._refuse(f"was claimed by a leader that {words}")
        elif words := self._hands.lock(claim.run, claim.rank):
            self._refuse(words)
        else:
            self._claim = claim
            said = proof(self._token, "agent", own.nonce, claim.nonce)
            self._hands.send(frame(Kind.ACCEPTED, said.encode()))

    def _refuse(self, words: str) -> None:
        self._hands.send(frame(Kind.REFUSED, words.encode()))
        self._end(words)

    def _told(self, message: object, now_ns: int) -> None:
        match message:
            case Hello():
                self._hello(message)
            case TellTime():
                self._say(ClockReading(now_ns))
            case Goodbye():
                self._leaving = True
                self._hands.tell(message)
                self._hands.send(frame(Kind.ENDED))
                self._end("")
            case Prepare() if self._together is None and not self._runs_seeds:
                self._runs_seeds = True
                self._carry_out(message)
            case Take() | Shorten() | Known() | Finish() if self._runs_seeds:
                self._carry_out(message)
            case _ if self._together is not None and isinstance(message, Order):
                self._together.told(message)
                if isinstance(message, PutOn):
                    self._signs = self._hands.look()
                self._hands.tell(message)
            case _:
                self._end(f"was told {type(message).__name__} before it knew its plan")

    def _hello(self, hello: Hello) -> None:
        self._lease_ns = hello.lease_ns
        self._together = Together(hello.workers)
        self._places = {worker: place for place, worker in enumerate(hello.workers)}
        try:
            for worker in hello.workers:
                self._hands.start(replace(hello, workers=(worker,)))
        except WorkerError as error:
            self._say(Failed(str(error)))
            self._end(f"could not start its workers: {error}")

    # ── Seeds ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _carry_out(self, order: SeedOrder) -> None:
        try:
            self._hands.seeds(order)
        except WorkerError as error:
            self.seeds_said(Unable(str(error)))

    def seeds_said(self, answer: Answer) -> None:
        """Pass on what a process that runs seeds has said."""
        if not self.over:
            self._say(answer)
            if isinstance(answer, Unable):
                self._end("cannot run its seeds")

    def _say(self, message: Message | Answer) -> None:
        self._hands.send(frame(Kind.SAID, pickled(message)))

    # ── The workers ─────────────────────────────────────────────────────────────────────────────────────────────────

    def worker_said(self, worker: int, message: Message) -> None:
        """Pass on what a worker has said, once all have."""
        if self.over or self._together is None:
            return
        if isinstance(message, Failed):
            message = replace(message, words=f"worker {worker} {message.words}")
        for each in self._together.said(self._places[worker], message):
            if isinstance(each, Drained) and self._signs is not None:
                each = replace(each, host=self._signs())
            self._say(each)

    def worker_ended(self, worker: int, how: str) -> None:
        """A worker has ended, `how` in words after its name: without all of its workers, an agent is none."""
        if not self.over and not self._leaving:
            self._say(Failed(f"worker {worker} {how}"))
            self._end(f"has lost worker {worker}, which {how}")

    # ── Time ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def tick(self, now_ns: int) -> int:
        """Do what is due by now. Return the time of the next call."""
        if self.over:
            return now_ns + BEAT_NS
        silent_ns = now_ns - self._heard_ns
        patience_ns = self._lease_ns or SILENT_NS
        if silent_ns >= patience_ns:
            load = ", and has ended its load" if self._together is not None else ""
            self._end(f"heard nothing from its leader for {patience_ns / NS_PER_S:g} s{load}")
        elif now_ns >= self._beat_ns:
            self._beat_ns = now_ns + BEAT_NS
            self._hands.send(frame(Kind.BEAT))
        return self._beat_ns

    def _end(self, words: str) -> None:
        if not self.over:
            self.over = words or WELL
            self._hands.end()
