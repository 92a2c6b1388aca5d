"""What a smoke test says in words, the same in every format for people. Pure functions to plain text."""

from __future__ import annotations

from loadgen.escape import printable
from loadgen.output.words import figures, sentences
from loadgen.percentiles import COMPARED
from loadgen.smoke.check import Check
from loadgen.smoke.ended import SmokeEnded
from loadgen.units import NS_PER_US

_LONGEST = 500
"""A finding is a sentence of our own, whose words from outside have been cut already."""


def verdict(ended: SmokeEnded) -> str:
    """PASS or FAIL; or, where neither can be said, why not: the user stopped it, or the numbers are in part ours."""
    if ended.failed:
        return "FAIL"
    if ended.interrupted:
        return "INTERRUPTED"
    return "CANNOT TELL" if ended.doubts else "PASS"


def style(ended: SmokeEnded) -> str:
    """The colour of that."""
    return "bold green" if ended.passed else "bold red" if ended.failed else "bold yellow"


def server(ended: SmokeEnded) -> str:
    """Such as "redis (redis 7.0.15)"; without the brackets before it has said who it is."""
    identity = printable(ended.identity)
    return f"{printable(ended.server)} ({identity})" if identity else printable(ended.server)


def reasons(ended: SmokeEnded) -> list[str]:
    """Why it did not pass: each criterion that was not met, and what makes the numbers doubtful."""
    missed = (f"{check.name}: {found(check)}{f', not {check.limit}' * bool(check.limit)}" for check in ended.failed)
    return [*missed, *(printable(doubt.words, _LONGEST) for doubt in ended.doubts)]


def measured(ended: SmokeEnded) -> list[str]:
    """Throughput and response time: "152K req/s", "p50 45.3 µs", …; empty when no load was measured."""
    result = ended.result
    if result is None or not result.measured.total.planned:
        return []
    shown = zip((label for _, label, _ in COMPARED), percentiles(ended), strict=True)
    return [f"{figures.rate(result.throughput_per_s)} req/s", *(f"{label} {value}" for label, value in shown)]


def percentiles(ended: SmokeEnded) -> list[str]:
    """p50, p99 and p99.9."""
    if ended.result is None:
        return [figures.NOTHING] * len(COMPARED)
    return [figures.quantile(ended.result.measured.latency(), q) for _, _, q in COMPARED]


def notes(ended: SmokeEnded) -> list[str]:
    """Whose numbers these are, and what the signs beside the percentiles mean."""
    embedded = ended.result is not None and ended.result.embedded
    return [*[sentences.EMBEDDED] * embedded, *marks(ended)]


def marks(ended: SmokeEnded) -> list[str]:
    """What the signs beside these percentiles mean; each begins with its sign."""
    shown = "".join(percentiles(ended))
    return [
        *[sentences.BOUNDS] * (figures.AT_LEAST in shown),
        *[sentences.FEW_SAMPLES] * (figures.FEW_SAMPLES in shown),
    ]


def throughput(ended: SmokeEnded) -> str:
    return figures.rate(ended.result.throughput_per_s) if ended.result is not None else figures.NOTHING


def hits(ended: SmokeEnded) -> str:
    """Hits in percent, without its sign."""
    return figures.share(ended.result.measured.hit_rate if ended.result is not None else None)


def server_cpu(ended: SmokeEnded) -> str:
    """The server's CPU time per request."""
    report = ended.result.server if ended.result is not None else None
    cpu = report.cpu_us_per_request if report is not None else None
    return figures.NOTHING if cpu is None else figures.latency(cpu * NS_PER_US)


def answer(check: Check) -> str:
    """ok, FAIL, or a dash where nothing was judged."""
    return "–" if check.passed is None else "ok" if check.passed else "FAIL"


def found(check: Check) -> str:
    return printable(check.found, _LONGEST)


def log_tail(ended: SmokeEnded) -> list[str]:
    """The end of the server's log, each line cut to a length."""
    return [printable(line) for line in ended.log_tail]
