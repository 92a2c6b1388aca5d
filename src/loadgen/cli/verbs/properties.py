"""Ask a server drawn commands, and hold its replies and its state against a model and against laws.

Without --subject, redis-server (or valkey-server, or the built-in server) and memcached are started. What a server does
not have is counted as skipped. An address is asked with keys that begin with {loadgen}: only, which are removed.
"""

from __future__ import annotations

from loadgen.cli import verification
from loadgen.cli.options import Given, Option, OptionGroup, Syntax
from loadgen.cli.options.kind import TEXT
from loadgen.cli.options.verification import RESULTS, seeds
from loadgen.errors import ExitCode
from loadgen.verify import kinds
from loadgen.verify.kinds.properties import SUITE
from loadgen.verify.subject.named import SUBJECTS

SYNTAX = Syntax(
    (
        OptionGroup(
            "what is verified",
            (
                Option(("--subject",), f"the server: {SUBJECTS} (default: what is installed)", TEXT, "SERVER"),
                Option(
                    ("-f", "--filter"),
                    "run these properties only, such as incr_monotonic,ttl: whole names, or parts of them",
                    TEXT,
                    "NAMES",
                ),
            ),
        ),
        seeds(1000),
        RESULTS,
    ),
)


def run(given: Given) -> ExitCode:
    """Verify the properties, print what came of them, and return the exit code. Raises LoadgenError."""
    wanted = kinds.filtered(SUITE, given.filter) if given.filter is not None else SUITE.kinds
    return verification.campaign(given, SUITE, wanted)
