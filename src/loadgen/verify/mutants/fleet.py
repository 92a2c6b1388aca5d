"""Mutants of a load on agents: its leader, the conversation, and the agents, with one defect each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from loadgen.fleet.agent import Agent
from loadgen.fleet.introduction import Claim
from loadgen.fleet.link import Link
from loadgen.fleet.together import Together
from loadgen.runner import crew
from loadgen.runner.clock import ClockOffset
from loadgen.runner.crew import Crew
from loadgen.runner.seat import Seat
from loadgen.units import NS_PER_MS, NS_PER_S
from loadgen.verify.mutants.mutant import Mutant, Patch, Where
from loadgen.worker.messages import Beat, Drained, Hello, IntervalEnded, PutOn

KIND = "fleet_agents"

_error: Any = ClockOffset.error_ns
_be_claimed, _told, _tick = Agent._be_claimed, Agent._told, Agent.tick
_complete_intervals, _all_drained = Together._complete_intervals, Together._all_drained
_link_tick = Link.tick
_tell = Seat.tell
_on_member_death = Crew.on_member_death


def _takes_any_claim(self: Agent, body: bytes) -> None:
    _be_claimed(self, replace(Claim.of_json(body), agent=self._introduction.nonce).to_json())


def _loads_twice(self: Agent, message: object, now_ns: int) -> None:
    _told(self, message, now_ns)
    if isinstance(message, PutOn):
        _told(self, message, now_ns)


def _beats_by_itself(self: Agent, now_ns: int) -> int:
    if not self.over and self._together is not None:
        self._heard_ns = now_ns
        self._hands.tell(Beat())
    return _tick(self, now_ns)


def _without_lease(self: Seat, message: Any) -> None:
    _tell(self, replace(message, lease_ns=0) if isinstance(message, Hello) else message)


def _newest_counts(self: Together, newest: Any) -> Iterator[IntervalEnded]:
    """An interval has what its workers have counted since, too."""
    for ended in _complete_intervals(self, newest):
        counts = [last[ended.phase] for last in self._last.values() if ended.phase in last]
        yield replace(ended, snapshot=sum(counts[1:], counts[0]))


def _histograms_of_one(self: Together, reports: Any) -> Drained:
    """The tallies of all workers, and the response times of one."""
    whole = _all_drained(self, reports)
    finals = {
        phase: replace(snapshot, response=reports[0].finals[phase].response) for phase, snapshot in whole.finals.items()
    }
    return replace(whole, finals=finals)


def _with_patience(lost_ns: int) -> Callable[[Link, int], None]:
    def tick(self: Link, now_ns: int) -> None:
        self._lost_ns = lost_ns
        _link_tick(self, now_ns)

    return tick


def _blames_the_first(self: Crew, seat: Seat, how: str) -> None:
    seat.is_alive = False
    _on_member_death(self, self.seats[0], how)


def _mutant(name: str, breaks: str, *patches: Patch) -> Mutant:
    return Mutant(name, breaks, Where.FLEET, KIND, patches)


def _property(get: Callable[[Any], Any]) -> Any:
    return property(get)


MUTANTS = (
    _mutant(
        "any claim",
        "an agent takes the claim of another one, which was launched for the same rank",
        (Agent, "_be_claimed", _takes_any_claim),
    ),
    _mutant("order passed on twice", "an agent passes the order of a load on twice", (Agent, "_told", _loads_twice)),
    _mutant(
        "clocks that do not drift",
        "what is known of a clock is taken to hold for ever",
        (ClockOffset, "aged", lambda self, age_ns: self),
    ),
    _mutant(
        "half the error",
        "the error of a clock is stated as a quarter of its bounds",
        (ClockOffset, "error_ns", _property(lambda self: _error.fget(self) // 2)),
    ),
    _mutant(
        "our clock", "every machine is taken to have the leader's clock", (Seat, "ahead_ns", _property(lambda _: 0))
    ),
    _mutant(
        "order without a margin",
        "a load is ordered to start before an order has come everywhere",
        (Crew, "farthest_ns", _property(lambda _: 0)),
    ),
    _mutant(
        "interval with later counts",
        "an interval of several workers has what they have counted since",
        (Together, "_complete_intervals", _newest_counts),
    ),
    _mutant(
        "histograms of one worker",
        "an agent sends the response times of its first worker as those of all",
        (Together, "_all_drained", _histograms_of_one),
    ),
    _mutant(
        "open requests forgotten",
        "requests in flight of an agent that is lost have no end",
        (Crew, "settled", Crew.merged),
    ),
    _mutant("patient leader", "a silent agent is given up after 30 s", (Link, "tick", _with_patience(30 * NS_PER_S))),
    _mutant("hasty leader", "a silent agent is given up after 400 ms", (Link, "tick", _with_patience(400 * NS_PER_MS))),
    _mutant(
        "agent beats by itself",
        "an agent takes its own signs of life for its leader's",
        (Agent, "tick", _beats_by_itself),
    ),
    _mutant("no lease", "workers have no lease", (Seat, "tell", _without_lease)),
    _mutant("wait without an end", "a report is waited for as long as it takes", (crew, "GRACE_NS", 10**6 * NS_PER_S)),
    _mutant(
        "wrong agent named", "the first agent is named, whichever is lost", (Crew, "on_member_death", _blames_the_first)
    ),
)
