"""The law of a register, held against a history of a file or of a user, with the least that shows each violation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from loadgen.verify.checkers import window
from loadgen.verify.checkers._register import Register
from loadgen.verify.checkers.answer import MOST_SHOWN, Answer, Shown, Unjudged, Violation
from loadgen.verify.history._operations import ADD, CAS, CAS_TO, DELETE, FOREIGN, READ, UNMARKED, WRITE, Operations
from loadgen.verify.history.record import Record, of


@dataclass(frozen=True, slots=True)
class Names:
    """What the numbers of a history stand for."""

    key: Callable[[int], str] = str
    value: Callable[[int], str] = str
    process: Callable[[int], str] = str


def identity(value: int) -> str:
    """Return the identity of a write as a load makes it, worker and count: "1.42"; without a worker, the count."""
    worker, count = divmod(value, 1 << 48)
    return f"{worker}.{count}" if worker else str(count)


NUMBERS = Names(value=identity)


def check(operations: Operations, names: Names = NUMBERS, *, strict: bool = False) -> Answer:
    """Judge each key. `strict`: nothing is evicted and nothing expires, so a key is absent only after a delete."""
    register = Register(strict=strict)
    register.judged(operations)
    accused = [register.accusation(index) for index in range(register.accused)]
    missing = [register.not_judged(index) for index in range(register.unjudged_count)]
    violations = [_violation(operations, found, names, strict) for found in accused[:MOST_SHOWN]]
    judged = register.key_count - register.unjudged_count
    return Answer(
        model="register",
        operations=len(operations),
        keys=register.key_count,
        counts={
            "reads": register.reads,
            "misses": register.misses,
            "writes": register.writes,
            "unknown": register.unknown,
            "not done": register.undone,
            "searched keys": register.searched_count,
        },
        violations=violations,
        found=len(accused),
        unjudged=[Unjudged(names.key(key), _why_not(*why)) for key, *why in missing[:MOST_SHOWN]],  # type: ignore[arg-type]
        unjudged_count=len(missing),
        nothing=_nothing(register, judged),
        kinds=Counter([*(each.kind for each in violations), *(law for law, _, _ in accused[MOST_SHOWN:])]),
    )


def _nothing(register: Register, judged: int) -> str:
    if not register.reads:
        return "the history has no read that was answered"
    return "" if judged else "no key could be judged"


def _why_not(unidentified: bool, many: int) -> str:
    if unidentified:
        return "a write of it has no value that tells it from others"
    return f"its values are not unique, and the search of its {many:,} operations reached its bound"


# ── A violation ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _violation(
    operations: Operations, found: tuple[str, int, tuple[int, ...]], names: Names, strict: bool
) -> Violation:
    law, key, witnesses = found
    whole = operations.of_key(key)
    least = operations.chosen(window.least(operations, witnesses or whole, strict=strict))
    register = Register(strict=strict)
    # The law may be another for the window: where a search found no order, two writes and a read may be left.
    if register.judged(least) == "illegal":
        law = register.accusation(0)[0]
    told = _Told([of(least, index) for index in range(len(least))], names, law)
    undone = [record for record in (of(operations, index) for index in whole) if not (record.writes or record.open)]
    return Violation(law, names.key(key), told.why(undone), told.shown())


class _Told:
    """A window in words."""

    def __init__(self, records: Sequence[Record], names: Names, law: str) -> None:
        self._records = records
        self._names = names
        self._law = law
        self._accused = self._impossible()

    def shown(self) -> tuple[Shown, ...]:
        """Return the operations in the order of their calls."""
        told = [
            Shown(
                self._names.process(record.process),
                self._words(index),
                record.call_ns,
                None if record.open else record.return_ns,
                accused=record is self._accused,
            )
            for index, record in enumerate(self._records)
            if record.op != CAS_TO
        ]
        return tuple(sorted(told, key=lambda each: each.call_ns))

    def _impossible(self) -> Record | None:
        """Return the operation that cannot be: of the replies that tell what was there, the last by its call."""
        seen = [record for record in self._records if record.observes]
        if self._law not in ("lost", "no-order"):
            seen = [record for record in seen if record.op == READ and not record.missed]
        return max(seen, key=lambda record: record.call_ns, default=None)

    def why(self, undone: Sequence[Record]) -> str:
        """Return why it is impossible. `undone` has the key's operations that changed nothing."""
        if (record := self._accused) is None:
            return _NO_ORDER
        who, value = f"process {self._names.process(record.process)}", self._value(record.value)
        match self._law:
            case "unwritten" if record.value & FOREIGN:
                return f"{who} read a value that was written to another key."
            case "unwritten":
                wrote = [each for each in undone if each.op in (WRITE, ADD, CAS_TO) and each.value == record.value]
                if wrote:
                    return f"{who} read {value}, whose write by process {self._names.process(wrote[0].process)} failed."
                return f"{who} read {value}, which nobody wrote to the key."
            case "early":
                return f"{who} had read {value} before its write was called."
            case "lost":
                return f"{who} found nothing after a value was written, and nothing deleted the key."
            case "overwritten":
                other = next(each.value for each in self._records if each.writes and each.value != record.value)
                return f"{who} read {value} after {self._value(other)} had replaced it; nothing wrote {value} again."
            case "revived":
                return f"{who} read {value} after the key had been absent; nothing wrote {value} again."
            case "two-values":
                first, second = sorted({each.value for each in self._records if each.value})
                return (
                    f"{self._value(first)} and {self._value(second)} were there at the same time: each was written "
                    "before the last read of the other began, and read again after that."
                )
            case _:
                return _NO_ORDER

    def _value(self, value: int) -> str:
        if not value & FOREIGN:
            return self._names.value(value)
        return "a value that no write of this history has" if value & UNMARKED else "another key's value"

    def _words(self, index: int) -> str:
        record = self._records[index]
        if record.op == READ:
            return f"read → {'nothing' if record.missed else self._value(record.value)}"
        if record.op == DELETE:
            return f"delete → {'?' if record.open else 'nothing was there' if record.missed else 'done'}"
        end = "?" if record.open else "not stored" if record.missed else "stored"
        if record.op == CAS:
            return f"cas {self._value(record.value)} to {self._value(self._records[index + 1].value)} → {end}"
        return f"{'add' if record.op == ADD else 'write'} {self._value(record.value)} → {end}"


_NO_ORDER = "no order of these operations, each between its call and its return, explains every reply."
