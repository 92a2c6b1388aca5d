"""Who asks the nodes of a modelled cluster for its topology when an engine wants one: the shipping conversation, on a
host of a world."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import hiredis

from loadgen.errors import TargetError
from loadgen.plan import Endpoint, Target, Topology
from loadgen.topology.ask import Answer, Asking, Question, ask
from loadgen.topology.follow import Follower
from loadgen.topology.found import FoundShard
from loadgen.units import NS_PER_MS, NS_PER_S
from loadgen.verify.reply import Reply
from loadgen.verify.world._ground import Ground
from loadgen.verify.world._network import Host
from loadgen.verify.world._streams import Streams, StreamTransport
from loadgen.verify.world.redis.resp import command_bytes, reply_bytes

EVERY_NS = NS_PER_S
"""The time between two inquiries, when none is asked for."""
BETWEEN_NS = 100 * NS_PER_MS
"""The least time between two inquiries."""


def found_at_once(target: Target, answer: Callable[[Endpoint, Sequence[bytes]], Reply]) -> tuple[FoundShard, ...]:
    """Return what the first node that knows says, by nodes that answer without a network. Raises TargetError."""
    asking = ask(target, target.endpoints)
    try:
        question = next(asking)
        while True:
            question = asking.send(_read(reply_bytes(answer(question.endpoint, question.words), 2)))
    except StopIteration as told:
        found: tuple[FoundShard, ...] = told.value
    return found


def _read(data: bytes) -> Answer:
    reader = hiredis.Reader()
    reader.feed(data)
    return _answer(reader.gets())


def _answer(reply: object) -> Answer:
    return Answer(error=str(reply)) if isinstance(reply, hiredis.ReplyError) else Answer(reply)


class Lookout:
    """Asks the nodes once a second, and as soon as may be when that is wanted, as `runner.discovery` does.

    Each inquiry asks one node after the other until one knows, on a connection of its own for each question, and begins
    with another one. `told` gets a topology that has changed or that was wanted. `host_of` finds the host of an
    address.
    """

    def __init__(
        self,
        host: Host,
        target: Target,
        follower: Follower,
        host_of: Callable[[str], Host],
        told: Callable[[Topology], object],
        timeout_ns: int,
    ) -> None:
        assert target.topology is not None
        self._ground = Ground(host)
        self._streams = Streams(self._ground)
        self._target, self._follower = target, follower
        self._topology = target.topology
        self._host_of, self._told = host_of, told
        self._timeout_ns = timeout_ns
        self._asking: Asking | None = None
        self._wanted = self._answers = False
        """The next inquiry is asked for, and the present one is."""
        self._stopped = False
        self._rests_until_ns = 0
        self._number = 0
        """Of the inquiry that comes next, by which a wake-up that has been overtaken is known."""
        self.wanted = self.found = self.unanswered = 0
        """The inquiries that were asked for, those that ended with a topology, and questions without a reply."""
        self._later(EVERY_NS)

    def want(self) -> None:
        """Find out the topology as soon as may be."""
        self.wanted += 1
        self._wanted = True
        if self._asking is None:
            self._later(max(0, self._rests_until_ns - self._ground.time.now()))

    def stop(self) -> None:
        """Begin no further inquiry."""
        self._number += 1
        self._stopped = True

    def _later(self, wait_ns: int) -> None:
        self._number += 1
        number = self._number
        self._ground.at(self._ground.time.now() + wait_ns, lambda: self._begin(number))

    def _begin(self, number: int) -> None:
        if number != self._number or self._asking is not None or self._stopped:
            return
        serving = [each.endpoint for each in self._topology.placements if each.endpoint is not None]
        nodes = [*dict.fromkeys([*serving, *self._target.endpoints])]
        first = number % len(nodes)
        self._answers, self._wanted = self._wanted, False
        self._asking = ask(self._target, [*nodes[first:], *nodes[:first]])
        self._go_on(None)

    def _go_on(self, answer: Answer | None) -> None:
        assert self._asking is not None
        before = self._topology
        try:
            question = next(self._asking) if answer is None else self._asking.send(answer)
        except StopIteration as found:
            self.found += 1
            self._topology = self._follower.follow(found.value)
        except TargetError:
            # Nobody can tell now: the next inquiry may.
            pass
        else:
            _Line(self._ground, self._streams, self._host_of, question, self._timeout_ns, self._answered)
            return
        self._asking = None
        self._rests_until_ns = self._ground.time.now() + BETWEEN_NS
        self._later(BETWEEN_NS if self._wanted else EVERY_NS)
        if self._answers or self._topology != before:
            self._told(self._topology)

    def _answered(self, answer: Answer) -> None:
        self.unanswered += bool(answer.silence)
        self._go_on(answer)


class _Line:
    """A connection for one question. It ends with the reply, with the connection, or after a time."""

    def __init__(
        self,
        ground: Ground,
        streams: Streams,
        host_of: Callable[[str], Host],
        question: Question,
        timeout_ns: int,
        answered: Callable[[Answer], object],
    ) -> None:
        self._words = question.words
        self._reader = hiredis.Reader()
        self._answered: Callable[[Answer], object] | None = answered
        endpoint = question.endpoint
        there = host_of(endpoint.address)
        # Only the methods of a protocol are called that it has.
        self._transport = streams.connect(there, endpoint.port, self, self._connected)  # type: ignore[arg-type]
        ground.at(ground.time.now() + timeout_ns, lambda: self._end(Answer(silence="no reply came in time")))

    def _connected(self, error: OSError | None) -> None:
        if error is not None:
            self._end(Answer(silence=str(error)))

    def connection_made(self, transport: StreamTransport) -> None:
        transport.write(command_bytes(self._words))

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        reply = self._reader.gets()
        if reply is not False:
            self._end(_answer(reply))

    def eof_received(self) -> None:
        """The connection is closed, and `connection_lost` follows."""

    def connection_lost(self, error: Exception | None) -> None:
        self._end(Answer(silence="the connection was closed"))

    def _end(self, answer: Answer) -> None:
        answered, self._answered = self._answered, None
        if answered is not None:
            self._transport.abort()
            answered(answer)
