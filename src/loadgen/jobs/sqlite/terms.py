"""The terms of a job as a text: what the column `terms` has."""

from __future__ import annotations

from functools import lru_cache

from loadgen.jobs.backoff import Backoff, Growth
from loadgen.jobs.job import Terms

_USUAL = Terms()


@lru_cache(maxsize=256)
def text(terms: Terms) -> str:
    """Return terms as a text, which is empty for those that most jobs have."""
    if terms == _USUAL:
        return ""
    backoff = terms.backoff
    return (
        f"{terms.max_attempts} {terms.timeout_ns} {backoff.growth} {backoff.initial_ns} {backoff.longest_ns} "
        f"{backoff.jitter!r}"
    )


@lru_cache(maxsize=256)
def parse(written: str) -> Terms:
    """Return the terms of a text that `text` made."""
    if not written:
        return _USUAL
    attempts, timeout_ns, growth, initial_ns, longest_ns, jitter = written.split(" ")
    backoff = Backoff(Growth(growth), int(initial_ns), int(longest_ns), float(jitter))
    return Terms(int(attempts), int(timeout_ns), backoff)
