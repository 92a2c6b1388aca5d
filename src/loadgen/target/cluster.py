"""Servers that loadgen starts as the nodes of a Redis Cluster: started, formed, and read as one.

`topology.form` knows how a cluster is formed. This file has the sockets and the clock.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from loadgen.errors import TargetError
from loadgen.events import Progress
from loadgen.plan import Reads, Target
from loadgen.server_plan import ServerPlan
from loadgen.target.server import ManagedServer, ServerError
from loadgen.target.talk.conversation import Conversation, NoAnswerError
from loadgen.target.talk.resp import Asker, Reply, ReplyKind
from loadgen.topology.ask import Answer, Question
from loadgen.topology.form import Forming
from loadgen.units import NS_PER_S, format_duration
from loadgen.usage import StartedServer, Usage, WatchedServer

# The time between two looks at nodes that are not ready.
_INTERVAL_S = 0.03

# The time that a node has for one answer.
_PATIENCE_S = 2.0

# The time after which waiting for the cluster is reported.
_LONG_WAIT_S = 2.5


@contextlib.contextmanager
def started(plan: ServerPlan, emit: Callable[[Progress], None]) -> Iterator[tuple[ManagedServer, ...]]:
    """Start the servers of a plan on entry, which returns when they answer, as a cluster if they are one.

    End them on exit, all at the same time. Raises ServerError.
    """
    with contextlib.ExitStack() as stack:
        servers = tuple(stack.enter_context(ManagedServer(node, emit)) for node in plan.nodes)
        stack.callback(begin_stop, servers)
        if plan.cluster is not None:
            form(plan, servers, emit)
        yield servers


def begin_stop(servers: Sequence[ManagedServer]) -> None:
    """Have servers ended at the same time; `stop` waits for each."""
    for server in servers:
        server.begin_stop()


def form(plan: ServerPlan, servers: Sequence[ManagedServer], emit: Callable[[Progress], None]) -> None:
    """Make a cluster of servers that answer, and return when each of them serves. Raises ServerError."""
    assert plan.cluster is not None
    discovery = plan.target.discovery
    reads_replicas = discovery is not None and discovery.reads is not Reads.PRIMARY
    forming = Forming(plan.cluster, tuple(each.endpoint for each in servers), reads_replicas=reads_replicas)
    began_s, steps = time.monotonic(), forming.steps()
    try:
        question = next(steps)
        while True:
            if question is not None:
                question = steps.send(_answer(plan.target, question))
                continue
            for server in servers:
                if ended := server.exit_report():
                    raise ServerError(f"{ended} before the cluster was ready.", server.log_tail())
            waited_s = time.monotonic() - began_s
            if waited_s * NS_PER_S > plan.ready_timeout_ns:
                raise ServerError(_not_ready(plan, forming.lacking))
            _report(plan, waited_s, emit)
            time.sleep(_INTERVAL_S)
            question = next(steps)
    except StopIteration:
        return
    except TargetError as error:
        raise error if isinstance(error, ServerError) else ServerError(f"{plan.name}: {error}") from None


def _answer(target: Target, question: Question) -> Answer:
    try:
        with Conversation(question.endpoint, _PATIENCE_S, tls=target.tls) as conversation:
            asker = Asker(conversation)
            if target.password:
                said = asker.ask(b"AUTH", *filter(None, (target.username.encode(), target.password.encode())))
                if said.kind is ReplyKind.ERROR:
                    return Answer(error=said.text)
            value = asker.value(*question.words)
    except NoAnswerError as silent:
        return Answer(silence=silent.words)
    if isinstance(value, Reply):
        return Answer(error=value.text) if value.kind is ReplyKind.ERROR else Answer(silence="its answer is no RESP")
    return Answer(value)


def _not_ready(plan: ServerPlan, lacking: str) -> str:
    remedy = "see that its nodes reach each other's ports and buses (10,000 above them)"
    if plan.surroundings.netns:
        remedy = "see that this host forwards packets between networks of 198.18.0.0/15 (iptables -S FORWARD)"
    patience = format_duration(plan.ready_timeout_ns)
    return (
        f"{plan.name} was no whole cluster within {patience}: {lacking}; {remedy}, or raise "
        "target.server.ready_timeout."
    )


def _report(plan: ServerPlan, waited_s: float, emit: Callable[[Progress], None]) -> None:
    if waited_s < _LONG_WAIT_S:
        return
    words = f"waiting for {plan.name} to form, {waited_s:.0f} s, limit {plan.ready_timeout_ns / NS_PER_S:.3g} s"
    waited_ns = min(plan.ready_timeout_ns, int(waited_s * NS_PER_S))
    emit(Progress("ready", waited_ns, plan.ready_timeout_ns, waited_ns, words))


class Group:
    """Several servers under one load, as a `usage.WatchedServer`: their use is the sum, their ends and logs are each's.

    A server that is down or busy counts with the CPU time that it had when it was last read, and without memory.
    """

    def __init__(self, name: str, servers: Sequence[WatchedServer]) -> None:
        self.name = name
        self._servers = tuple(servers)
        self._last: dict[int, Usage] = {}
        """By place, as last read."""

    @property
    def pid(self) -> int:
        """The first server's process."""
        return self._servers[0].pid

    def usage(self) -> Usage | None:
        for place, server in enumerate(self._servers):
            now = server.usage()
            if now is not None:
                self._last[place] = now
            elif place in self._last:
                self._last[place] = replace(self._last[place], rss_bytes=0, threads=0, fds=0)
        each = self._last.values()
        if not each:
            return None
        return Usage(
            at_ns=max(its.at_ns for its in each),
            cpu_ns=sum(its.cpu_ns for its in each),
            rss_bytes=sum(its.rss_bytes for its in each),
            threads=sum(its.threads for its in each),
            fds=sum(its.fds for its in each),
        )

    def exit_report(self) -> str:
        return next(filter(None, (server.exit_report() for server in self._servers)), "")

    def log_errors(self) -> tuple[str, ...]:
        return tuple(line for server in self._servers for line in server.log_errors())

    def log_tail(self) -> tuple[str, ...]:
        """Return the last lines of the log of the server that has ended, or of the first."""
        ended = (server for server in self._servers if server.exit_report())
        return next(ended, self._servers[0]).log_tail()

    def restarted(self) -> bool:
        return any(server.restarted() for server in self._servers)


class _Started(Group):
    """The nodes of a cluster, as a `usage.StartedServer`."""

    def __init__(self, name: str, servers: Sequence[StartedServer]) -> None:
        super().__init__(name, servers)
        self._started = tuple(servers)

    def pause(self) -> None:
        for server in self._started:
            server.pause()

    def resume(self) -> None:
        for server in self._started:
            server.resume()


def as_one(plan: ServerPlan, servers: Sequence[StartedServer]) -> StartedServer:
    """Return the servers of a plan as one."""
    return servers[0] if plan.cluster is None else _Started(plan.name, servers)
