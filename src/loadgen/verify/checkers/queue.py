"""The law of a queue: what was enqueued and acknowledged is dequeued, and nothing else is (Jepsen's total-queue).

A value may be dequeued more often than it was enqueued: it is counted as duplicated, and legal. A value is *lost* where
its enqueueing was acknowledged before the call of an operation that found the queue empty, and nobody ever dequeued it.
Jepsen's checker takes for granted that the queue was drained at the end; here a value that no later operation could
have shown to be missing is *left*. A dequeue whose end is not known may have taken a value with it: of the values that
are missing, as many as there are such dequeues are *untold*, not lost; all, where a drain has no known end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from loadgen.verify.checkers.answer import MOST_SHOWN, Answer, Unjudged, Violation
from loadgen.verify.checkers.objects import by_key, elements, in_order
from loadgen.verify.history.operation import Ended, Operation

FUNCTIONS = ("enqueue", "dequeue", "drain")

_COUNTED = ("attempts", "acknowledged", "ok", "unexpected", "duplicated", "lost", "recovered", "left", "untold")


def check(history: Iterable[Operation]) -> Answer:
    """Judge each key. Legal: none lost and none unexpected. Raises UsageError for an operation that no queue has."""
    keys = by_key(history, "queue", FUNCTIONS)
    queues = [_Queue(key, operations) for key, operations in keys.items()]
    counts = Counter[str]()
    for queue in queues:
        counts.update(queue.counts)
    found = Counter({kind: counts[kind] for kind in ("lost", "unexpected") if counts[kind]})
    untold = [
        Unjudged(
            queue.key,
            f"{queue.counts['untold']} values are missing, and {queue.unknown} dequeues have no known end: they may "
            "have them",
        )
        for queue in queues
        if queue.counts["untold"]
    ]
    taken = any(queue.answered for queue in queues)
    return Answer(
        model="queue",
        operations=sum(map(len, keys.values())),
        keys=len(keys),
        counts={name: counts[name] for name in _COUNTED},
        violations=[violation for queue in queues for violation in queue.violations][:MOST_SHOWN],
        found=sum(found.values()),
        unjudged=untold[:MOST_SHOWN],
        unjudged_count=len(untold),
        nothing="" if taken else "the history has no dequeue that was answered",
        kinds=found,
    )


class _Queue:
    """One queue."""

    def __init__(self, key: str, operations: Sequence[Operation]) -> None:
        self.key = key
        self.violations: list[Violation] = []
        enqueues = [each for each in operations if each.f == "enqueue" and each.ended is not Ended.FAIL]
        dequeues = [each for each in operations if each.f != "enqueue" and each.ended is Ended.OK]
        self.unknown = sum(each.f != "enqueue" and each.ended is Ended.INFO for each in operations)
        """Dequeues whose end is not known."""
        self.answered = bool(dequeues)
        attempts, acknowledged = Counter[str](), Counter[str]()
        for each in enqueues:
            [value] = elements(each, [each.value])
            attempts[value] += 1
            acknowledged[value] += each.ended is Ended.OK
        taken = {each.index: _values(each) for each in dequeues}
        dequeued = Counter(value for values in taken.values() for value in values)
        ok = dequeued & attempts
        unexpected = Counter({value: many for value, many in dequeued.items() if value not in attempts})
        missing = acknowledged - dequeued
        lost = self._lost(enqueues, dequeues, missing)
        # A drain whose end is not known may have taken any number.
        drained = any(each.f == "drain" and each.ended is Ended.INFO for each in operations)
        untold = lost if drained else lost[: self.unknown]
        self.counts = Counter(
            {
                "attempts": attempts.total(),
                "acknowledged": acknowledged.total(),
                "ok": ok.total(),
                "unexpected": unexpected.total(),
                "duplicated": (dequeued - attempts - unexpected).total(),
                "lost": len(lost) - len(untold),
                "recovered": (ok - acknowledged).total(),
                "left": missing.total() - len(lost),
                "untold": len(untold),
            }
        )
        for each, empty in lost[len(untold) :][:MOST_SHOWN]:
            self.violations.append(self._told(each, empty))
        for each in dequeues:
            for value in taken[each.index]:
                if value in unexpected and len(self.violations) < MOST_SHOWN:
                    why = f"process {each.process} dequeued {value}, which nobody enqueued."
                    self.violations.append(Violation("unexpected", key, why, in_order([each], each)))

    def _lost(
        self, enqueues: Sequence[Operation], dequeues: Sequence[Operation], missing: Counter[str]
    ) -> list[tuple[Operation, Operation]]:
        """Return each enqueueing whose value is missing, with the operation that found the queue empty after it."""
        empties = [each for each in dequeues if each.f == "drain" or each.result is None]
        if not empties:
            return []
        last = max(empties, key=lambda each: each.call_ns)
        found = []
        left = Counter(missing)
        for each in enqueues:
            [value] = elements(each, [each.value])
            if each.return_ns is not None and each.return_ns < last.call_ns and left[value] > 0:
                left[value] -= 1
                found.append((each, last))
        return found

    def _told(self, enqueue: Operation, empty: Operation) -> Violation:
        [value] = elements(enqueue, [enqueue.value])
        why = (
            f"process {enqueue.process} was told that {value} is in the queue, process {empty.process} found the queue "
            "empty after that, and nobody dequeued it."
        )
        return Violation("lost", self.key, why, in_order([enqueue, empty], empty))


def _values(operation: Operation) -> list[str]:
    """Return what an operation took: all that is in a drain's list, or the one value of a dequeue, if there was one."""
    if operation.f == "drain":
        return elements(operation, operation.result)
    return elements(operation, [] if operation.result is None else [operation.result])
