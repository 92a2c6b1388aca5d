"""The kind `redis_power_cuts`: the simulated Redis with an append-only file, whose host loses its power.

What a scenario builds on is put to the test here: the simulated disk, the append-only file and its recovery. Clients
write and read a few keys while the server's power is cut, or its process killed. With `appendfsync
always` the keys must be linearizable registers that forget nothing. With the other policies acknowledged writes may be
lost, but what is read must have been written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from loadgen.units import NS_PER_S
from loadgen.verify.case import Outcome, Verdict
from loadgen.verify.checkers.register import check
from loadgen.verify.history._operations import MISS, NO_END, NOT_DONE, OK, READ, UNKNOWN, WRITE, Operations
from loadgen.verify.kinds.simulated.bounds import Bounds
from loadgen.verify.reply import shown
from loadgen.verify.scenario.run import Ran, policy_aside, ran, waits
from loadgen.verify.scenario.settings import CUT, KILL, PAUSE, POWER_CUT, Settings
from loadgen.verify.scenario.states import always, sometimes
from loadgen.verify.scenario.world import World, net_of
from loadgen.verify.step import Step
from loadgen.verify.tape import OPERATION, Tape
from loadgen.verify.world.policy import BY_PRIORITIES
from loadgen.verify.world.redis.append_only import ALWAYS, EVERYSEC, NO

NAME = "redis_power_cuts"
MOST_OPERATIONS = 100
MOST_CLIENTS = 3
FAULTS = (POWER_CUT, KILL, CUT, PAUSE)
TIMEOUT_S = 0.2
WAITS_S = (0.0, 0.001, 0.01, 0.1)
"""What a client waits before an operation."""
MEAN_S = 0.03
"""The mean of that, about."""

LAW = "a synced register forgets nothing"
WRITTEN = "what is read was written"
CUT_OFF = "a command of a simulated Redis has no known end"
LOST = "a power cut takes bytes of a file"


@dataclass(frozen=True, slots=True)
class _Planned:
    client: int
    key: int
    writes: bool
    wait_s: float


class _Connection:
    """A client's connection, which is opened when it is needed, and closed when a reply is missing."""

    def __init__(self, host: str, port: int) -> None:
        self._address = host, port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, *words: bytes) -> bytes | None:
        """Return the reply to a command: its line, a value, or None for a miss. Raises OSError or TimeoutError."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                if self._streams is None:
                    self._streams = await asyncio.open_connection(*self._address)
                reader, writer = self._streams
                writer.write(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(w), w) for w in words))
                line = (await reader.readuntil(b"\r\n"))[:-2]
                if not line.startswith(b"$"):
                    return line
                return None if line == b"$-1" else (await reader.readexactly(int(line[1:]) + 2))[:-2]
        except (OSError, asyncio.IncompleteReadError) as error:
            self.close()
            raise ConnectionError from error

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


class _Clients:
    """The clients of a run, and the history of what they asked."""

    def __init__(self, world: World, host: str, port: int) -> None:
        self.operations = Operations()
        self._world = world
        self._address = host, port
        self._written = 0

    async def run(self, number: int, planned: Sequence[_Planned]) -> None:
        connection = _Connection(*self._address)
        for each in planned:
            await asyncio.sleep(each.wait_s)
            await self.ask(connection, number, each.key, writes=each.writes)
        connection.close()

    async def read_again(self, number: int, keys: int) -> None:
        """Read every key, until it is known what is there."""
        connection = _Connection(*self._address)
        for key in range(keys):
            while not await self.ask(connection, number, key, writes=False):
                await asyncio.sleep(TIMEOUT_S)
        connection.close()

    async def ask(self, connection: _Connection, number: int, key: int, *, writes: bool) -> bool:
        """Write or read a key, and note it. False when nothing is known of the end."""
        value, name = 0, b"key %d" % key
        if writes:
            self._written += 1
            value = self._written
        outcome, call_ns, return_ns = UNKNOWN, self._now_ns(), NO_END
        try:
            reply = await (connection.ask(b"SET", name, b"%016d" % value) if writes else connection.ask(b"GET", name))
            return_ns = self._now_ns()
            if reply is None:
                outcome = MISS
            elif reply.startswith(b"-"):
                outcome = NOT_DONE
            else:
                outcome, value = OK, value if writes else int(reply)
        except (OSError, TimeoutError):
            pass
        self.operations.append(WRITE if writes else READ, key, value, call_ns, return_ns, number, outcome)
        return outcome != UNKNOWN

    def _now_ns(self) -> int:
        return round(self._world.now_s * NS_PER_S)


class DurableRedis:
    """Cases of so many operations, of MOST_OPERATIONS at most: a fault comes early or not at all."""

    name = NAME

    def __init__(self, operations: int, bounds: Bounds | None = None) -> None:
        bounds = bounds or Bounds()
        self._operations = min(operations, MOST_OPERATIONS)
        within_s = max(0.1, self._operations * MEAN_S / 2)
        self._most_clients = min(MOST_CLIENTS, bounds.clients or MOST_CLIENTS)
        self._settings = bounds.redis(Settings(FAULTS, within_s=within_s, states=(CUT_OFF, LOST)))

    def run(self, tape: Tape) -> Outcome:
        found = ran(self._scenario, tape, self._settings, order=policy_aside)
        finding = found.finding
        return Outcome(
            Verdict.PASS if finding is None else Verdict.FAIL,
            "" if finding is None else finding.invariant,
            "" if finding is None else finding.message,
            operations=() if finding is None else (*waits(found.window_ns), *_lines(found), *finding.detail),
            faults=found.faults,
            trace=found.trace,
            virtual_ns=found.simulated_ns,
            sometimes=found.states,
        )

    def events(self, tape: Tape) -> list[str]:
        """Run the case of a tape; return the commands that the server carried out."""
        return [*_lines(ran(self._scenario, tape, self._settings, order=policy_aside))]

    async def _scenario(self, world: World) -> None:
        """Have some clients write and read a few keys, then read every key once more."""
        tape = world.draw
        sometimes(BY_PRIORITIES, net_of(world).world.window_ns)
        policy = tape.choice((ALWAYS, EVERYSEC, NO), "appendfsync")
        server = world.redis("redis", fsync=policy)
        count, keys = tape.between(1, self._most_clients, "clients"), tape.between(1, 3, "keys")
        planned = [_planned(tape, count, keys) for _ in tape.several(OPERATION, self._operations)]
        clients = _Clients(world, server.host, server.port)
        await asyncio.gather(
            *(
                world.host(f"client {number}").run(clients.run(number, [op for op in planned if op.client == number]))
                for number in range(count)
            )
        )
        await clients.read_again(count, keys)
        sometimes(CUT_OFF, any(each[6] == UNKNOWN for each in _rows(clients.operations)))
        sometimes(LOST, any(" loses its power" in words and ", and 0 bytes" not in words for words in world.begun))
        _judge(clients.operations, policy)


def _lines(found: Ran) -> Iterator[str]:
    for at_ns, host, _, command, reply in found.commands:
        yield f"{at_ns / NS_PER_S:.6f} s  {host}: {Step(command)} → {shown(reply)}"


def _planned(tape: Tape, clients: int, keys: int) -> _Planned:
    return _Planned(
        tape.below(clients, "client"),
        tape.below(keys, "key"),
        tape.choice((True, False), "writes"),
        tape.choice(WAITS_S, "wait"),
    )


def _rows(operations: Operations) -> list[tuple[int, ...]]:
    return [operations[index] for index in range(len(operations))]


def _judge(operations: Operations, policy: str) -> None:
    if policy == ALWAYS:
        answer = check(operations, strict=True)
        always(not answer.violations, LAW, "; ".join(f"{each.kind}: {each.why}" for each in answer.violations[:1]))
    rows = _rows(operations)
    written = {(key, value) for op, key, value, *_ in rows if op == WRITE}
    for op, key, value, _, _, _, outcome, _ in rows:
        always(op != READ or outcome != OK or (key, value) in written, WRITTEN, f"{value} at key {key}")
