"""A leader's side of the conversation with one agent. No I/O; the time is an argument."""

from __future__ import annotations

from collections import deque

from loadgen.escape import printable
from loadgen.fleet.agent import BEAT_NS
from loadgen.fleet.frame import Frame, FrameError, Frames, Kind, frame
from loadgen.fleet.introduction import Claim, HandshakeError, Introduction, is_proof, misfit, nonce, proof
from loadgen.fleet.pickled import UnknownMessageError, pickled, unpickled
from loadgen.units import NS_PER_MS, NS_PER_S
from loadgen.worker.messages import Message

LOST_NS = 2_500 * NS_PER_MS
"""An agent that has been silent for this long is lost: five signs of life have not come."""

INTRODUCED_WITHIN_NS = 30 * NS_PER_S
"""The time from the launch of an agent to its introduction: ssh and a cold start of Python are in it."""


def told(message: object) -> bytes:
    """Return a message to an agent as bytes, which takes milliseconds for a plan of a thousand workers."""
    return frame(Kind.TOLD, pickled(message))


class Link:
    """The conversation, from the agent's introduction to its end.

    `out` has the bytes to send, `messages` what the agent has said, and `over` how the agent ended, in words after its
    name; empty while it has not.
    """

    def __init__(self, version: str, run: str, rank: int, token: str, now_ns: int, lost_ns: int = LOST_NS) -> None:
        """The agent is lost when it has been silent for `lost_ns`."""
        self._version = version
        self._run, self._rank, self._token = run, rank, token
        self._lost_ns = lost_ns
        self._nonce = nonce()
        self._frames = Frames()
        self._began_ns = self._heard_ns = self._beat_ns = now_ns
        self.introduction: Introduction | None = None
        self.offset_ns = 0
        """The lead of the agent's wall clock over ours when it introduced itself: for people, and no more exact than
        the channel is quick."""
        self.is_claimed = False
        self.is_accepted = False
        self.out = bytearray()
        self.messages: deque[Message] = deque()
        self.over = ""

    def claim(self, now_ns: int) -> None:
        """Claim the agent, which has introduced itself. An agent is claimed once."""
        assert self.introduction is not None
        assert not self.is_claimed
        self.is_claimed = True
        self._began_ns = self._heard_ns = now_ns
        said = proof(self._token, "leader", self.introduction.nonce, self._nonce)
        agent = self.introduction.nonce
        claim = Claim(version=self._version, run=self._run, rank=self._rank, agent=agent, nonce=self._nonce, proof=said)
        self.out += frame(Kind.CLAIM, claim.to_json())

    def tell(self, message: object) -> None:
        """Send a message; none to an agent that is gone."""
        self.send(told(message))

    def send(self, data: bytes) -> None:
        """Send what `told` has made of a message; nothing to an agent that is gone."""
        if not self.over:
            self.out += data

    def received(self, data: bytes, now_ns: int) -> None:
        """Take bytes from the agent."""
        try:
            frames = self._frames.feed(data)
        except FrameError as error:
            self._end(f"sent what no agent sends: {error}")
            return
        for each in frames:
            if not self.over:
                self._heard_ns = now_ns
                self._take(each)

    def gone(self, how: str) -> None:
        """The channel has ended; `how` says in words after the agent's name how the far side did."""
        self._end(how)

    def tick(self, now_ns: int) -> None:
        """Send a sign of life when it is due, and give up an agent that is silent."""
        if self.over:
            return
        if self.introduction is None:
            if now_ns - self._began_ns >= INTRODUCED_WITHIN_NS:
                self._end(f"did not introduce itself within {INTRODUCED_WITHIN_NS // NS_PER_S} s")
        elif now_ns - self._heard_ns >= self._lost_ns:
            self._end(f"said nothing for {self._lost_ns / NS_PER_S:g} s, and is given up")
        elif now_ns >= self._beat_ns:
            self._beat_ns = now_ns + BEAT_NS
            self.out += frame(Kind.BEAT)

    def _take(self, each: Frame) -> None:
        match each.kind:
            case Kind.INTRODUCTION if self.introduction is None:
                self._meet(each.body)
            case Kind.ACCEPTED if self.is_claimed and not self.is_accepted:
                assert self.introduction is not None
                said = each.body.decode("ascii", "replace")
                if is_proof(said, self._token, "agent", self.introduction.nonce, self._nonce):
                    self.is_accepted = True
                else:
                    self._end("does not know the token: give both the same (--token-file, or LOADGEN_TOKEN)")
            case Kind.BEAT:
                pass
            case Kind.REFUSED | Kind.ENDED:
                self._end(printable(each.body.decode("utf-8", "replace")) or "has ended")
            case Kind.SAID if self.is_accepted:
                try:
                    self.messages.append(unpickled(each.body))
                except UnknownMessageError as error:
                    self._end(f"said {error}")
            case _:
                self._end(f"sent a {each.kind.name.lower()} that was not waited for")

    def _meet(self, body: bytes) -> None:
        try:
            introduction = Introduction.of_json(body)
        except HandshakeError as error:
            self._end(str(error))
            return
        if words := misfit(introduction, self._version):
            self._end(words)
        elif introduction.has_token and not self._token:
            self._end("asks for a token: give the leader the same (--token-file, or LOADGEN_TOKEN)")
        elif self._token and not introduction.has_token:
            self._end("has no token, and its leader asks for one: give both the same (--token-file, or LOADGEN_TOKEN)")
        else:
            self.introduction = introduction

    def _end(self, words: str) -> None:
        self.over = self.over or words
