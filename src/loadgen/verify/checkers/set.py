"""The law of a set to which elements are added once and of which all are read (Jepsen's set-full).

An element is *known* once its addition was acknowledged or a read has it. It is *lost* where it was known before a read
was called that does not have it, and no read that was called later has it. It is *stale* where a read that was called
after it was known does not have it, and a later one does. It is *never read* where no read was called after it was
known. It is *recovered* where its addition has no known end, and a read has it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from loadgen.verify.checkers.answer import MOST_SHOWN, Answer, Violation
from loadgen.verify.checkers.objects import by_key, elements, in_order, told
from loadgen.verify.history.operation import Ended, Operation

FUNCTIONS = ("add", "read")

_COUNTED = ("reads", "attempts", "acknowledged", "stable", "stale", "lost", "never-read", "recovered", "unexpected",
            "duplicated")  # fmt: skip


def check(history: Iterable[Operation]) -> Answer:
    """Judge each key. Legal: none lost and none unexpected. Raises UsageError for an operation that no set has."""
    keys = by_key(history, "set", FUNCTIONS)
    counts = Counter[str]()
    violations: list[Violation] = []
    latencies: list[int] = []
    for key, operations in keys.items():
        judged = _Set(key, operations)
        counts.update(judged.counts)
        violations += judged.violations
        latencies += judged.stale_ns
    found = Counter({kind: counts[kind] for kind in ("lost", "unexpected") if counts[kind]})
    longest = {"longest stale ns": max(latencies)} if latencies else {}
    return Answer(
        model="set",
        operations=sum(map(len, keys.values())),
        keys=len(keys),
        counts={**{name: counts[name] for name in _COUNTED}, **longest},
        violations=violations[:MOST_SHOWN],
        found=sum(found.values()),
        nothing="" if counts["reads"] else "the history has no read that was answered",
        kinds=found,
    )


@dataclass(frozen=True, slots=True)
class _Read:
    operation: Operation
    elements: frozenset[str]


class _Set:
    """One set."""

    def __init__(self, key: str, operations: Sequence[Operation]) -> None:
        self._key = key
        self.counts = Counter[str]()
        self.violations: list[Violation] = []
        self.stale_ns: list[int] = []
        """For each stale element, from when it was known until the last read that did not have it."""
        self._reads: list[_Read] = []
        self._seen: dict[str, Operation] = {}
        """By element, the read that returned first of those that have it."""
        for read in (each for each in operations if each.f == "read" and each.ended is Ended.OK):
            listed = elements(read, read.result)
            self._reads.append(_Read(read, frozenset(listed)))
            self.counts["duplicated"] += sum(many > 1 for many in Counter(listed).values())
            for element in listed:
                first = self._seen.get(element)
                if first is None or (read.return_ns or 0) < (first.return_ns or 0):
                    self._seen[element] = read
        self._reads.sort(key=lambda read: -read.operation.call_ns)
        self.counts["reads"] = len(self._reads)
        added = self._added(operations)
        for element, add in added.items():
            self._judge(element, add)
        for element in self._seen.keys() - added.keys():
            self._unexpected(element)

    def _added(self, operations: Sequence[Operation]) -> dict[str, Operation]:
        """Return the additions that were attempted, by element: of several, the one that was acknowledged first."""
        found: dict[str, Operation] = {}
        for add in (each for each in operations if each.f == "add" and each.ended is not Ended.FAIL):
            [element] = elements(add, [add.value])
            self.counts["attempts"] += 1
            self.counts["acknowledged"] += add.ended is Ended.OK
            known = found.get(element)
            if known is None or _end(add) < _end(known):
                found[element] = add
        return found

    def _judge(self, element: str, add: Operation) -> None:
        first = self._seen.get(element)
        if add.ended is Ended.INFO and first is not None:
            self.counts["recovered"] += 1
        known_ns = min(_end(add), _end(first) if first is not None else _NEVER)
        if known_ns == _NEVER:
            return
        # The latest read that has it, and the latest that should and has not. Reads are sorted, the latest first.
        has = next((read for read in self._reads if element in read.elements), None)
        lacks = next((read for read in self._reads if element not in read.elements), None)
        if lacks is not None and lacks.operation.call_ns <= known_ns:
            lacks = None
        if lacks is None:
            self.counts["never-read" if has is None else "stable"] += 1
        elif has is not None and has.operation.call_ns >= lacks.operation.call_ns:
            self.counts["stale"] += 1
            self.counts["stable"] += 1
            self.stale_ns.append(lacks.operation.call_ns - known_ns)
        else:
            self.counts["lost"] += 1
            if len(self.violations) < MOST_SHOWN:
                self.violations.append(self._lost(element, add, first, lacks.operation))

    def _lost(self, element: str, add: Operation, first: Operation | None, lacks: Operation) -> Violation:
        seen = [first] if first is not None and _end(first) < _end(add) else []
        since = "had been read" if seen else "had been acknowledged"
        why = (
            f"process {lacks.process} read the set after {told(add.value)} {since}, and {told(add.value)} is neither "
            "there nor in any later read."
        )
        return Violation("lost", self._key, why, in_order([add, *seen, lacks], lacks))

    def _unexpected(self, element: str) -> None:
        self.counts["unexpected"] += 1
        if len(self.violations) < MOST_SHOWN:
            read = self._seen[element]
            why = f"process {read.process} read {element}, which nobody added."
            self.violations.append(Violation("unexpected", self._key, why, in_order([read], read)))


_NEVER = 1 << 62


def _end(operation: Operation) -> int:
    return _NEVER if operation.return_ns is None else operation.return_ns
