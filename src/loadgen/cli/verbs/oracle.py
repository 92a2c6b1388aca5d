"""Ask two servers the same drawn commands, and report the first reply of each case in which they differ.

A is the reference, whose replies are right, and B the subject. With --redis HOST:PORT alone, that server is the
reference, and the built-in server the subject. Servers that are started: redis, valkey, memcached, builtin; in this
process: model, fakeredis. A group of commands that one of the two does not have is counted as skipped. An address is
asked with keys that begin with {loadgen}: only, which are removed.
"""

from __future__ import annotations

from loadgen import output
from loadgen.cli import verification
from loadgen.cli.options import Given, Option, OptionGroup, Positional, Syntax
from loadgen.cli.options.kind import TEXT, whole
from loadgen.cli.options.verification import ARTIFACT, RESULTS, SEED
from loadgen.cli.verification import Job, Run
from loadgen.errors import ExitCode, UsageError
from loadgen.verify import kinds
from loadgen.verify.campaign import Campaign
from loadgen.verify.kinds import Opened
from loadgen.verify.kinds.oracle import OPERATIONS, SUITE, OracleKind, spoken
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
            ),
        ),
        OptionGroup(
            "how much",
            (
                Option(
                    ("--ops",),
                    f"operations on each server, over all groups; a case has {OPERATIONS} (default: 1,000)",
                    whole("N", 1, 1_000_000_000),
                    default=1000,
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
    options = dict(SUITE.options)
    for name, position, flag in (("redis", "reference", "--redis"), ("subject", "other", "--subject")):
        first, second = given.get(position), given.get(name)
        if first is not None and second is not None:
            raise UsageError(f"{flag} and a word without a flag both name the same server: keep one of them.")
        options[name] = first or second or options[name]
    wanted = spoken(kinds.filtered(SUITE, given.filter) if given.filter is not None else SUITE.kinds, options)
    seeds = -(-given.ops // (OPERATIONS * len(wanted)))
    job = Job(SUITE, options, (Run(wanted, range(given.seed, given.seed + seeds)),))
    return verification.run(given, SUITE.name, [job], act=_compare)


def _compare(leader: Campaign, job: Job, opened: Opened) -> None:
    """Run the cases, after a remark on the commands that cannot be compared."""
    for kind in opened.kinds:
        if isinstance(kind, OracleKind) and (words := kind.not_compared()):
            output.remark(f"note: {words}")
    [run] = job.runs
    leader.run(verification.batch(job, opened, opened.kinds, run.seeds))
