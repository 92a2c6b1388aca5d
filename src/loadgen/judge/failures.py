"""Requests and connections that failed, compared with the limits on them. Pure functions from counts to sentences.

One rule holds for a run, the rates of a search and the slices of comparisons; each has a limit of its own. Requests
still open when the drain ended are no failures: they are overload.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from loadgen.escape import printable
from loadgen.judge import diagnosis
from loadgen.reason import Code, Reason
from loadgen.severity import Severity
from loadgen.snapshot import Snapshot, Tally
from loadgen.units import percent_beside

ACCEPT = "to accept this: --max-failures 100%"


def accepting(counted: Tally) -> str:
    """Return how to accept the failures, to follow the sentence; empty with bytes that are no reply."""
    return "" if counted.corrupt else f"; {ACCEPT}"


# The most classes of error replies that are named, each with its remedy.
_MOST_CLASSES = 3
_LONGEST_REPLY = 80


def exceeded(tally: Tally, limit: float | None) -> bool:
    """True when a larger share than `limit` of the planned requests failed; a limit of None allows any share."""
    return limit is not None and tally.failed > limit * tally.planned


def of_requests(intervals: Iterable[Snapshot], limit: float | None, examples: Mapping[str, str]) -> str:
    """Return the sentence that too many requests failed in these stretches of a load, by kind, with remedies, or empty.

    Where faults are planned, the judged stretches are those outside the faults and the recovery from them.
    """
    judged = sum(intervals, Snapshot())
    if limit is None or not exceeded(judged.total, limit):
        return ""
    total = judged.total
    failed, bound = percent_beside(total.failed / total.planned, limit)
    of_all = f"{total.failed:,} of {total.planned:,} requests ({failed})"
    return f"{of_all} failed (limit {bound}): {kinds(judged, examples)}"


def without(measured: Snapshot, explained: Tally) -> Snapshot:
    """Return the counts of a window less the requests that planned faults explain, all commands together.

    How many error replies of which class were among those is not known, so that no class is named then.
    """
    if not explained.planned:
        return measured
    return replace(measured, tallies={"all": measured.total - explained}, errors={})


def of_connections(asked: int, never_opened: int, limit: float | None, why: str = "") -> str:
    """Return the sentence that too many of the connections asked for never opened, or empty. One may always be missing.

    `why` has the reasons in brackets.
    """
    if limit is None or never_opened <= max(1.0, limit * asked):
        return ""
    _, bound = percent_beside(never_opened / asked, limit)
    return (
        f"{never_opened:,} of {asked:,} connections never opened (limit {bound}, and at least 1){why}: raise "
        "the server's limit on connections, or open fewer (connection.connections)"
    )


def reasons(requests: str, connections: str) -> tuple[Reason, ...]:
    """Return the Reasons for the sentences of `of_requests` and `of_connections`, either of which may be empty."""
    accepted = f"{connections}; {ACCEPT}" if connections else ""
    said = ((Code.REQUESTS_FAILED, requests), (Code.CONNECTIONS_FAILED, accepted))
    return tuple(Reason(code, words, Severity.FAILED) for code, words in said if words)


def nothing_good(tally: Tally) -> str:
    """Return that no request got a good reply, with the requests by end; empty when one did, or none was planned."""
    if not tally.planned or tally.ok:
        return ""
    ends = {
        "error replies": tally.errors,
        "timeouts": tally.timeouts,
        "lost": tally.lost,
        "corrupt": tally.corrupt,
        "unfinished": tally.unfinished,
    }
    listed = ", ".join(f"{name} {count:,}" for name, count in ends.items() if count)
    return f"none of {tally.planned:,} requests got a good reply ({listed})"


def kinds(counted: Snapshot, examples: Mapping[str, str]) -> str:
    """Return the failures by kind, the most frequent first, each with its remedy."""
    total = counted.total
    went = diagnosis.because(counted.failures, {})
    ends = [
        (total.errors, f"error replies {total.errors:,}{_classes(counted.errors, examples)}"),
        (total.timeouts, f"timeouts {total.timeouts:,}: {diagnosis.TIMEOUTS_REMEDY}"),
        (total.lost, f"lost {total.lost:,} with their connections{went}: {diagnosis.LOST_REMEDY}"),
        (total.corrupt, f"corrupt {total.corrupt:,}: {diagnosis.CORRUPT_REMEDY}"),
    ]
    return "; ".join(words for count, words in sorted(ends, key=lambda end: -end[0]) if count)


def _classes(errors: Mapping[str, int], examples: Mapping[str, str]) -> str:
    """Return the classes of error replies in brackets, the most frequent with the server's words and the remedy."""
    names = sorted(errors, key=lambda name: -errors[name])
    named: list[str] = []
    advised: set[str] = set()
    for name in names[:_MOST_CLASSES]:
        words = examples.get(name, name)
        remedy = diagnosis.remedy(words)
        advice = f": {remedy}" if remedy and remedy not in advised else ""
        advised.add(remedy)
        named.append(f'{printable(name)} {errors[name]:,}, "{printable(words, _LONGEST_REPLY)}"{advice}')
    rest = sum(errors[name] for name in names[_MOST_CLASSES:])
    return f" ({'; '.join([*named, *([f'others {rest:,}'] if rest else [])])})" if names else ""
