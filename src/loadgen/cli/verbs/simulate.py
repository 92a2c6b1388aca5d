"""Run asyncio code of yours in simulated worlds: seeded time, network, servers and faults.

SCENARIO is a coroutine function that takes a world, as `module:function` or `file.py:function`. Each seed is a world of
its own, run twice; the second run must do the same as the first. A failure is shrunk and kept, and `loadgen replay`
runs it again. docs/SIMULATE.md is the guide.
"""

from __future__ import annotations

from dataclasses import replace

from loadgen.cli import verification
from loadgen.cli.options import Given, Positional, Syntax
from loadgen.cli.options.verification import RESULTS, seeds
from loadgen.cli.verification import Job, Run
from loadgen.errors import ExitCode, UsageError
from loadgen.escape import printable
from loadgen.verify.campaign import LIMITS
from loadgen.verify.kinds import scenarios
from loadgen.verify.scenario.settings import STATES_FROM

SEEDS = 1000

SYNTAX = Syntax((seeds(SEEDS), RESULTS), (Positional("scenario", "SCENARIO", "module:function", least=1, most=None),))


def run(given: Given) -> ExitCode:
    """Run the scenarios, print what came of them, and return the exit code. Raises LoadgenError."""
    for word in given.scenario:
        if not scenarios.is_scenario(word):
            raise UsageError(f'"{printable(word)}" names no scenario; write module:function, or file.py:function.')
    suite = scenarios.suite([*dict.fromkeys(given.scenario)])
    job = Job(suite, {}, (Run(suite.kinds, range(given.seed, given.seed + given.seeds)),))
    limits = replace(LIMITS, judges_states=given.seeds >= STATES_FROM)
    return verification.run(given, suite.name, [job], limits)
