"""The nodes under load, asked over sockets: before a load, and again and again beside it.

`loadgen.topology` knows whom to ask and what the answers mean. This file has the sockets, the thread and the clock.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from loadgen.errors import TargetError
from loadgen.plan import Endpoint, Plan, Target, Topology
from loadgen.target.talk.conversation import Conversation, NoAnswerError
from loadgen.target.talk.resp import Asker, Reply, ReplyKind
from loadgen.topology.ask import Answer, Question, ask
from loadgen.topology.follow import Follower, changes
from loadgen.topology.found import FoundNode, FoundShard
from loadgen.units import NS_PER_S

if TYPE_CHECKING:
    from loadgen.faults.bench import BenchUp

PATIENCE_S = 1.0
"""The time that one node has to answer."""

EVERY_S = 1.0
"""The time between two inquiries beside a load, when none is asked for."""

BETWEEN_S = 0.1
"""The least time between two inquiries."""


def placed(plan: Plan) -> Plan:
    """Return the plan with its load on the nodes that its endpoints name, where it has a discovery.

    Raises TargetError when no endpoint knows, and when there are fewer connections than nodes.
    """
    target = plan.target
    if target.discovery is None or target.topology is not None:
        return plan
    deadline_s = time.monotonic() + plan.wire.connect_timeout_ns / NS_PER_S
    found = inquire(target, target.endpoints, deadline_s)
    topology = Follower(target.discovery, _Locate(target.endpoints[0])).follow(found)
    if plan.wire.connections < len(topology.placements):
        raise TargetError(
            f"The cluster has {len(topology.placements)} nodes to put load on, and connection.connections is "
            f"{plan.wire.connections}: each node needs at least one."
        )
    return plan.on(topology)


def on_bench(plan: Plan, up: BenchUp) -> Plan:
    """Return the plan with its load on a bench that is up. Raises TargetError as `placed` does."""
    if not up.seeds:
        return placed(plan.at(*up.endpoints))
    return placed(plan.at(*up.seeds)).behind(up.proxies.by_node())


def inquire(target: Target, nodes: Sequence[Endpoint], deadline_s: float) -> tuple[FoundShard, ...]:
    """Return what the first node that knows says. Raises TargetError when none does by a monotonic time."""
    asking = ask(target, nodes)
    with contextlib.ExitStack() as stack:
        askers: dict[Endpoint, Asker] = {}
        try:
            question = next(asking)
            while True:
                question = asking.send(_answer(target, question, askers, stack, deadline_s))
        except StopIteration as told:
            found: tuple[FoundShard, ...] = told.value
    return found


def _answer(
    target: Target, question: Question, askers: dict[Endpoint, Asker], stack: contextlib.ExitStack, deadline_s: float
) -> Answer:
    try:
        if question.endpoint not in askers:
            patience_s = max(0.05, min(PATIENCE_S, deadline_s - time.monotonic()))
            conversation = stack.enter_context(_opened(question.endpoint, target, patience_s))
            askers[question.endpoint] = Asker(conversation)
            if refusal := _logged_in(target, askers[question.endpoint]):
                return Answer(error=refusal)
        value = askers[question.endpoint].value(*question.words)
    except NoAnswerError as silent:
        return Answer(silence=silent.words)
    if isinstance(value, Reply):
        return Answer(error=value.text) if value.kind is ReplyKind.ERROR else Answer(silence="its answer is no RESP")
    return Answer(value)


def _opened(endpoint: Endpoint, target: Target, patience_s: float) -> Conversation:
    return Conversation(endpoint, patience_s, tls=target.tls)


def _logged_in(target: Target, asker: Asker) -> str:
    """Log in where there is a password; return the server's refusal, or nothing."""
    assert target.discovery is not None
    of_sentinels = target.discovery.master != ""
    username = target.discovery.username if of_sentinels else target.username
    password = target.discovery.password if of_sentinels else target.password
    if not password:
        return ""
    said = asker.ask(b"AUTH", *filter(None, (username.encode(), password.encode())))
    return said.text if said.kind is ReplyKind.ERROR else ""


class _Locate:
    """The endpoint of a node, as another node names it; a node without a host is on that of the asked one."""

    def __init__(self, asked: Endpoint) -> None:
        self._asked = asked

    def __call__(self, node: FoundNode) -> Endpoint:
        host = node.host or self._asked.host
        try:
            return Endpoint(host, node.port, str(ipaddress.ip_address(host)))
        except ValueError:
            return Endpoint(host, node.port, self._looked_up(host, node.port))

    def _looked_up(self, host: str, port: int) -> str:
        if host == self._asked.host:
            return self._asked.address
        try:
            return str(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4][0])
        except (OSError, UnicodeError) as error:
            raise TargetError(
                f"A node of the cluster calls itself {host}, and that name cannot be resolved here ({error}): have the "
                "nodes announce addresses (cluster-announce-ip), or add the name to DNS."
            ) from None


@dataclass(frozen=True, slots=True)
class Change:
    """A topology, and what has changed since the one before."""

    at_ns: int
    topology: Topology
    words: tuple[str, ...]


class Watch:
    """A thread that asks the nodes of a plan once a second, and at once when it is woken.

    `fileno` is readable when `changes` has something: a change, or the answer to a prompt even without one.
    """

    def __init__(self, plan: Plan) -> None:
        target = plan.target
        assert target.discovery is not None
        assert target.topology is not None
        self._target = target
        self._topology = target.topology
        self._follower = Follower(target.discovery, _Locate(target.discovery.seeds[0]), target.topology)
        self._woken = threading.Event()
        self._owes = False
        """True when an answer is due even if nothing has changed."""
        self._over = False
        self._changes: deque[Change] = deque()
        self._readable, self._written = os.pipe()
        os.set_blocking(self._readable, False)
        self._turn = 0
        self._thread = threading.Thread(target=self._work, name="topology", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        self._woken.set()
        self._thread.join()
        os.close(self._readable)
        os.close(self._written)

    def fileno(self) -> int:
        return self._readable

    def look(self) -> None:
        """Have the nodes asked as soon as may be, as one of them may have failed."""
        self._woken.set()

    def prompt(self) -> None:
        """Have the nodes asked as soon as may be, and a change told even if there is none."""
        self._owes = True
        self._woken.set()

    def changes(self) -> Iterator[Change]:
        """Yield the changes since the last call, the oldest first."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._readable, 4096)
        while self._changes:
            yield self._changes.popleft()

    def _work(self) -> None:
        while True:
            self._woken.wait(EVERY_S)
            self._woken.clear()
            if self._over:
                return
            owes, self._owes = self._owes, False
            self._ask(prompted=owes)
            time.sleep(BETWEEN_S)

    def _ask(self, *, prompted: bool) -> None:
        before = self._topology
        try:
            found = inquire(self._target, self._nodes(), time.monotonic() + PATIENCE_S)
            self._topology = self._follower.follow(found)
        except TargetError:
            # Nobody could tell now; the load goes on with what is known, and the next inquiry may tell.
            pass
        words = changes(before, self._topology)
        if words or prompted:
            self._changes.append(Change(time.monotonic_ns(), self._topology, words))
            os.write(self._written, b"!")

    def _nodes(self) -> tuple[Endpoint, ...]:
        """Return whom to ask: the sentinels, or all nodes that are known, each inquiry beginning with another one."""
        assert self._target.discovery is not None
        if self._target.discovery.master:
            nodes = list(self._target.discovery.seeds)
        else:
            serving = [each.endpoint for each in self._topology.placements if each.endpoint is not None]
            nodes = list(dict.fromkeys([*serving, *self._target.discovery.seeds]))
        self._turn += 1
        start = self._turn % len(nodes)
        return (*nodes[start:], *nodes[:start])
