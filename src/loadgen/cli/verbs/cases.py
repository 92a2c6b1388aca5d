"""Run written cases: operations with what their replies are to be, on one server or on two.

The cases are the [[case]] of a spec file; loadgen's own are for redis 7.0 and memcached 1.6. A server is asked those of
the protocol that it speaks; without SERVER, one is started for each protocol. With OTHER, both servers must give the
replies that a case expects, and answer alike where it expects nothing in particular. A case with a command that a
server does not have is counted as skipped. The cases write any keys: a server at an address must be empty.
"""

from __future__ import annotations

from loadgen.cli import specification, verification
from loadgen.cli.options import Given, Option, OptionGroup, Positional, Syntax
from loadgen.cli.options.kind import TEXT
from loadgen.cli.options.verification import ARTIFACT, RESULTS
from loadgen.cli.specification import SPEC
from loadgen.cli.verification import Job, Planned, Run
from loadgen.errors import ExitCode, UsageError
from loadgen.verify import kinds
from loadgen.verify.kinds import cases
from loadgen.verify.subject.named import SUBJECTS

SYNTAX = Syntax(
    (
        OptionGroup(
            "what is run",
            (
                Option(
                    ("-f", "--filter"),
                    "run these cases only, such as strings,zsets_zadd: whole names, or parts of them",
                    TEXT,
                    "NAMES",
                ),
                SPEC,
                ARTIFACT,
            ),
        ),
        RESULTS,
    ),
    (
        Positional("subject", "SERVER", f"the server: {SUBJECTS} (default: what is installed)"),
        Positional("beside", "OTHER", "another server, which must answer alike"),
    ),
)


def run(given: Given) -> ExitCode:
    """Run the cases, print what came of them, and return the exit code. Raises LoadgenError."""
    spec = specification.spec_of(given.spec)
    suite = cases.suite(spec)
    if not suite.kinds:
        raise UsageError(f"{spec.source} has no [[case]]; write one, or leave --spec out to run those of loadgen.")
    wanted = kinds.filtered(suite, given.filter) if given.filter is not None else suite.kinds
    options = verification.options_of(given, suite)
    # The cases have no draws: one seed is all.
    job = Job(suite, options, (Run(cases.spoken(spec, wanted, options), range(1)),), spec)
    return verification.run(given, Planned(suite.name, [job]))
