"""The operator of a bench: it has the interpreters begin and end faults, and keeps the account of what they did.

An operator works step by step in the thread that calls it, and reads the clock that it is given. `operator_thread` runs
one beside a load. This file knows no load, and no layer of faults.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from loadgen.errors import LoadgenError
from loadgen.events import FaultBegan, FaultEnded
from loadgen.faults.fault import Fault, Layer
from loadgen.faults.interpreter import Interpreter
from loadgen.faults.report import FaultReport, Spell
from loadgen.faults.timeline import Step

FaultEvent = FaultBegan | FaultEnded


class Operator:
    """The account of some faults, which interpreters carry out: one for each layer that the faults are of.

    `now_ns` is the monotonic clock.
    """

    def __init__(
        self,
        faults: Sequence[Fault],
        interpreters: Mapping[Layer, Interpreter],
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._interpreters = interpreters
        self._now_ns = now_ns
        self._accounts = [_Account(fault) for fault in faults]

    @property
    def faults(self) -> tuple[Fault, ...]:
        """The faults, numbered as in steps."""
        return tuple(account.fault for account in self._accounts)

    def carry_out(self, step: Step) -> FaultEvent | None:
        """Begin or end a fault on a node, and return the event of that.

        None when there is nothing to do: the fault is under way already, or it was not begun. A fault that cannot be
        begun or ended has ended, with its failure.
        """
        account = self._accounts[step.number]
        return self._begin(account, step.node) if step.begins else self._end(account, step.node)

    def end_all(self) -> Iterable[FaultEvent]:
        """Yield the end of each fault that is under way, the newest first."""
        under_way = [(began_ns, account, node) for account in self._accounts for node, began_ns in account.open.items()]
        for _, account, node in sorted(under_way, key=lambda each: -each[0]):
            if (event := self._end(account, node)) is not None:
                yield event

    def reports(self) -> tuple[FaultReport, ...]:
        """Read every counter once more, and return what each fault did until now, in the order of the faults."""
        return tuple(self._report(account) for account in self._accounts)

    def _begin(self, account: _Account, node: int) -> FaultEvent | None:
        if node in account.open:
            return None
        fault = account.fault
        try:
            self._interpreters[fault.layer].begin(fault, node)
        except LoadgenError as error:
            return self._failed(account, node, error)
        account.open[node] = at_ns = self._now_ns()
        return FaultBegan(fault, node, at_ns, time.time())

    def _end(self, account: _Account, node: int) -> FaultEvent | None:
        if node not in account.open:
            return None
        fault, began_ns = account.fault, account.open.pop(node)
        try:
            self._interpreters[fault.layer].end(fault, node)
        except LoadgenError as error:
            account.ended.append(Spell(node, began_ns))
            return self._failed(account, node, error)
        at_ns = self._now_ns()
        before = account.effects.get(node, 0)
        try:
            account.effects[node] = self._interpreters[fault.layer].effects(fault, node)
        except LoadgenError as error:
            account.ended.append(Spell(node, began_ns, at_ns))
            return self._failed(account, node, error)
        effects = account.effects[node] - before
        account.ended.append(Spell(node, began_ns, at_ns, effects))
        return FaultEnded(fault, node, at_ns, time.time(), effects)

    def _failed(self, account: _Account, node: int, error: LoadgenError) -> FaultEnded:
        account.failure = account.failure or str(error).removesuffix(".")
        return FaultEnded(account.fault, node, self._now_ns(), time.time(), 0, account.failure)

    def _report(self, account: _Account) -> FaultReport:
        fault = account.fault
        spells = [*account.ended, *(Spell(node, began_ns) for node, began_ns in account.open.items())]
        seen: list[int | None] = []
        for node in {spell.node for spell in spells}:
            try:
                account.effects[node] = self._interpreters[fault.layer].effects(fault, node)
                seen.append(self._interpreters[fault.layer].seen(fault, node))
            except LoadgenError as error:
                account.failure = account.failure or str(error).removesuffix(".")
        in_order = tuple(sorted(spells, key=lambda spell: (spell.began_ns, spell.node)))
        packets = [count for count in seen if count is not None]
        return FaultReport(
            fault, in_order, sum(account.effects.values()), account.failure, sum(packets) if packets else None
        )


class _Account:
    """What one fault has done until now."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.open: dict[int, int] = {}
        """The node of each spell that is under way, with the time at which the spell began."""
        self.ended: list[Spell] = []
        self.effects: dict[int, int] = {}
        """By node, as last read."""
        self.failure = ""
