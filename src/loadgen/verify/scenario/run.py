"""One run of a scenario in a fresh world, and the case that it makes: run twice, and judged."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, TypeAlias

from loadgen.verify.case import Outcome, Trace, Verdict
from loadgen.verify.reply import Reply, shown
from loadgen.verify.scenario.settings import Settings, settings_of
from loadgen.verify.scenario.states import Broken, counted
from loadgen.verify.scenario.world import World
from loadgen.verify.step import Command, Step
from loadgen.verify.tape import MOST, Tape, divergence
from loadgen.verify.world import seal
from loadgen.verify.world._order import Order
from loadgen.verify.world._world import BrokenInvariant
from loadgen.verify.world._world import World as Events
from loadgen.verify.world.host import HOST
from loadgen.verify.world.loop import Loop, Stuck
from loadgen.verify.world.net import SCENARIO, Link, Net
from loadgen.verify.world.policy import drawn_order

Carried: TypeAlias = tuple[int, str, str, Command, Reply]
"""Time, host, server, command and reply of a command that a server carried out."""

Scenario: TypeAlias = Callable[[World], Awaitable[object]]

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000

ENDS = "the scenario comes to its end"
ASSERTS = "the assertions of the scenario hold"
RAISES = "the scenario raises no exception"
UNSEEN = "no task or callback fails unseen"
DETERMINED = "a seed determines the run"

WINDOWS_NS = (NS_PER_MS, 10 * NS_PER_MS)
"""How long an event may wait for others of a higher priority: long beside the latency of most links, and with all the
events of a round trip far below usual timeouts."""

_END_WITHIN_NS = 60 * NS_PER_S
"""The time that tasks have to end after the scenario, when they are cancelled."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a run broke."""

    invariant: str
    message: str
    detail: tuple[str, ...] = ()
    """Further lines: the stacks of tasks."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of one run."""

    finding: Finding | None
    commands: tuple[Carried, ...]
    faults: tuple[str, ...]
    states: Mapping[str, int] = field(default_factory=Counter)
    trace: str = ""
    simulated_ns: int = 0
    window_ns: int = 0
    """The longest time that an event waited for those of a higher priority; 0 without priorities."""


class ScenarioKind:
    """The cases of a scenario. A world is sealed around each run, so that `seal.sealed` must be on."""

    def __init__(self, name: str, scenario: Scenario) -> None:
        self.name = name
        self._scenario = scenario
        self._settings = settings_of(scenario)

    def warm_up(self) -> None:
        """Run the scenario once, unjudged: what is imported, compiled or cached in its first run is there then."""
        ran(self._scenario, Tape.seeded(self.name, 0), self._settings)

    def run(self, tape: Tape) -> Outcome:
        """Run the scenario twice with the same draws. It fails where it breaks something, or where the two differ."""
        first = ran(self._scenario, tape, self._settings)
        finding = first.finding
        if finding is None:
            # A failure is run again by who shrinks it.
            again = tape.again()
            second = ran(self._scenario, again, self._settings)
            if first.trace != second.trace or not tape.same_as(again):
                finding = Finding(DETERMINED, _difference(first, second, tape, again))
        operations = tuple(_lines(first.commands))
        outcome = Outcome(
            Verdict.PASS,
            operations=operations,
            faults=first.faults,
            trace=first.trace,
            sometimes=first.states,
            virtual_ns=first.simulated_ns,
        )
        if finding is None:
            return outcome
        operations = (*waits(first.window_ns), *operations, *finding.detail)
        return replace(
            outcome,
            verdict=Verdict.FAIL,
            invariant=finding.invariant,
            message=finding.message,
            operations=operations,
        )


def drawn_policy(tape: Tape) -> Order:
    """Draw the policy of a seed: which of several events comes first."""
    return drawn_order(tape, windows_ns=WINDOWS_NS)


def policy_aside(tape: Tape) -> Order:
    """Draw the policy as `drawn_policy` does; a seed whose policy is uniform makes no draw for it."""
    return drawn_order(tape, windows_ns=WINDOWS_NS, aside=True)


@contextlib.contextmanager
def settled() -> Iterator[None]:
    """Have collections of garbage pass over all that was there before the first run, such as modules."""
    gc.collect()
    with seal.passed_over():
        yield


def ran(
    scenario: Scenario,
    tape: Tape,
    settings: Settings,
    links: Callable[[Tape], Link] = Link.drawn,
    order: Callable[[Tape], Order] = drawn_policy,
) -> Ran:
    """Run a scenario in a world of its own, to its end or to its first finding.

    `links` draws the world's links, and `order` the policy by which one of several events comes first.
    Raises RuntimeError inside of a running event loop.
    """
    if asyncio._get_running_loop() is not None:
        raise RuntimeError("a world has an event loop of its own: simulate outside of a running one")
    events = Events(tape, order(tape))
    net = Net(events, links(tape))
    began_ns = events.now_ns
    # What a collection of garbage finalises must not depend on when it comes: it comes after the run.
    collects = gc.isenabled()
    gc.disable()
    loop = Loop(net, until_ns=began_ns + round(settings.until_s * NS_PER_S), most_callbacks=settings.most_callbacks)
    world = World(net, loop, tape, settings)
    state = tape.below(MOST, "seed of random numbers")
    token = HOST.set(net.host(SCENARIO))
    try:
        with counted(settings.states) as states, seal.opened(_Clocks(net), state):
            finding = _carried_out(scenario, world, loop)
            simulated_ns = events.now_ns - began_ns
            world.faults.end()
            trace = _trace(events, world, finding)
            _end(loop)
            for host in net.hosts:
                host.abandon()
    finally:
        HOST.reset(token)
        events.close()
        if collects:
            gc.enable()
            gc.collect()
    return Ran(finding, tuple(world.commands), tuple(world.begun), states, trace, simulated_ns, events.window_ns)


class _Clocks:
    """The clocks of the host whose code runs."""

    def __init__(self, net: Net) -> None:
        self._net = net

    def monotonic_ns(self) -> int:
        return self._net.now_ns()

    def unix_ns(self) -> int:
        return self._net.current().resident.unix_ns()

    def sleep_ns(self, wait_ns: int) -> None:
        self._net.may_halt = True
        self._net.current().resident.wait(wait_ns)


def _carried_out(scenario: Scenario, world: World, loop: Loop) -> Finding | None:
    async def main() -> None:
        await scenario(world)

    try:
        loop.run_until_complete(loop.create_task(main(), name="scenario"))
    except Stuck as stuck:
        return Finding(ENDS, str(stuck), tuple(stuck.stacks.splitlines()))
    except Exception as error:
        return _found(error)
    for task in world.started:
        unseen = task.done() and not task.cancelled() and task._log_traceback
        if unseen and (raised := task.exception()) is not None:
            return _found(raised, f" of {task.get_name()}")
    return _unseen(loop)


def _unseen(loop: Loop) -> Finding | None:
    """Return the first failure that was reported to the loop, where there is one."""
    for report in loop.reports:
        error = report.get("exception")
        words = f"{report.get('message')}: {in_words(error)}" if error is not None else str(report.get("message"))
        return Finding(UNSEEN, words)
    return None


def _found(error: BaseException, of: str = "") -> Finding:
    if isinstance(error, Broken):
        return Finding(error.invariant, error.found)
    if isinstance(error, BrokenInvariant):
        invariant, _, found = str(error).partition(": ")
        return Finding(invariant, found)
    if isinstance(error, AssertionError):
        return Finding(ASSERTS, in_words(error))
    return Finding(RAISES, in_words(error) + of)


def in_words(error: BaseException) -> str:
    """Return an exception and its place in a user's code in words."""
    name = type(error).__name__
    text = " ".join(str(error).split())
    return f"{name}{': ' if text else ''}{text}{_place(error.__traceback__)}"


def _place(trace: TracebackType | None) -> str:
    """Return the innermost place of a traceback that is not in a library."""
    frames = [
        frame
        for frame in traceback.extract_tb(trace)
        if "site-packages" not in frame.filename
        and not frame.filename.startswith("<frozen ")
        and "/lib/python" not in frame.filename
        and "/loadgen/" not in frame.filename
    ]
    if not frames:
        return ""
    return f" ({frames[-1].filename.rpartition('/')[2]}, line {frames[-1].lineno}: {frames[-1].line})"


def _trace(events: Events, world: World, finding: Finding | None) -> str:
    """Return the hash of all that a run did and saw."""
    trace = Trace()
    trace.note(events.digest().encode())
    for at_ns, host, server, command, reply in world.commands:
        trace.note(repr((at_ns, host, server, command, reply)).encode())
    for words in world.begun:
        trace.note(words.encode())
    trace.note(repr(finding).encode())
    return trace.digest()


def _end(loop: Loop) -> None:
    """Cancel what is left of a scenario, give it time to end, and drop what does not."""
    tasks = loop.unfinished()
    for task in tasks:
        task.cancel()

    async def ended() -> None:
        if tasks:
            await asyncio.wait(tasks, timeout=_END_WITHIN_NS / NS_PER_S)
        await loop.shutdown_asyncgens()

    loop.extend(_END_WITHIN_NS)
    with contextlib.suppress(Exception):
        loop.run_until_complete(ended())
    left = loop.unfinished()
    loop.close()
    for task in left:
        _drop(task)


def _drop(task: asyncio.Task[Any]) -> None:
    """End a task that will never run again, with its `finally` clauses, whatever they do."""
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    with contextlib.suppress(BaseException):
        task.get_coro().close()


def _difference(first: Ran, second: Ran, tape: Tape, again: Tape) -> str:
    """Return where two runs of the same draws went different ways, in words."""
    advice = "what a run does must depend on nothing but its draws: not on state of a module, on a real clock, on the "
    advice += "order of a set or on addresses"
    if where := divergence(tape.recording(), again.recording()):
        return f"the second run left the first {where}; {advice}"
    for number, (one, two) in enumerate(zip(first.commands, second.commands, strict=False)):
        if one != two:
            return f"command {number + 1} was {_line(*one)}, and in the second run {_line(*two)}; {advice}"
    return f"two runs with the same draws ended in different ways; {advice}"


def waits(window_ns: int) -> Iterator[str]:
    """Yield the line that says by what events were ordered, where their times alone do not."""
    if window_ns:
        yield f"events wait up to {window_ns / NS_PER_MS:g} ms for those of a higher priority"


def _lines(commands: Sequence[Carried]) -> Iterator[str]:
    """Yield a line for each command; where a host asks the same again and is answered the same, one for all of them."""
    rows: list[tuple[Carried, int, int]] = []
    last: dict[str, int] = {}
    for command in commands:
        at_ns, host, *asked = command
        place = last.get(host)
        if place is not None and [*rows[place][0][2:]] == asked:
            first, count, _ = rows[place]
            rows[place] = first, count + 1, at_ns
        else:
            last[host] = len(rows)
            rows.append((command, 1, at_ns))
    for first, count, until_ns in rows:
        again = f" ({count} times, until {until_ns / NS_PER_S:.6f} s)" if count > 1 else ""
        yield f"{_line(*first)}{again}"


def _line(at_ns: int, host: str, server: str, command: Command, reply: Reply) -> str:
    return f"{at_ns / NS_PER_S:.6f} s  {host} → {server}: {Step(command)} → {shown(reply)}"
