"""Requests and connections that failed, held against what is allowed: whether what was measured is a success at all.

One rule for a run, the rates of a search and the slices of comparisons; each has a limit of its own. What was still
open when the drain ended is not among the failures: that is overload. Pure functions from counts to sentences.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from loadgen.escape import printable
from loadgen.judge import diagnosis
from loadgen.reason import Code, Reason
from loadgen.severity import Severity
from loadgen.snapshot import Snapshot, Tally
from loadgen.units import percent_beside

ACCEPT = "to accept this: --max-failures 100%"


def accepting(counted: Tally) -> str:
    """How to accept what failed, to be put behind the sentence; bytes that are no reply are never accepted."""
    return "" if counted.corrupt else f"; {ACCEPT}"


# So many classes of error replies are named, each with what to do about it.
_MOST_CLASSES = 3
_LONGEST_REPLY = 80


def exceeded(tally: Tally, limit: float | None) -> bool:
    """Whether a larger share than `limit` of the planned requests failed; any may where it is None."""
    return limit is not None and tally.failed > limit * tally.planned


def of_requests(intervals: Iterable[Snapshot], limit: float | None, examples: Mapping[str, str]) -> str:
    """That too many requests failed in these stretches of a load: how many of what kind, and what to do; else empty.

    Where faults are planned, the stretches that are judged are those outside the faults and the recovery from them.
    """
    judged = sum(intervals, Snapshot())
    if limit is None or not exceeded(judged.total, limit):
        return ""
    total = judged.total
    failed, bound = percent_beside(total.failed / total.planned, limit)
    of_all = f"{total.failed:,} of {total.planned:,} requests ({failed})"
    return f"{of_all} failed (limit {bound}): {kinds(judged, examples)}"


def of_connections(asked: int, never_opened: int, limit: float | None, why: str = "") -> str:
    """That too many of the connections asked for never opened; else empty. One may always be missing.

    `why` is the reasons in brackets.
    """
    if limit is None or never_opened <= max(1.0, limit * asked):
        return ""
    _, bound = percent_beside(never_opened / asked, limit)
    return (
        f"{never_opened:,} of {asked:,} connections never opened (limit {bound}, and at least 1){why}: see "
        "whether the server allows so many, or open fewer (connection.connections)"
    )


def reasons(requests: str, connections: str) -> tuple[Reason, ...]:
    """Reasons of what failed beyond its limit: sentences of `of_requests` and `of_connections`, either may be empty."""
    accepted = f"{connections}; {ACCEPT}" if connections else ""
    said = ((Code.REQUESTS_FAILED, requests), (Code.CONNECTIONS_FAILED, accepted))
    return tuple(Reason(code, words, Severity.FAILED) for code, words in said if words)


def nothing_good(tally: Tally) -> str:
    """That no request got a good reply, and what became of them; empty when one did, or none was planned."""
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
    """The failures by kind, the most frequent first, each with its remedy."""
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
    """The classes of error replies in brackets, the most frequent with the server's words and what to do about them."""
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
