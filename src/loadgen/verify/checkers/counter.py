"""The law of a counter: each read is at least the sum of the additions that had been acknowledged before it was called,
and at most the sum of those that had been attempted before it returned (Jepsen's counter).

An amount may be negative; then it lowers the least from its attempt on, and the most from its acknowledgement on.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import accumulate

from loadgen.verify.checkers.answer import MOST_SHOWN, Answer, Violation
from loadgen.verify.checkers.objects import by_key, in_order, number
from loadgen.verify.history.operation import Ended, Operation

FUNCTIONS = ("add", "read")


def check(history: Iterable[Operation]) -> Answer:
    """Judge each key. A counter that is not there is 0. Raises UsageError for an operation that no counter has."""
    keys = by_key(history, "counter", FUNCTIONS)
    counts = Counter[str]()
    violations: list[Violation] = []
    found = Counter[str]()
    for key, operations in keys.items():
        counter = _Counter(key, operations)
        counts["reads"] += len(counter.reads)
        counts["additions"] += len(counter.adds)
        counts["unknown"] += sum(add.ended is Ended.INFO for add in counter.adds)
        for read in counter.reads:
            if (kind := counter.broken_by(read)) is not None:
                found[kind] += 1
                if len(violations) < MOST_SHOWN:
                    violations.append(counter.violation(kind, read))
    return Answer(
        model="counter",
        operations=sum(map(len, keys.values())),
        keys=len(keys),
        counts={name: counts[name] for name in ("reads", "additions", "unknown")},
        violations=violations,
        found=sum(found.values()),
        nothing="" if counts["reads"] else "the history has no read that was answered",
        kinds=found,
    )


class _Counter:
    """One counter, and its bounds at any time."""

    def __init__(self, key: str, operations: Sequence[Operation]) -> None:
        self._key = key
        self.reads = [each for each in operations if each.f == "read" and each.ended is Ended.OK]
        self.adds = [each for each in operations if each.f == "add" and each.ended is not Ended.FAIL]
        self._amounts = {each.index: number(each, each.value) for each in self.adds}
        acknowledged = sorted(
            ((each.return_ns, self._amounts[each.index]) for each in self.adds if each.return_ns is not None),
        )
        attempted = sorted((each.call_ns, self._amounts[each.index]) for each in self.adds)
        self._acknowledged = _Sums(acknowledged)
        self._attempted = _Sums(attempted)

    def bounds(self, read: Operation) -> tuple[int, int]:
        """Return the least and the most that a read may return.

        Additions that were acknowledged before its call count. Others that were attempted before its return may.
        """
        up, down = self._acknowledged.before(read.call_ns)
        all_up, all_down = self._attempted.until(read.return_ns or 0)
        return up + all_down, all_up + down

    def broken_by(self, read: Operation) -> str | None:
        low, high = self.bounds(read)
        value = number(read, read.result, 0)
        return "too-low" if value < low else "too-high" if value > high else None

    def violation(self, kind: str, read: Operation) -> Violation:
        low, high = self.bounds(read)
        value = number(read, read.result, 0)
        if kind == "too-low":
            why = f"process {read.process} read {value}, and {low} had been acknowledged before it was called."
            return Violation(kind, self._key, why, in_order([*self._enough(read, value), read], read))
        why = f"process {read.process} read {value}, and no more than {high} had been attempted before it returned."
        return Violation(kind, self._key, why, in_order([read], read))

    def _enough(self, read: Operation, value: int) -> list[Operation]:
        """Return the fewest acknowledged additions that are more than a value, if nothing lowers the counter."""
        before = (each for each in self.adds if each.return_ns is not None and each.return_ns < read.call_ns)
        found: list[Operation] = []
        total = sum(amount for amount in self._amounts.values() if amount < 0)
        for each in sorted(before, key=lambda each: -self._amounts[each.index]):
            if total > value or len(found) == MOST_SHOWN:
                break
            found.append(each)
            total += self._amounts[each.index]
        return found


class _Sums:
    """The sums of positive and of negative amounts up to any time."""

    def __init__(self, amounts: Sequence[tuple[int, int]]) -> None:
        self._times = [at for at, _ in amounts]
        self._up = [0, *accumulate(max(amount, 0) for _, amount in amounts)]
        self._down = [0, *accumulate(min(amount, 0) for _, amount in amounts)]

    def before(self, at_ns: int) -> tuple[int, int]:
        many = bisect_left(self._times, at_ns)
        return self._up[many], self._down[many]

    def until(self, at_ns: int) -> tuple[int, int]:
        many = bisect_right(self._times, at_ns)
        return self._up[many], self._down[many]
