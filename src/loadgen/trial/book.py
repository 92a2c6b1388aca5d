"""The account of one caller process: each operation from its beginning to its end, counted. Sans-IO: told the time.

Every operation that began ends in exactly one count: ok, wrong, or an error of one class; or it is under way. The book
knows no client and no loop: whoever calls the client tells the book what began, what came back and what was raised.
Threads must call the book one at a time.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from loadgen.engine._histogram import Histogram
from loadgen.trial.board import Board
from loadgen.trial.call import Call
from loadgen.trial.counters import Counters
from loadgen.trial.ledger import Ledger, OwnRead
from loadgen.trial.observed import Counts, NodeState, Observed, Transition, WrongAnswer
from loadgen.trial.plan import CallerPlan
from loadgen.trial.reads import Reads, Wrong
from loadgen.trial.recording import Recording
from loadgen.trial.sightings import Sighting, Sightings
from loadgen.trial.traffic import Names, Operation

MOST_WRONG = 20
"""Wrong answers that a report describes."""

EXAMPLE_LENGTH = 200
"""The most characters of an error's example."""

NO_PARTS: Mapping[int, Sequence[str]] = {}

COUNTER_BEGINS = b"0"
"""The value from which counters begin."""


@dataclass(slots=True)
class _Tally:
    """Counts that are still growing: those of one node in one interval."""

    begun: int = 0
    ok: int = 0
    misses: int = 0
    wrong: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    overdue: int = 0
    latency: Histogram = field(default_factory=Histogram)
    failed_latency: Histogram = field(default_factory=Histogram)
    service: Histogram = field(default_factory=Histogram)
    failed_service: Histogram = field(default_factory=Histogram)

    def counts(self) -> Counts:
        return Counts(
            begun=self.begun,
            ok=self.ok,
            misses=self.misses,
            wrong=self.wrong,
            errors=self.errors,
            overdue=self.overdue,
            latency=self.latency,
            failed_latency=self.failed_latency,
            service=self.service,
            failed_service=self.failed_service,
        )


class Book:
    """The operations of one caller process."""

    def __init__(
        self, plan: CallerPlan, now_ns: int, board: Board | None = None, recording: Recording | None = None
    ) -> None:
        self._recording = recording
        self.ledger = Ledger(plan.writer, plan.run)
        self.sightings = Sightings(plan.writer, plan.run, board)
        self.reads = Reads()
        self.counters = Counters()
        self._board = board
        self._names = Names(plan)
        self.overdue_ns = plan.timeout_ns + plan.tolerance_ns
        self.under_way: dict[Call, None] = {}
        """In the order in which they began."""
        self._from_ns = now_ns
        self._period_ns = plan.traffic.period_ns
        self._gone_ns: int | None = None
        """When the stampede's key was first found to be gone, the last time that it was."""
        self._due = 0
        self._renew(0)

    def _renew(self, from_ns: int) -> None:
        self._from_ns = from_ns
        self._tallies: dict[int, _Tally] = {}
        self._parts: dict[int, _Tally] = {}
        self._wrong: list[WrongAnswer] = []
        self._transitions: list[Transition] = []
        self._examples: dict[str, str] = {}
        self._slowest_ns = 0
        self._loads = self._expiries = self._sighted = 0

    # ── Operations ──────────────────────────────────────────────────────────────────────────────────────────────────

    def begin(
        self,
        operation: Operation,
        node: int,
        intended_ns: int,
        now_ns: int,
        parts: Mapping[int, Sequence[str]] = NO_PARTS,
    ) -> Call:
        """Begin an operation on a node. The call has the value that a set writes.

        Node 0 is for an operation on several, with the keys of each in `parts`, and where the client does not say.
        """
        call = Call(operation, node, intended_ns, now_ns, parts)
        match operation.kind:
            case "get" | "get_many":
                call.reads = tuple(self._read(key, now_ns) for key in operation.keys)
            case "increment":
                call.increment = self.counters.begin(operation.key, operation.delta)
            case "set" if not operation.value_bytes:
                call.value = COUNTER_BEGINS
            case "set":
                call.write = self.ledger.write(operation.key, now_ns)
                call.value = self.ledger.value(call.write, operation.value_bytes)
            case _:
                call.write = self.ledger.delete(operation.key, now_ns)
        self.under_way[call] = None
        _of(node, self._tallies).begun += 1
        return call

    def end(self, call: Call, answer: object, now_ns: int) -> None:
        """End an operation that returned `answer`: see `adapters` for the answers of each operation."""
        tally = self._ended(call, now_ns)
        if self._recording is not None:
            self._recording.ended(call, answer, now_ns)
        wrong = self._judge(call, answer, now_ns)
        if call.parts:
            self._end_parts(call, answer, {key for key, _ in wrong})
        if wrong:
            tally.wrong += 1
            room = MOST_WRONG - len(self._wrong)
            self._wrong += [self._named(call, key, finding, now_ns) for key, finding in wrong[:room]]
            return
        tally.ok += 1
        # A set that was carried out may answer nothing.
        tally.misses += call.operation.kind != "set" and (answer is None or answer is False or answer == {})
        tally.latency.record(max(0, now_ns - call.intended_ns))
        tally.service.record(max(0, now_ns - call.begun_ns))

    def _end_parts(self, call: Call, answer: object, wrong: Collection[str]) -> None:
        """Count each node's part of an operation that returned, by its own keys."""
        answers = answer if isinstance(answer, Mapping) else None
        for node, keys in call.parts.items():
            tally = _of(node, self._parts)
            tally.begun += 1
            if answers is None or any(key in wrong for key in keys):
                tally.wrong += 1
                continue
            tally.ok += 1
            tally.misses += not any(key in answers for key in keys)

    def fail(self, call: Call, error: str, words: str, now_ns: int, parts: Mapping[int, str] | None = None) -> None:
        """End an operation that raised an exception: its class of `observed.ERRORS`, and the client's words.

        `parts` has the class for each node of several, "" for one that answered. A node that is not there was not
        asked, or the client does not say how its part ended: the part is not counted.
        """
        tally = self._ended(call, now_ns)
        tally.errors[error] = tally.errors.get(error, 0) + 1
        tally.failed_latency.record(max(0, now_ns - call.intended_ns))
        tally.failed_service.record(max(0, now_ns - call.begun_ns))
        for node, of_node in (parts or {}).items():
            if node in call.parts:
                part = _of(node, self._parts)
                part.begun += 1
                part.ok += not of_node
                if of_node:
                    part.errors[of_node] = part.errors.get(of_node, 0) + 1
        if self._recording is not None:
            self._recording.failed(call, now_ns)
        self._examples.setdefault(error, words[:EXAMPLE_LENGTH])
        if call.write is not None:
            self.ledger.failed(call.write)
        if call.increment is not None:
            self.counters.failed(call.increment)
        for read in call.reads:
            self.reads.gave_up(read)

    def close(self, now_ns: int) -> None:
        """End the history, where one is kept: operations under way have no known end. Raises OutputError."""
        if self._recording is not None:
            recording, self._recording = self._recording, None
            for call in self.under_way:
                recording.failed(call, now_ns)
            recording.close()

    def _read(self, key: str, now_ns: int) -> OwnRead | Sighting:
        return (self.ledger if self._names.is_own(key) else self.sightings).read(key, now_ns)

    def loads(self, now_ns: int) -> None:
        """Count a value that a caller asks the backend for because the cache missed.

        Callers that miss a key of the stampede do so at about one time: the first of them, more than half of the key's
        period after the first of the time before, begins another.
        """
        self._loads += 1
        if self._gone_ns is None or now_ns - self._gone_ns > self._period_ns // 2:
            self._gone_ns = now_ns
            self._expiries += 1

    def changed(self, transition: Transition) -> None:
        """Note a change of a breaker's state."""
        self._transitions.append(transition)

    def _ended(self, call: Call, now_ns: int) -> _Tally:
        del self.under_way[call]
        tally = _of(call.node, self._tallies)
        took_ns = now_ns - call.begun_ns
        self._slowest_ns = max(self._slowest_ns, took_ns)
        if took_ns > self.overdue_ns and not call.overdue:
            tally.overdue += 1
        return tally

    # ── Answers ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _judge(self, call: Call, answer: object, now_ns: int) -> list[tuple[str, Wrong]]:
        match call.operation.kind:
            case "get":
                return self._judge_reads(call, {call.operation.key: answer}, now_ns)
            case "get_many":
                if not isinstance(answer, Mapping):
                    return [(call.operation.key, Wrong("damaged", f"{answer!r:.80} instead of a mapping"))]
                return self._judge_reads(call, answer, now_ns)
            case "increment":
                return self._judge_increment(call, answer)
            case _ if call.write is not None and answer is False:
                # Refused, or nothing to delete, or never sent: what the server has is not known.
                self.ledger.failed(call.write)
            case _ if call.write is not None:
                self.ledger.acknowledged(call.write, now_ns)
                if self._board is not None:
                    write = call.write
                    self._board.acknowledged(write.key, write.sequence, write.begun_ns, write.settled)
        return []

    def _judge_reads(self, call: Call, answers: Mapping[str, object], now_ns: int) -> list[tuple[str, Wrong]]:
        found = []
        for read in call.reads:
            answer = answers.get(read.key)
            if answer is not None and not isinstance(answer, bytes):
                found.append((read.key, Wrong("damaged", f"{answer!r:.80} instead of bytes")))
            elif answer is not None and (wrong := self._judge_value(read, answer, now_ns)):
                found.append((read.key, wrong))
        asked = set(call.operation.keys)
        found += [(str(key), Wrong("other_key", "a key that nobody asked for")) for key in answers if key not in asked]
        return found

    def _judge_value(self, request: OwnRead | Sighting, value: bytes, now_ns: int) -> Wrong | None:
        seal = self.reads.opened(request, value, now_ns)
        if isinstance(seal, Wrong):
            return seal
        if isinstance(request, OwnRead):
            return self.ledger.judge(request, seal, now_ns)
        self._sighted += 1
        return self.sightings.judge(request, seal, now_ns)

    def _judge_increment(self, call: Call, answer: object) -> list[tuple[str, Wrong]]:
        assert call.increment is not None, "the call is an increment"
        if answer is None:
            self.counters.missed(call.increment)
            return []
        if answer is False:
            self.counters.failed(call.increment)
            return []
        if isinstance(answer, bool) or not isinstance(answer, int):
            self.counters.failed(call.increment)
            return [(call.operation.key, Wrong("damaged", f"{answer!r:.80} instead of a number"))]
        words = self.counters.judge(call.increment, answer)
        return [(call.operation.key, Wrong("count", words))] if words else []

    @staticmethod
    def _named(call: Call, key: str, wrong: Wrong, now_ns: int) -> WrongAnswer:
        begun_s = (now_ns - call.begun_ns) / 1e9
        found = f"{wrong.found}; this {call.operation.kind} began {begun_s:.3f} s before"
        node = next((node for node, keys in call.parts.items() if key in keys), call.node)
        return WrongAnswer(wrong.kind, now_ns, node, key, found)

    # ── Reports ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def take(
        self,
        now_ns: int,
        *,
        due: int = 0,
        states: Mapping[int, NodeState] | None = None,
        unread_ns: int = 0,
        waited_ns: int = 0,
        tasks: int | None = None,
    ) -> Observed:
        """Return what was observed since the last call, and begin the next interval.

        `due` is the number of operations that have fallen due since the beginning of the load.
        """
        slowest_ns = max(self._slowest_ns, self._find_overdue(now_ns))
        observed = Observed(
            from_ns=self._from_ns,
            to_ns=now_ns,
            nodes={node: tally.counts() for node, tally in sorted(self._tallies.items())},
            parts={node: tally.counts() for node, tally in sorted(self._parts.items())},
            states=states or {},
            transitions=tuple(self._transitions),
            wrong=tuple(self._wrong),
            examples=self._examples,
            unread_ns=unread_ns,
            slowest_ns=slowest_ns,
            waited_ns=min(waited_ns, now_ns - self._from_ns),
            under_way=len(self.under_way),
            due=due - self._due,
            backend_loads=self._loads,
            expiries=self._expiries,
            sighted=self._sighted,
            tasks=tasks,
        )
        self._due = due
        self._renew(now_ns)
        return observed

    def _find_overdue(self, now_ns: int) -> int:
        """Count the operations under way that are past their deadline, each once; return the age of the oldest."""
        oldest_ns = 0
        for call in self.under_way:
            age_ns = now_ns - call.begun_ns
            oldest_ns = max(oldest_ns, age_ns)
            if age_ns <= self.overdue_ns:
                break
            if not call.overdue:
                call.overdue = True
                _of(call.node, self._tallies).overdue += 1
        return oldest_ns


def _of(node: int, tallies: dict[int, _Tally]) -> _Tally:
    """Return the tally of a node, a new one where there is none."""
    tally = tallies.get(node)
    if tally is None:
        tally = tallies[node] = _Tally()
    return tally
