"""Smoke tests in words, the same in every format for people. Pure functions to plain text."""

from __future__ import annotations

from loadgen.escape import printable
from loadgen.output.words import figures, sentences
from loadgen.percentiles import COMPARED
from loadgen.smoke.check import Check
from loadgen.smoke.ended import SmokeEnded
from loadgen.units import NS_PER_US

_LONGEST = 500
"""Characters of a finding: a sentence of loadgen's, in which text from outside has been cut already."""


def verdict(ended: SmokeEnded) -> str:
    """Return PASS, FAIL, INTERRUPTED (by the user), or CANNOT TELL (the numbers are in part the generator's own)."""
    if ended.failed:
        return "FAIL"
    if ended.interrupted:
        return "INTERRUPTED"
    return "CANNOT TELL" if ended.doubts else "PASS"


def style(ended: SmokeEnded) -> str:
    """Return the style of the verdict."""
    return "bold green" if ended.passed else "bold red" if ended.failed else "bold yellow"


def server(ended: SmokeEnded) -> str:
    """Return the server and its identity, if known: "redis (redis 7.0.15)"."""
    identity = printable(ended.identity)
    return f"{printable(ended.server)} ({identity})" if identity else printable(ended.server)


def reasons(ended: SmokeEnded) -> list[str]:
    """Return the reasons why the test did not pass: the criteria not met, and the reasons to doubt the numbers."""
    missed = (f"{check.name}: {found(check)}{f' (limit {check.limit})' * bool(check.limit)}" for check in ended.failed)
    return [*missed, *(printable(doubt.words, _LONGEST) for doubt in ended.doubts)]


def measured(ended: SmokeEnded) -> list[str]:
    """Return throughput and response times: "152K req/s", "p50 45.3 µs", …; empty when no load was measured."""
    result = ended.result
    if result is None or not result.measured.total.planned:
        return []
    shown = zip((label for _, label, _ in COMPARED), percentiles(ended), strict=True)
    return [f"{figures.rate(result.throughput_per_s)} req/s", *(f"{label} {value}" for label, value in shown)]


def percentiles(ended: SmokeEnded) -> list[str]:
    """Return p50, p99 and p99.9."""
    if ended.result is None:
        return [figures.NOTHING] * len(COMPARED)
    return [figures.quantile(ended.result.measured.latency(), q) for _, _, q in COMPARED]


def notes(ended: SmokeEnded) -> list[str]:
    """Return the notes on a single test: the built-in server, and the signs beside the percentiles."""
    embedded = ended.result is not None and ended.result.embedded
    return [*[sentences.EMBEDDED] * embedded, *marks(ended)]


def marks(ended: SmokeEnded) -> list[str]:
    """Return the notes on the signs beside the percentiles; each note begins with its sign."""
    shown = "".join(percentiles(ended))
    return [
        *[sentences.BOUNDS] * (figures.AT_LEAST in shown),
        *[sentences.FEW_SAMPLES] * (figures.FEW_SAMPLES in shown),
    ]


def throughput(ended: SmokeEnded) -> str:
    return figures.rate(ended.result.throughput_per_s) if ended.result is not None else figures.NOTHING


def hits(ended: SmokeEnded) -> str:
    """Return the hit rate in percent, without the sign."""
    return figures.share(ended.result.measured.hit_rate if ended.result is not None else None)


def server_cpu(ended: SmokeEnded) -> str:
    """Return the server's CPU time per request."""
    report = ended.result.server if ended.result is not None else None
    cpu = report.cpu_us_per_request if report is not None else None
    return figures.NOTHING if cpu is None else figures.latency(cpu * NS_PER_US)


def answer(check: Check) -> str:
    """Return "ok", "FAIL", or a dash for a criterion that was not judged."""
    return "–" if check.passed is None else "ok" if check.passed else "FAIL"


def found(check: Check) -> str:
    return printable(check.found, _LONGEST)


def log_tail(ended: SmokeEnded) -> list[str]:
    """Return the last lines of the server's log, each cut to a length."""
    return [printable(line) for line in ended.log_tail]
