"""Give mutated inputs to parsers and servers, and look for crashes, hangs, lost memory and wrong answers.

A seed is one input. Inputs are made of a corpus that comes with loadgen, changed in structure and in bytes. Parsers are
given them whole and cut at every place, in a process of their own. An input that fails is made smaller, and is found
again by its seed: --seed N begins with that input.

query_parser is the language of checks: loadgen has no search module.
"""

from __future__ import annotations

from dataclasses import replace

from loadgen import output
from loadgen.cli import verification
from loadgen.cli.options import Given, Option, OptionGroup, Syntax
from loadgen.cli.options.kind import TEXT, TIME_NS, whole
from loadgen.cli.options.verification import ARTIFACT, RESULTS, SEED
from loadgen.cli.verification import Job, Planned, Run
from loadgen.errors import ExitCode, UsageError
from loadgen.escape import printable
from loadgen.units import NS_PER_S
from loadgen.verify.campaign import LIMITS
from loadgen.verify.kinds import suggestion
from loadgen.verify.kinds.fuzz import OF_SERVERS, PREFIX, SUBJECTS, SUITE
from loadgen.verify.tape import MOST

TARGETS = tuple(kind.removeprefix(PREFIX) for kind in SUITE.kinds)

DURATION_S = 60

_MOST_SEEDS = 1 << 62
"""More than there is time for."""

SYNTAX = Syntax(
    (
        OptionGroup(
            "what is given inputs",
            (
                Option(
                    ("-t", "--target"),
                    f"the targets, such as resp_parser,config: {', '.join(TARGETS)} (default: all)",
                    TEXT,
                    "NAMES",
                ),
                Option(
                    ("--subject",),
                    f"the server of {' and '.join(OF_SERVERS)}, which is started: {SUBJECTS} (default: what "
                    "is installed)",
                    TEXT,
                    "SERVER",
                ),
            ),
        ),
        OptionGroup(
            "which inputs, and how many",
            (
                Option(
                    ("-d", "--duration"),
                    f"how long, in seconds or with a unit (default: {DURATION_S}s)",
                    TIME_NS,
                ),
                Option(("-s", "--seeds"), "number of seeds, in place of a duration", whole("N", 1, 1_000_000_000)),
                Option(("--seed",), "the first seed (default: 0)", SEED, default=0),
                ARTIFACT,
            ),
        ),
        RESULTS,
    ),
    stray="targets are named by --target, and a server by --subject",
)


def run(given: Given) -> ExitCode:
    """Fuzz the targets, print what came of it, and return the exit code. Raises LoadgenError."""
    return verification.run(given, planned(given))


def planned(given: Given) -> Planned:
    """Return the campaign that the options ask for. Raises UsageError."""
    if given.duration is not None and given.seeds is not None:
        raise UsageError("--duration and --seeds both say when to end: keep one of them.")
    kinds = _kinds(given.target) if given.target is not None else SUITE.kinds
    if PREFIX + "query_parser" in kinds:
        output.remark("note: query_parser is the language of checks; loadgen has no search module")
    count = min(_MOST_SEEDS, MOST - given.seed) if given.seeds is None else given.seeds
    seeds = verification.seeds_from(given.seed, count)
    duration_ns = 0 if given.seeds is not None else given.duration or DURATION_S * NS_PER_S
    job = Job(SUITE, verification.options_of(given, SUITE), (Run(kinds, seeds),))
    return Planned(SUITE.name, [job], replace(LIMITS, duration_ns=duration_ns))


def _kinds(words: str) -> tuple[str, ...]:
    """Return the kinds of targets that are named, each once. Raises UsageError for an unknown one."""
    found = []
    for word in filter(None, (part.strip() for part in words.split(","))):
        if (name := word.lower().replace("-", "_")) not in TARGETS:
            raise UsageError(f'there is no target "{printable(word, 60)}"; {suggestion(word, TARGETS)}')
        found.append(PREFIX + name)
    if not found:
        raise UsageError(f"--target names no target; {suggestion('', TARGETS)}")
    return tuple(dict.fromkeys(found))
