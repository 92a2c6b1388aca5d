"""Faults that judge a server, from the words of `loadgen chaos`: a campaign that looks for acknowledged writes."""

from __future__ import annotations

from loadgen.cli import specification, verification
from loadgen.cli.options import Given
from loadgen.cli.trials import names_of
from loadgen.cli.verification import Planned
from loadgen.errors import UsageError
from loadgen.verify.kinds.chaos import SUITE, kinds_of
from loadgen.verify.spec import Spec

SEEDS = 100
"""The number of seeds where none is given."""

_OF_CLIENTS = frozenset(
    (
        *("quick", "duration", "loop", "set", "workload", "concurrency", "protocol"),
        *("nodes", "endpoints", "toxiproxy", "tui", "history"),
    )
)
_OF_SERVERS = frozenset(("server", "operations", "expect", "artifacts", "spec"))


def planned(given: Given, faults: str, spec: Spec) -> Planned:
    """Return the campaign that the options ask for. Raises UsageError."""
    for word in given.words:
        if word.option.name in _OF_CLIENTS:
            raise UsageError(
                f"{word.spelling} is for a client on trial, and these --faults judge a server: leave it out, or name a "
                "client by --client."
            )
    wanted = [*dict.fromkeys(kind for name in names_of(faults) for kind in kinds_of(name))]
    seeds = verification.seeds_from(given.seed or 0, given.seeds or spec.seeds(SUITE.name, SEEDS))
    jobs = specification.chaos(spec, verification.options_of(given, SUITE), seeds, wanted)
    return Planned(SUITE.name, jobs)


def refuse_options(given: Given) -> None:
    """Raise UsageError for an option that a client on trial does not have."""
    for word in given.words:
        if word.option.name in _OF_SERVERS:
            raise UsageError(
                f"{word.spelling} is for faults that judge a server: name some by --faults, such as power_cut, and no "
                "client."
            )
