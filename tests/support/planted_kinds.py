"""Small kinds of cases with bugs planted in a model of a store, and their suite."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence

from loadgen.errors import TargetError, UsageError
from loadgen.verify.case import Kind, Outcome, Trace, Verdict
from loadgen.verify.kinds import Emit, Opened, Suite
from loadgen.verify.tape import FAULT, OPERATION, Tape

READS = "GET returns what SET stored"


class Store:
    """A store of strings. `bug` is stale, lost or crash; empty for none."""

    def __init__(self, bug: str = "") -> None:
        self.bug = bug
        self.values: dict[str, str] = {}
        self.paused = False

    def set(self, key: str, value: str) -> None:
        if self.bug == "lost" and self.paused:
            return
        if self.bug == "stale" and len(self.values.get(key, "")) == 2 and len(value) > 2:
            return
        if self.bug == "crash" and len(self.values) == 3:
            raise TargetError("the store has ended")
        self.values[key] = value

    def delete(self, key: str) -> None:
        self.values.pop(key, None)


class Reads:
    """A kind that holds a store against a dict: up to `ops` operations over four keys, with pauses as faults."""

    def __init__(self, name: str = "set_get_roundtrip", bug: str = "", ops: int = 100) -> None:
        self.name = name
        self.bug = bug
        self.ops = ops
        self.runs = 0

    def run(self, tape: Tape) -> Outcome:
        self.runs += 1
        store, expected, trace = Store(self.bug), dict[str, str](), Trace()
        operations: list[str] = []
        faults: list[str] = []

        def outcome(verdict: Verdict, message: str = "") -> Outcome:
            states = {"a key was deleted": sum(word.startswith("DEL") for word in operations)}
            return Outcome(verdict, READS * bool(message), message, (*operations,), (*faults,), trace.digest(), states)

        for _ in tape.several(OPERATION, self.ops):
            for _ in tape.perhaps(FAULT, 0.05):
                store.paused = not store.paused
                faults.append("pause" if store.paused else "resume")
            key = tape.choice("abcd", "key")
            match tape.weighted([(4, "GET"), (4, "SET"), (1, "DEL")], "command"):
                case "SET":
                    value = "x" * tape.below(10, "length")
                    store.set(key, value)
                    expected[key] = value
                    operations.append(f"SET {key} {value!r}")
                case "DEL":
                    store.delete(key)
                    expected.pop(key, None)
                    operations.append(f"DEL {key}")
                case "GET":
                    found = store.values.get(key)
                    operations.append(f"GET {key} → {found!r}")
                    trace.note(operations[-1].encode())
                    if found != expected.get(key):
                        return outcome(Verdict.FAIL, f"GET {key!r} is {found!r}, not {expected.get(key)!r}")
        return outcome(Verdict.PASS)


class Says:
    """A kind with one outcome for all seeds, or what a function makes of the seed's first draw below 1000."""

    def __init__(self, name: str, said: Outcome | Callable[[int], Outcome]) -> None:
        self.name = name
        self.said = said

    def run(self, tape: Tape) -> Outcome:
        drawn = tape.below(1000, "number")
        return self.said if isinstance(self.said, Outcome) else self.said(drawn)


@contextlib.contextmanager
def _opened(names: Sequence[str], options: Mapping[str, str], emit: Emit) -> Iterator[Opened]:
    if not options["ops"].isdecimal():
        raise UsageError(f'--ops is a whole number, not "{options["ops"]}".')
    if options["bug"] == "gone":
        raise TargetError("the store cannot be opened")
    made: dict[str, Kind] = {
        "set_get_roundtrip": Reads("set_get_roundtrip", options["bug"], int(options["ops"])),
        "incr_is_monotonic": Says("incr_is_monotonic", Outcome(Verdict.PASS)),
    }
    yield Opened([made[name] for name in names], "planted store 1.0")


PLANTED = Suite("planted", ("set_get_roundtrip", "incr_is_monotonic"), _opened, {"ops": "100", "bug": ""})
