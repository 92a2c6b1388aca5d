"""Run the seeds of properties, simulate, chaos or fuzz on several machines, as one campaign.

VERB comes first, and its own options are those of the verb: `loadgen cloud simulate --help` lists them. Machines lease
ranges of seeds. What a lost machine has not reported is run by others, and each seed is reported once. The first
failure ends the campaign unless --keep-going is given; `loadgen replay` runs it again here. docs/SCALE.md is the guide.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from loadgen.cli import campaigns, cloud
from loadgen.cli.options import Given, Option, OptionGroup, Positional, Syntax
from loadgen.cli.options.kind import whole
from loadgen.cli.options.machines import MACHINES
from loadgen.cli.options.verification import ARTIFACT, RESULTS
from loadgen.errors import ExitCode, UsageError
from loadgen.escape import printable
from loadgen.verify.kinds import suggestion

DEFAULT = "properties"

SEEDS = OptionGroup(
    "seeds on machines",
    (
        Option(("--keep-going",), "run all seeds, also after a failure"),
        Option(("--processes",), "processes that run seeds on each machine (default: its CPUs)", whole("N", 1, 1024)),
    ),
)


def syntax_of(arguments: Sequence[str]) -> Syntax:
    """Return the syntax of a verb's seeds on machines. Raises UsageError for a verb whose seeds cannot be shared."""
    word = arguments[0] if arguments and not arguments[0].startswith("-") else DEFAULT
    if word not in campaigns.VERBS:
        raise UsageError(
            f"cloud runs the seeds of {', '.join(campaigns.VERBS)}, and {printable(word, 60)} is none of them; "
            f"{suggestion(word, campaigns.VERBS)}"
        )
    of_verb = campaigns.syntax_of(word)
    groups = (MACHINES, SEEDS, *of_verb.groups)
    if arguments[:1] != [word] and "--help" not in arguments:
        return Syntax(groups, of_verb.positionals, stray=f"VERB comes first, and {of_verb.stray}")
    verb = Positional("verb", "VERB", f"whose seeds are run: {', '.join(campaigns.VERBS)} (default: {DEFAULT})")
    return Syntax(groups, (verb, *of_verb.positionals), stray=of_verb.stray)


SYNTAX = syntax_of([DEFAULT])


def run(given: Given) -> ExitCode:
    """Run the campaign, print what came of it, and return the exit code. Raises LoadgenError."""
    return cloud.run(given, given.get("verb") or DEFAULT, [*words_of(given)])


def words_of(given: Given) -> Iterator[str]:
    """Yield the verb's own command line, as it was typed, without what becomes of results."""
    of_verb = campaigns.syntax_of(given.get("verb") or DEFAULT)
    told = [id(each) for each in of_verb.options() if each not in (*RESULTS.options, ARTIFACT)]
    for word in given.words:
        if id(word.option) in told:
            yield from [word.spelling] if word.text is None else [word.spelling, word.text]
    if positionals := [each for name in of_verb.positionals for each in given.get(name.name) or ()]:
        yield from ("--", *positionals)
