"""Transactions that append to lists and read them, held against serializability (Elle; Kingsbury, Alvaro 2020).

A read of a list shows in which order its elements were appended, where each is appended once. So the order of versions
follows from the reads, and from it who came before whom:

    ww   a transaction appended an element, and another the next one
    wr   a transaction appended the last element that another read
    rw   a transaction read a list, and another appended the element after it

A transaction that comes before itself is an anomaly, named by the edges of the shortest circle: G0 of ww only; G1c with
wr; G-single with one rw; G2 with more. No time is looked at: a legal history is serializable, and may be stale.
"""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntFlag
from itertools import pairwise
from typing import Any

from loadgen.errors import UsageError
from loadgen.verify.checkers.answer import MOST_SHOWN, Answer, Shown, Violation
from loadgen.verify.checkers.objects import name_of, shown, told
from loadgen.verify.history.operation import Ended, Operation

FUNCTIONS = ("txn",)

_APPEND, _READ = "append", "r"


class Edge(IntFlag):
    """Why a transaction comes before another."""

    WW = 1
    WR = 2
    RW = 4


@dataclass(frozen=True, slots=True)
class _Evidence:
    """What shows that a transaction came before another."""

    key: str
    element: str
    """That the later one appended (ww, rw), or read (wr)."""
    order: _Transaction | None = None
    """ww: the read that has the order of the elements; None where the later element was never read."""

    def words(self, edge: Edge, first: str, then: str) -> str:
        match edge:
            case Edge.WW:
                return f"{then} appended {self.element} to {self.key} after {first}"
            case Edge.WR:
                return f"{then} read {self.element} of {self.key}, which {first} appended"
            case _:
                return f"{first} read {self.key} without {self.element}, which {then} appended"


@dataclass(slots=True, eq=False)
class _Transaction:
    """A transaction that took effect, or may have."""

    operation: Operation
    steps: Sequence[tuple[str, str, Any]]
    after: dict[_Transaction, dict[Edge, _Evidence]] = field(default_factory=dict)
    """Those that come after it, and why."""


def check(history: Iterable[Operation]) -> Answer:
    """Judge all transactions together. Raises UsageError for anything but transactions of appends and reads."""
    operations = [*history]
    for operation in operations:
        if operation.f not in FUNCTIONS:
            raise UsageError(f"line {operation.index}: list-append has txn, not {told(operation.f)}")
    judged = _History(operations)
    judged.judge()
    return Answer(
        model="list-append",
        operations=len(operations),
        keys=len(judged.lists),
        counts={
            "transactions": len(judged.transactions),
            "failed": sum(each.ended is Ended.FAIL for each in operations),
            "unknown": sum(each.ended is Ended.INFO for each in operations),
            "reads": judged.reads,
            "appends": judged.appends,
        },
        violations=judged.violations[:MOST_SHOWN],
        found=sum(judged.found.values()),
        nothing="" if judged.reads else "the history has no read that was answered",
        kinds=judged.found,
    )


@dataclass(slots=True)
class _List:
    """A key, and the order of its elements."""

    order: list[str] = field(default_factory=list)
    """The longest list that was read."""
    longest: _Transaction | None = None
    appended: dict[str, _Transaction] = field(default_factory=dict)
    failed: dict[str, Operation] = field(default_factory=dict)
    final: dict[int, str] = field(default_factory=dict)
    """By transaction, the last element that it appends."""
    reads: list[tuple[_Transaction, list[str]]] = field(default_factory=list)
    """The lists that were read, without what the transaction had appended itself."""


class _History:
    """A history, and what is wrong with it."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        self.lists: dict[str, _List] = {}
        self.found = Counter[str]()
        self.violations: list[Violation] = []
        self.reads = self.appends = 0
        self.transactions: list[_Transaction] = []
        for operation in operations:
            if operation.ended is Ended.FAIL:
                for f, key, value in _steps(operation):
                    if f == _APPEND:
                        self._list(key).failed[_element(value)] = operation
            else:
                self.transactions.append(_Transaction(operation, _steps(operation)))
        for transaction in self.transactions:
            self._appends(transaction)
        for transaction in self.transactions:
            if transaction.operation.ended is Ended.OK:
                self._reads(transaction)

    def judge(self) -> None:
        for key, each in self.lists.items():
            self._check_reads(key, each)
            self._join(key, each)
        for circle in circles(self.transactions):
            self._accuse_circle(circle)

    def _list(self, key: str) -> _List:
        return self.lists.setdefault(key, _List())

    def _appends(self, transaction: _Transaction) -> None:
        for f, key, value in transaction.steps:
            if f == _APPEND:
                self.appends += 1
                each, element = self._list(key), _element(value)
                if element in each.appended:
                    raise UsageError(
                        f"line {transaction.operation.index}: {element} is appended to {key or 'the list'} a second "
                        "time: list-append needs elements that are appended once"
                    )
                each.appended[element] = transaction
                each.final[id(transaction)] = element

    def _reads(self, transaction: _Transaction) -> None:
        own: dict[str, list[str]] = {}
        for f, key, value in transaction.steps:
            if f == _APPEND:
                own.setdefault(key, []).append(_element(value))
                continue
            self.reads += 1
            listed, mine = [_element(element) for element in value or []], own.get(key, [])
            if mine and listed[-len(mine) :] != mine:
                self._accuse(
                    "internal", key, "a transaction does not read at the end what it has appended.", [transaction]
                )
                continue
            self._list(key).reads.append((transaction, listed[: len(listed) - len(mine)]))
            if len(listed) > len(self._list(key).order):
                self._list(key).order, self._list(key).longest = listed, transaction

    # ── What reads show by themselves ─────────────────────────────────────────────────────────────────────────────────

    def _check_reads(self, key: str, each: _List) -> None:
        whole = ([(each.longest, each.order)] if each.longest is not None else []) + each.reads
        # What holds of a list holds of its beginnings, but for G1b.
        clean = each.longest is None or not [*self._wrong(each, each.longest, each.order, clean=False)]
        accused: set[tuple[str, int]] = set()
        for reader, listed in whole:
            for kind, why, others in self._wrong(each, reader, listed, clean=clean):
                if (kind, id(reader)) not in accused:
                    accused.add((kind, id(reader)))
                    self._accuse(kind, key, why, [*others, reader])

    def _wrong(
        self, each: _List, reader: _Transaction, listed: list[str], *, clean: bool
    ) -> Iterable[tuple[str, str, list[_Transaction | Operation]]]:
        """Yield what is wrong with a read: kind, sentence, the other transactions.

        `clean`: there is nothing wrong with the longest list that was read.
        """
        who = f"process {name_of(reader.operation.process)}"
        begins = listed == each.order[: len(listed)]
        if not begins and each.longest is not None:
            why = f"{who} read an order of elements that another read contradicts: no list was both."
            yield "incompatible-order", why, [each.longest]
        looked_at = [] if begins and clean else listed
        if len({*looked_at}) < len(looked_at):
            twice = next(element for element, many in Counter(listed).items() if many > 1)
            yield "duplicate-elements", f"{who} read {twice} twice, and it was appended once.", []
        for element in looked_at:
            if element in each.failed and element not in each.appended:
                failed = each.failed[element]
                why = f"{who} read {element}, whose transaction (process {name_of(failed.process)}) failed."
                yield "G1a", why, [failed]
            elif element not in each.appended:
                yield "unexpected", f"{who} read {element}, which nobody appended.", []
        if listed and (writer := each.appended.get(listed[-1])) is not None and writer is not reader:
            final = each.final[id(writer)]
            if final != listed[-1]:
                why = f"{who} read {listed[-1]} at the end, and its transaction appended {final} after it."
                yield "G1b", why, [writer]

    # ── Who came before whom ──────────────────────────────────────────────────────────────────────────────────────────

    def _join(self, key: str, each: _List) -> None:
        """Add the edges that follow from the order of one list's elements."""
        writers = [each.appended.get(element) for element in each.order]
        for (first, then), element in zip(pairwise(writers), each.order[1:], strict=True):
            _before(first, then, Edge.WW, _Evidence(key, element, each.longest))
        # Elements that were acknowledged and that no read has come after all that were read.
        inside = {*each.order}
        unread = [
            (_Evidence(key, element), writer)
            for element, writer in each.appended.items()
            if element not in inside and writer.operation.ended is Ended.OK
        ]
        last = writers[-1] if writers else None
        for evidence, writer in unread:
            _before(last, writer, Edge.WW, evidence)
        for reader, listed in each.reads:
            if listed != each.order[: len(listed)]:
                continue
            if listed:
                _before(each.appended.get(listed[-1]), reader, Edge.WR, _Evidence(key, listed[-1]))
            if len(listed) < len(writers):
                _before(reader, writers[len(listed)], Edge.RW, _Evidence(key, each.order[len(listed)]))
            else:
                for evidence, writer in unread:
                    _before(reader, writer, Edge.RW, evidence)

    # ── Accusations ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _accuse(self, kind: str, key: str, why: str, by: Sequence[_Transaction | Operation]) -> None:
        self.found[kind] += 1
        if len(self.violations) < MOST_SHOWN:
            operations = [each.operation if isinstance(each, _Transaction) else each for each in by]
            distinct = {each.index: each for each in operations}.values()
            window = [_shown(each, accused=each is operations[-1]) for each in distinct]
            self.violations.append(Violation(kind, key, why, tuple(sorted(window, key=lambda each: each.call_ns))))

    def _accuse_circle(self, circle: Sequence[tuple[_Transaction, Edge]]) -> None:
        edges = [edge for _, edge in circle]
        against = edges.count(Edge.RW)
        kind = "G2" if against > 1 else "G-single" if against else "G1c" if Edge.WR in edges else "G0"
        self.found[kind] += 1
        if len(self.violations) == MOST_SHOWN:
            return
        names = {each: f"T{number}" for number, (each, _) in enumerate(circle, 1)}
        orders: dict[_Transaction, None] = {}
        said = []
        for (first, edge), (then, _) in zip(circle, [*circle[1:], circle[0]], strict=True):
            evidence = first.after[then][edge]
            said.append(evidence.words(edge, names[first], names[then]))
            if evidence.order is not None and evidence.order not in names:
                orders[evidence.order] = None
        window = [
            *(_shown(each.operation, accused=each is circle[-1][0], name=name) for each, name in names.items()),
            *(_shown(each.operation, accused=False) for each in orders),
        ]
        why = f"{'; '.join(said)}: each came before the next, and {names[circle[-1][0]]} before T1."
        self.violations.append(Violation(kind, "", why, tuple(sorted(window, key=lambda each: each.call_ns))))


def _before(first: _Transaction | None, then: _Transaction | None, edge: Edge, evidence: _Evidence) -> None:
    if first is not None and then is not None and first is not then:
        first.after.setdefault(then, {}).setdefault(edge, evidence)


# ── Circles ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def circles(transactions: Sequence[_Transaction]) -> Iterable[list[tuple[_Transaction, Edge]]]:
    """Yield a circle for each set of transactions that come before each other: the gravest, the shortest of its kind.

    A circle is its transactions in order, each with the edge to the next; the last edge leads to the first.
    """
    for component in components(transactions):
        inside = {*component}
        for allowed, first in (
            (Edge.WW, Edge.WW),
            (Edge.WW | Edge.WR, Edge.WR),
            (Edge.WW | Edge.WR, Edge.RW),
            (Edge.WW | Edge.WR | Edge.RW, Edge.RW),
        ):
            if (found := _shortest(component, inside, allowed, first)) is not None:
                yield found
                break


def _shortest(
    component: Sequence[_Transaction], inside: set[_Transaction], allowed: Edge, first: Edge
) -> list[tuple[_Transaction, Edge]] | None:
    """Return the shortest circle of one edge of a kind and a way back over allowed edges; None where there is none."""
    best: list[tuple[_Transaction, Edge]] | None = None
    for start in component:
        for then, edges in start.after.items():
            if first in edges and then in inside:
                way = _way(then, start, inside, allowed, len(best) - 1 if best else len(component))
                if way is not None and (best is None or len(way) + 1 < len(best)):
                    best = [(start, first), *way]
                    if len(best) == 2:
                        return best
    return best


def _way(
    start: _Transaction, end: _Transaction, inside: set[_Transaction], allowed: Edge, most: int
) -> list[tuple[_Transaction, Edge]] | None:
    """Return the shortest way, each transaction with its edge to the next; None where it has `most` edges or more."""
    came: dict[_Transaction, tuple[_Transaction, Edge] | None] = {start: None}
    waiting = deque([(start, 0)])
    while waiting:
        here, far = waiting.popleft()
        if here is end:
            way: list[tuple[_Transaction, Edge]] = []
            step = came[here]
            while step is not None:
                way.append(step)
                step = came[step[0]]
            return way[::-1]
        if far + 1 > most:
            continue
        for then, edges in here.after.items():
            # A circle is named by ww before wr before rw, where there are several edges.
            if then in inside and then not in came and (edge := min(edges)) & allowed:
                came[then] = here, edge
                waiting.append((then, far + 1))
    return None


def components(transactions: Sequence[_Transaction]) -> Iterable[list[_Transaction]]:
    """Yield the strongly connected components of more than one transaction (Tarjan 1972), without recursion."""
    numbers: dict[_Transaction, int] = {}
    low: dict[_Transaction, int] = {}
    stack: list[_Transaction] = []
    on_stack: set[_Transaction] = set()
    for root in transactions:
        if root in numbers:
            continue
        work = [(root, iter(root.after))]
        numbers[root] = low[root] = len(numbers)
        stack.append(root)
        on_stack.add(root)
        while work:
            here, rest = work[-1]
            for then in rest:
                if then not in numbers:
                    numbers[then] = low[then] = len(numbers)
                    stack.append(then)
                    on_stack.add(then)
                    work.append((then, iter(then.after)))
                    break
                if then in on_stack:
                    low[here] = min(low[here], numbers[then])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[here])
                if low[here] == numbers[here]:
                    component = []
                    while True:
                        component.append(stack.pop())
                        on_stack.discard(component[-1])
                        if component[-1] is here:
                            break
                    if len(component) > 1:
                        yield component


# ── Words ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _steps(operation: Operation) -> list[tuple[str, str, Any]]:
    """Return the steps of a transaction: append or r, the key, and the element or the list. Raises UsageError."""
    steps = operation.result if operation.ended is Ended.OK else operation.value
    if not isinstance(steps, list):
        raise UsageError(f"line {operation.index}: the value of a txn is a list of steps, not {told(steps)}")
    found = []
    for step in steps:
        if not (isinstance(step, list) and len(step) == 3 and step[0] in (_APPEND, _READ)):
            raise UsageError(f'line {operation.index}: a step is ["append", key, element] or ["r", key, list]')
        if step[0] == _READ and not (step[2] is None or isinstance(step[2], list)):
            raise UsageError(f"line {operation.index}: a read has a list, or null for none")
        found.append((step[0], name_of(step[1]), step[2]))
    return found


def _element(value: Any) -> str:
    return str(value) if type(value) is int else json.dumps(value, sort_keys=True)


def _shown(operation: Operation, *, accused: bool, name: str = "") -> Shown:
    steps = []
    for f, key, value in _steps(operation):
        ended = operation.ended is Ended.OK or f == _APPEND
        steps.append(f"{f} {key} {told(value) if ended else '?'}")
    end = {Ended.OK: "", Ended.FAIL: " → failed", Ended.INFO: " → ?"}[operation.ended]
    return shown(operation, accused=accused, words=f"{name + ': ' if name else ''}{'; '.join(steps)}{end}")
