"""A leader's link and an agent, byte by byte in invented time: who may lead, what silence does, what is never twice."""

from collections.abc import Callable

import pytest
from introduced import introduced
from runs import plan

from loadgen.fleet.agent import BEAT_NS, SILENT_NS, WELL, Agent
from loadgen.fleet.frame import Kind, frame
from loadgen.fleet.link import INTRODUCED_WITHIN_NS, LOST_NS, Link
from loadgen.fleet.pickled import pickled
from loadgen.signs import HostSigns
from loadgen.units import NS_PER_S
from loadgen.worker.messages import Beat, ClockReading, Goodbye, Greeting, Hello, Order, TellTime

LEASE_NS = 3 * NS_PER_S
TOKEN = "a token of sixteen"


class Hands:
    """What an agent did."""

    def __init__(self) -> None:
        self.sent = bytearray()
        self.started: list[Hello] = []
        self.told: list[Order] = []
        self.locks: set[tuple[str, int]] = set()
        self.has_ended = False

    def send(self, data: bytes) -> None:
        self.sent += data

    def lock(self, run: str, rank: int) -> str:
        if (run, rank) in self.locks:
            return "has had this rank"
        self.locks.add((run, rank))
        return ""

    def start(self, hello: Hello) -> None:
        self.started.append(hello)

    def tell(self, order: Order) -> None:
        self.told.append(order)

    def look(self) -> Callable[[], HostSigns]:
        return HostSigns

    def end(self) -> None:
        self.has_ended = True


class Conversation:
    """Both sides, and an instant network between them."""

    def __init__(
        self, leaders: str = "", agents: str = "", *, version: str = "1", hands: Hands | None = None, run: str = "run"
    ) -> None:
        self.now_ns = 0
        self.hands = hands or Hands()
        said = introduced(has_token=int(bool(agents)))
        self.agent = Agent(self.hands, said, agents, 0)
        self.link = Link(version, run, 0, leaders, 0)
        self.agent.begin()
        self.carry()

    def carry(self) -> None:
        while self.hands.sent or self.link.out:
            up, down = bytes(self.hands.sent), bytes(self.link.out)
            self.hands.sent.clear()
            self.link.out.clear()
            if up:
                self.link.received(up, self.now_ns)
            if down and not self.agent.over:
                self.agent.received(down, self.now_ns)

    def claimed(self) -> "Conversation":
        self.link.claim(self.now_ns)
        self.carry()
        return self

    def at_work(self, *workers: int) -> "Conversation":
        self.claimed()
        self.link.tell(Hello(plan(1, "general.threads=4"), workers, LEASE_NS))
        self.carry()
        return self

    def pass_time(self, length_ns: int, *, leader: bool = True, agent: bool = True, cut: bool = False) -> None:
        """Let a time pass in which the sides are told the time, or stand still; `cut`: nothing is carried."""
        until_ns = self.now_ns + length_ns
        while self.now_ns < until_ns:
            self.now_ns += BEAT_NS // 5
            if leader:
                self.link.tick(self.now_ns)
            if agent:
                self.agent.tick(self.now_ns)
            if cut:
                self.link.out.clear()
                self.hands.sent.clear()
            self.carry()


@pytest.mark.parametrize("token", ["", TOKEN])
def test_an_agent_is_introduced_claimed_and_accepted(token: str) -> None:
    conversation = Conversation(token, token).claimed()
    assert conversation.link.is_accepted
    assert not conversation.link.over
    assert not conversation.agent.over


@pytest.mark.parametrize(
    ("leaders", "agents", "words"),
    [
        (TOKEN, "another token, longer", "has another token than its leader"),
        ("", TOKEN, "asks for a token"),
        (TOKEN, "", "has no token"),
    ],
)
def test_a_wrong_token_is_refused_by_a_sentence(leaders: str, agents: str, words: str) -> None:
    conversation = Conversation(leaders, agents)
    if not conversation.link.over:
        conversation.claimed()
    assert words in conversation.link.over
    assert "--token-file" in conversation.link.over
    assert not conversation.hands.locks


def test_a_leader_that_cannot_prove_the_token_is_told_nothing_and_obeyed_in_nothing() -> None:
    conversation = Conversation(agents=TOKEN)
    conversation.agent.received(frame(Kind.TOLD, pickled(TellTime())), 1)
    assert conversation.agent.over == "was sent a told that it did not wait for"
    assert not conversation.hands.sent


def test_an_agent_that_cannot_prove_the_token_is_given_no_plan() -> None:
    """One that only pretends to ask for a token, and accepts whatever is said."""
    link = Link("1", "run", 0, TOKEN, 0)
    link.received(frame(Kind.INTRODUCTION, introduced(has_token=1).to_json()), 0)
    link.claim(0)
    link.received(frame(Kind.ACCEPTED, b"0" * 64), 0)
    assert not link.is_accepted
    assert "does not know the token" in link.over


def test_an_agent_of_another_version_is_refused_at_its_hello() -> None:
    conversation = Conversation(version="2")
    assert conversation.link.over == "has loadgen 1, and this is 2: install the same version on both"
    assert not conversation.hands.started


def test_a_rank_of_a_run_is_had_once_on_a_machine() -> None:
    first = Conversation().claimed()
    again = Conversation(hands=first.hands).claimed()
    assert again.link.over == "has had this rank"
    assert not again.link.is_accepted
    other = Conversation(hands=first.hands, run="another").claimed()
    assert other.link.is_accepted


def test_an_agent_starts_its_workers_and_answers_for_all_of_them() -> None:
    conversation = Conversation().at_work(2, 3)
    assert [hello.workers for hello in conversation.hands.started] == [(2,), (3,)]
    conversation.agent.worker_said(2, Greeting(10))
    conversation.carry()
    assert not conversation.link.messages
    conversation.agent.worker_said(3, Greeting(12))
    conversation.link.tell(TellTime())
    conversation.carry()
    conversation.carry()
    assert list(conversation.link.messages) == [Greeting(12), ClockReading(0)]


def test_signs_of_life_keep_a_conversation_and_reach_the_workers() -> None:
    conversation = Conversation().at_work(0)
    conversation.pass_time(60 * NS_PER_S)
    assert not conversation.link.over
    assert not conversation.agent.over
    # The lease of a worker is renewed several times while it lasts.
    assert conversation.hands.told.count(Beat()) > 60 * NS_PER_S / LEASE_NS * 3


def test_an_agent_that_waits_for_others_to_come_is_kept() -> None:
    conversation = Conversation()
    conversation.pass_time(10 * SILENT_NS)
    assert conversation.claimed().link.is_accepted


def test_an_agent_that_says_nothing_is_given_up_before_its_workers_lease_is_over() -> None:
    conversation = Conversation().at_work(0)
    conversation.pass_time(LOST_NS, agent=False)
    assert conversation.link.over == "said nothing for 2.5 s, and is given up"
    assert LOST_NS < LEASE_NS


def test_an_agent_ends_its_load_when_its_leader_is_silent() -> None:
    conversation = Conversation().at_work(0)
    conversation.pass_time(LEASE_NS - BEAT_NS, leader=False)
    assert not conversation.hands.has_ended
    conversation.pass_time(BEAT_NS, leader=False)
    assert conversation.hands.has_ended
    assert conversation.agent.over == "heard nothing from its leader for 3 s, and has ended its load"


def test_a_cut_ends_both_sides() -> None:
    conversation = Conversation().at_work(0)
    conversation.pass_time(LEASE_NS, cut=True)
    assert "said nothing" in conversation.link.over
    assert conversation.hands.has_ended


def test_a_cut_that_is_shorter_is_lived_through() -> None:
    conversation = Conversation().at_work(0)
    conversation.pass_time(LOST_NS - BEAT_NS, cut=True)
    conversation.pass_time(NS_PER_S)
    assert not conversation.link.over
    assert not conversation.agent.over


def test_an_agent_whose_leader_is_gone_ends_its_load() -> None:
    conversation = Conversation().at_work(0)
    conversation.agent.leader_gone()
    assert conversation.hands.has_ended
    assert conversation.agent.over == "lost its leader, and has ended its load"


def test_an_agent_that_loses_a_worker_says_which_and_ends() -> None:
    conversation = Conversation().at_work(2, 3)
    conversation.agent.worker_ended(3, "was killed by SIGKILL")
    conversation.carry()
    [failed] = conversation.link.messages
    assert failed.words == "worker 3 was killed by SIGKILL"  # type: ignore[union-attr]
    assert conversation.hands.has_ended


def test_goodbye_ends_both_sides_well() -> None:
    conversation = Conversation().at_work(0)
    conversation.link.tell(Goodbye())
    conversation.carry()
    assert conversation.agent.over == WELL
    assert conversation.link.over == "has ended"


def test_nobody_who_is_silent_from_the_start_is_waited_for_long() -> None:
    link = Link("1", "run", 0, "", 0)
    link.tick(INTRODUCED_WITHIN_NS - 1)
    assert not link.over
    link.tick(INTRODUCED_WITHIN_NS)
    assert link.over == "did not introduce itself within 30 s"
    agent = Conversation().agent
    agent.tick(SILENT_NS)
    assert agent.over == "heard nothing from its leader for 10 s"


@pytest.mark.parametrize("sent", [b"SSH-2.0-OpenSSH_9.2\r\n", frame(Kind.SAID, b""), frame(Kind.INTRODUCTION, b"{}")])
def test_whoever_is_no_agent_is_refused(sent: bytes) -> None:
    link = Link("1", "run", 0, "", 0)
    link.received(sent, 1)
    assert link.over
