"""Run loadgen's own code, or asyncio code of yours, in simulated worlds: seeded time, network, servers and faults.

Without SCENARIO, it is the load engine on built-in servers. SCENARIO is a coroutine function that takes a world, as
`module:function` or `file.py:function`. Each seed is a world of its own, run twice; the second run must do the same as
the first. A failure is shrunk and kept, and `loadgen replay` runs it again. docs/SIMULATE.md is the guide.
"""

from __future__ import annotations

from dataclasses import replace

from loadgen.cli import specification, verification
from loadgen.cli.options import Given, Option, OptionGroup, Positional, Syntax
from loadgen.cli.options.kind import TEXT, choice
from loadgen.cli.options.verification import RESULTS, seeds
from loadgen.cli.specification import SPEC
from loadgen.cli.verification import Job, Planned, Run
from loadgen.errors import ExitCode, UsageError
from loadgen.escape import printable
from loadgen.verify import kinds
from loadgen.verify.campaign import LIMITS
from loadgen.verify.kinds import scenarios
from loadgen.verify.kinds.simulated import suite as simulated
from loadgen.verify.scenario.settings import STATES_FROM

SEEDS = 1000
ALL = "all"

SYNTAX = Syntax(
    (
        OptionGroup(
            "loadgen's own code",
            (
                Option(
                    ("--ops",),
                    f"requests of each case (default: {simulated.OPERATIONS:,})",
                    TEXT,
                    "N",
                ),
                Option(
                    ("--subject",),
                    f"whose code is simulated: {', '.join(simulated.SUBJECTS)} or {ALL} (default)",
                    choice((*simulated.SUBJECTS, ALL)),
                ),
                Option(
                    ("-f", "--filter"),
                    f"run these tests only: {', '.join(simulated.SUITE.names)}; whole names or parts of them",
                    TEXT,
                    "NAMES",
                ),
                SPEC,
            ),
        ),
        seeds(SEEDS, by_spec=True),
        RESULTS,
    ),
    (Positional("scenario", "SCENARIO", "module:function", most=None),),
)


def run(given: Given) -> ExitCode:
    """Run the cases, print what came of them, and return the exit code. Raises LoadgenError."""
    return verification.run(given, planned(given))


def planned(given: Given) -> Planned:
    """Return the campaign that the options ask for. Raises UsageError or ConfigError."""
    if given.spec is not None and not given.scenario:
        return _by_spec(given)
    seeds = verification.seeds_from(given.seed, given.seeds or SEEDS)
    suite, options, names, judges_states = _scenarios(given) if given.scenario else _own(given)
    job = Job(suite, options, (Run(names, seeds),))
    return Planned(suite.name, [job], replace(LIMITS, judges_states=judges_states))


def _by_spec(given: Given) -> Planned:
    """Return the campaign of a spec file's simulation. States are not judged: bounds keep cases from some of them."""
    suite, spec = simulated.SUITE, specification.spec_of(given.spec)
    config = spec.simulation.default_config
    seeds = verification.seeds_from(given.seed, given.seeds or config.get("seeds", SEEDS))
    options = verification.options_of(
        given, suite, {"ops": str(config.get("operations_per_seed", simulated.OPERATIONS))}
    )
    subject = ALL if given.subject is None else given.subject
    wanted = suite.kinds if subject == ALL else simulated.of_subject(subject)
    jobs = specification.simulation(spec, options, seeds, wanted, given.filter)
    return Planned(suite.name, jobs, replace(LIMITS, judges_states=False))


_What = tuple[kinds.Suite, dict[str, str], tuple[str, ...], bool]
"""A suite, its options, the names of the kinds to run, and whether their states must be reached."""


def _own(given: Given) -> _What:
    suite = simulated.SUITE
    options = verification.options_of(given, suite)
    names = suite.kinds if given.filter is None else kinds.filtered(suite, given.filter)
    subject = ALL if given.subject is None else given.subject
    if subject != ALL:
        of_subject = simulated.of_subject(subject)
        names = tuple(name for name in names if name in of_subject)
        if not names:
            raise UsageError(f"the filter names no test of {subject}; {kinds.suggestion('', of_subject)}")
    # Some states are reached by some kinds only.
    judges_states = given.filter is None and simulated.judges_states(given.seeds or SEEDS, options["ops"])
    return suite, options, names, judges_states


def _scenarios(given: Given) -> _What:
    for option in ("ops", "subject", "filter", "spec"):
        if given.get(option) is not None:
            raise UsageError(f"--{option} is for loadgen's own code: leave it out, or leave out the scenario.")
    for word in given.scenario:
        if not scenarios.is_scenario(word):
            raise UsageError(f'"{printable(word)}" names no scenario; write module:function, or file.py:function.')
    suite = scenarios.suite([*dict.fromkeys(given.scenario)])
    return suite, {}, suite.kinds, (given.seeds or SEEDS) >= STATES_FROM
