"""`--format quiet` of a run: throughput, hit rate and percentiles of all commands, and the reasons to doubt them."""

from __future__ import annotations

from loadgen.events import NOTHING_MEASURED, Configured, Result
from loadgen.output.formats.quiet.account import remarks, server
from loadgen.output.words import checks, faults, figures, hosts, slo
from loadgen.percentiles import IN_ROWS

_SHOWN = ("p50", "p99", "p99.9", "max")


def result(event: Result) -> str:
    """Return the line."""
    test = f"{event.plan.test}: " if event.plan.test else ""
    return test + "  ".join([*_measured(event), *remarks(event)])


def planned(event: Configured) -> str:
    """Return the line of a dry run: who would send what."""
    told = (hosts.preflight(event), hosts.division(event), hosts.clocks(event))
    return "  ".join([*told, "nothing was sent"])


def _measured(event: Result) -> list[str]:
    total, latency = event.measured.total, event.measured.latency()
    if not total.planned:
        return [NOTHING_MEASURED.words]
    hits = figures.share(event.measured.hit_rate)
    shown = ((label, figures.quantile(latency, q, figures.latency_word)) for _, label, q in IN_ROWS)
    objectives, conditions = slo.summary(event.checks), checks.summary(event.checked)
    return [
        f"{event.throughput_per_s:.0f} req/s",
        *([f"{hits}% hit"] if hits != figures.NOTHING else []),
        *(f"{label}={value}" for label, value in shown if label in _SHOWN),
        *server(event.server),
        *([f"errors={total.not_ok}"] if total.not_ok else []),
        *([f"agents={len(event.hosts)}"] if event.hosts else []),
        *([f"agents_lost={lost}"] if (lost := hosts.lost(event)) else []),
        *([f"faults: {faults.summary(event)}"] if event.faults else []),
        *([f"SLO {objectives}"] if objectives else []),
        *([f"checks {conditions}"] if conditions else []),
    ]
