"""Ask two servers the same drawn commands, and report the first reply of each case in which they differ.

A is the reference, whose replies are right, and B the subject. With --redis HOST:PORT alone, that server is the
reference, and the built-in server the subject. Servers that are started: redis, valkey, memcached, builtin; in this
process: model, fakeredis. A group of commands that one of the two does not have is counted as skipped. An address is
asked with keys that begin with {loadgen}: only, which are removed.
"""

from __future__ import annotations

from loadgen.cli import specification, verification
from loadgen.cli.options import Given, Option, OptionGroup, Positional, Syntax
from loadgen.cli.options.kind import TEXT, whole
from loadgen.cli.options.verification import ARTIFACT, KNOWN_DEFECTS, RESULTS, SEED
from loadgen.cli.specification import SPEC
from loadgen.cli.verification import Planned
from loadgen.errors import ExitCode, UsageError
from loadgen.verify.kinds.oracle import OPERATIONS, SUITE
from loadgen.verify.subject.named import SUBJECTS

SYNTAX = Syntax(
    (
        OptionGroup(
            "which servers",
            (
                Option(("--redis",), f"the reference: {SUBJECTS}; the same as A", TEXT, "SERVER"),
                Option(("--subject",), "the subject: the same as B (default: builtin)", TEXT, "SERVER"),
                Option(
                    ("-f", "--filter"),
                    "compare these groups of commands only, such as strings,lists: whole names, or parts of them",
                    TEXT,
                    "GROUPS",
                ),
                Option(("--commands",), "draw these commands only, such as SET,GET,APPEND", TEXT, "COMMANDS"),
                KNOWN_DEFECTS,
                SPEC,
            ),
        ),
        OptionGroup(
            "how much",
            (
                Option(
                    ("--ops",),
                    f"operations on each server, over all groups, rounded up to whole cases of {OPERATIONS} in "
                    "each group (default: the cases of the spec file, 1,000 operations in all)",
                    whole("N", 1, 1_000_000_000),
                ),
                Option(("--seed",), "the first seed (default: 0)", SEED, default=0),
                ARTIFACT,
            ),
        ),
        RESULTS,
    ),
    (
        Positional("reference", "A", "the server whose replies are right"),
        Positional("other", "B", "the server that is compared with it"),
    ),
)


def run(given: Given) -> ExitCode:
    """Compare the servers, print what came of it, and return the exit code. Raises LoadgenError."""
    spec = specification.spec_of(given.spec)
    options = verification.options_of(given, SUITE, {"redis": spec.oracle.reference or SUITE.options["redis"]})
    for name, position, flag in (("redis", "reference", "--redis"), ("subject", "other", "--subject")):
        first, second = given.get(position), given.get(name)
        if first is not None and second is not None:
            raise UsageError(f"{flag} and a word without a flag both name the same server: keep one of them.")
        options[name] = first or second or options[name]
    jobs = specification.groups(spec, options, given.seed, given.filter, given.ops)
    return verification.run(given, Planned(SUITE.name, jobs))
