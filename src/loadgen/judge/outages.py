"""What became of the nodes of a load: outages, the time back inside the baseline, and the failures that faults explain.

A load is seen as a series of moments, of some hundred milliseconds each. A fault explains what fails on its node from
its beginning until the node is back inside the baseline's interval (`stats.recovery`), and for RECOVERY_LIMIT_NS after
its end at most. What fails without a fault is an outage, too, and explains nothing. Pure functions; times are
monotonic, in ns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from loadgen.faults.report import FaultReport, Outage
from loadgen.snapshot import NodeCounts, Tally
from loadgen.stats.recovery import HOLD_NS, MOST_FAILED, Baseline, Level, back_at, baseline

RECOVERY_LIMIT_NS = 10_000_000_000
"""The longest that a fault explains failures after its end."""

Series = Sequence[Sequence[NodeCounts]]
"""What became of each node in each moment of the window, and in a last moment of what ended after it."""


@dataclass(frozen=True, slots=True)
class _Spells:
    """Spells of faults on one node, from the beginning of the first to the end of the last. None lies apart."""

    began_ns: int
    ended_ns: int | None
    """None when a fault did not end."""


def outages(series: Series, window_ns: int, moment_ns: int, faults: Iterable[FaultReport]) -> tuple[Outage, ...]:
    """Return an outage for each time that faults were on a node, by node and time.

    `window_ns` is the time at which the first moment began.
    """
    faults = tuple(faults)
    begins = [spell.began_ns for fault in faults for spell in fault.spells]
    nodes = range(1, len(series[0]) + 1) if series and begins else ()
    found: list[Outage] = []
    for node in nodes:
        levels = _levels(series, node, window_ns, moment_ns)
        # A baseline is of the time in which no fault was on any node.
        inside = baseline(level for level in levels if level.to_ns <= min(begins))
        spells = list(_merged(node, faults))
        for index, its in enumerate(spells):
            until_ns = spells[index + 1].began_ns if index + 1 < len(spells) else None
            found.append(_outage(node, its, until_ns, inside, levels, series, window_ns, moment_ns))
    return tuple(found)


def unplanned(series: Series, window_ns: int, moment_ns: int, planned: Iterable[Outage]) -> tuple[Outage, ...]:
    """Return an outage for each time that requests or attempts to connect failed on a node, but for `planned` ones.

    Failures less than a second apart are one outage. Error replies alone are one where they are more than a hundredth
    of a moment's requests: the rest of them may be what the workload asks for.
    """
    planned = tuple(planned)
    found: list[Outage] = []
    for node in range(1, len(series[0]) + 1) if series else ():
        levels = _levels(series, node, window_ns, moment_ns)
        known = {
            index
            for outage in planned
            if outage.node == node
            for index in _explained(outage, len(series), window_ns, moment_ns)
        }
        failing = [index for index, nodes in enumerate(series) if index not in known and _fails(nodes[node - 1])]
        runs = _runs(failing, HOLD_NS // moment_ns)
        for number, run in enumerate(runs):
            calm = (
                level for index, level in enumerate(levels[: run[0]]) if index not in known and index not in failing
            )
            inside = baseline(calm)
            until_ns = window_ns + runs[number + 1][0] * moment_ns if number + 1 < len(runs) else None
            fails = sum((series[index][node - 1] for index in run), NodeCounts())
            back_ns = back_at(levels, inside, fails.last_failed_ns, until_ns) if inside is not None else None
            found.append(
                Outage(
                    node,
                    fails.first_failed_ns,
                    fails.last_failed_ns,
                    first_failed_ns=fails.first_failed_ns,
                    last_failed_ns=fails.last_failed_ns,
                    back_ns=back_ns,
                    until_ns=until_ns,
                    failed=fails.failed,
                    refused=fails.refused,
                    has_baseline=inside is not None,
                    is_planned=False,
                )
            )
    return tuple(found)


def _levels(series: Series, node: int, window_ns: int, moment_ns: int) -> list[Level]:
    """Return the whole moments of a node as samples."""
    return [
        Level(from_ns, from_ns + moment_ns, counts[node - 1].ok, p99_ns(counts[node - 1]), counts[node - 1].failed)
        for from_ns, counts in zip(_begins(window_ns, moment_ns), series[:-1], strict=False)
    ]


def _fails(counts: NodeCounts) -> bool:
    """Return True when more failed in a moment than error replies that may be what the workload asks for."""
    return bool(
        counts.refused or counts.failed > counts.errors or counts.errors > MOST_FAILED * (counts.ok + counts.errors)
    )


def _runs(indices: Iterable[int], gap: int) -> list[range]:
    """Return the ranges of rising indices that lie at most `gap` apart, from the first to the last of each."""
    runs: list[range] = []
    for index in indices:
        if runs and index - runs[-1][-1] <= gap:
            runs[-1] = range(runs[-1].start, index + 1)
        else:
            runs.append(range(index, index + 1))
    return runs


def explained(series: Series, window_ns: int, moment_ns: int, found: Iterable[Outage]) -> Tally:
    """Return the requests of all moments that the outages explain, on their nodes."""
    parts = {
        (index, outage.node) for outage in found for index in _explained(outage, len(series), window_ns, moment_ns)
    }
    counts = sum((series[index][node - 1] for index, node in parts), NodeCounts())
    ends = {"ok": counts.ok, "errors": counts.errors, "timeouts": counts.timeouts, "lost": counts.lost}
    ends |= {"corrupt": counts.corrupt, "unfinished": counts.unfinished}
    return Tally(planned=sum(ends.values()), **ends)


def p99_ns(counts: NodeCounts) -> int | None:
    """Return the p99 of the good replies; None without any."""
    return counts.response.quantile(0.99) if counts.response.count else None


def _outage(
    node: int,
    its: _Spells,
    until_ns: int | None,
    inside: Baseline | None,
    levels: Sequence[Level],
    series: Series,
    window_ns: int,
    moment_ns: int,
) -> Outage:
    back_ns = None
    if inside is not None and its.ended_ns is not None:
        back_ns = back_at(levels, inside, its.ended_ns, until_ns)
    outage = Outage(
        node, its.began_ns, its.ended_ns, back_ns=back_ns, until_ns=until_ns, has_baseline=inside is not None
    )
    moments = [series[index][node - 1] for index in _explained(outage, len(series), window_ns, moment_ns)]
    fails = sum(moments, NodeCounts())
    return Outage(
        node,
        its.began_ns,
        its.ended_ns,
        first_failed_ns=fails.first_failed_ns or None,
        last_failed_ns=fails.last_failed_ns or None,
        back_ns=back_ns,
        until_ns=until_ns,
        failed=fails.failed,
        refused=fails.refused,
        has_baseline=inside is not None,
    )


def _explained(outage: Outage, moments: int, window_ns: int, moment_ns: int) -> range:
    """Return the indices of the moments whose failures an outage explains.

    A fault takes effect before its interpreter has returned, so the moment before its beginning belongs to it.
    """
    first = max(0, (outage.began_ns - window_ns) // moment_ns - 1)
    if outage.ended_ns is None:
        end_ns = outage.until_ns
    else:
        limit_ns = outage.ended_ns + RECOVERY_LIMIT_NS
        end_ns = min(each for each in (outage.back_ns, outage.until_ns, limit_ns) if each is not None)
    last = moments if end_ns is None else min(moments, (end_ns - window_ns) // moment_ns + 1)
    return range(first, last)


def _merged(node: int, faults: Iterable[FaultReport]) -> Iterator[_Spells]:
    """Yield the spells on a node, those that overlap or touch as one."""
    spells = sorted(
        ((spell.began_ns, spell.ended_ns) for fault in faults for spell in fault.spells if spell.node == node),
        key=lambda spell: spell[0],
    )
    began_ns: int | None = None
    ended_ns: int | None = None
    for begin_ns, end_ns in spells:
        if began_ns is not None and (ended_ns is None or begin_ns <= ended_ns):
            ended_ns = None if ended_ns is None or end_ns is None else max(ended_ns, end_ns)
            continue
        if began_ns is not None:
            yield _Spells(began_ns, ended_ns)
        began_ns, ended_ns = begin_ns, end_ns
    if began_ns is not None:
        yield _Spells(began_ns, ended_ns)


def _begins(window_ns: int, moment_ns: int) -> Iterator[int]:
    while True:
        yield window_ns
        window_ns += moment_ns
