"""Ask a server drawn commands, and hold its replies and its state against a model and against laws.

Without --subject, redis-server (or valkey-server, or the built-in server) and memcached are started. What a server does
not have is counted as skipped. An address is asked with keys that begin with {loadgen}: only, which are removed.
"""

from __future__ import annotations

from loadgen.cli import specification, verification
from loadgen.cli.options import Given, Option, OptionGroup, Syntax
from loadgen.cli.options.kind import TEXT
from loadgen.cli.options.verification import KNOWN_DEFECTS, RESULTS, seeds
from loadgen.cli.specification import SPEC
from loadgen.cli.verification import Planned
from loadgen.errors import ExitCode
from loadgen.verify.kinds.properties import SUITE
from loadgen.verify.subject.named import SUBJECTS

SEEDS = 1000

SYNTAX = Syntax(
    (
        OptionGroup(
            "what is verified",
            (
                Option(("--subject",), f"the server: {SUBJECTS} (default: what is installed)", TEXT, "SERVER"),
                Option(
                    ("-f", "--filter"),
                    "run these properties only, such as incr_monotonic,ttl: whole names, parts of them, or categories "
                    "(data_integrity, persistence, expiration)",
                    TEXT,
                    "NAMES",
                ),
                Option(("--commands",), "draw these commands only, such as SET,GET,APPEND", TEXT, "COMMANDS"),
                KNOWN_DEFECTS,
                SPEC,
            ),
        ),
        seeds(SEEDS, by_spec=True),
        RESULTS,
    ),
    stray="a server is named by --subject",
)


def run(given: Given) -> ExitCode:
    """Verify the properties, print what came of them, and return the exit code. Raises LoadgenError."""
    return verification.run(given, planned(given))


def planned(given: Given) -> Planned:
    """Return the campaign that the options ask for. Raises UsageError or ConfigError."""
    spec = specification.spec_of(given.spec)
    seeds = verification.seeds_from(given.seed, given.seeds or spec.seeds(SUITE.name, SEEDS))
    options = verification.options_of(given, SUITE)
    jobs = specification.properties(spec, options, seeds, given.filter)
    return Planned(SUITE.name, jobs)
