"""The command with the suite of `planted_kinds` and a verb that runs it.

python planted_command.py WORDS runs it in a process of its own.
"""

from __future__ import annotations

import sys
from types import ModuleType

import pytest
from planted_kinds import PLANTED

from loadgen.cli import main, verification
from loadgen.cli.options import Given, Option, OptionGroup, Syntax
from loadgen.cli.options.kind import TEXT, whole
from loadgen.cli.options.verification import RESULTS, seeds
from loadgen.cli.verbs import replay
from loadgen.cli.verbs import seeds as seeds_verb
from loadgen.cli.verification import Job, Planned, Run
from loadgen.errors import ExitCode
from loadgen.verify import kinds

SHIPPED = tuple(kinds.SUITES)


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the test ends, make the suite known in place of loadgen's own, and `loadgen planted` a verb."""
    for name in SHIPPED:
        monkeypatch.delitem(kinds.SUITES, name, raising=False)
    monkeypatch.setitem(kinds.SUITES, PLANTED.name, PLANTED)
    for module in (replay, seeds_verb):
        monkeypatch.setattr(module, "SYNTAX", module.syntax(kinds.SUITES))
    verb = ModuleType("loadgen.cli.verbs.planted", "Run the planted kinds.")
    own = (Option(("--ops",), "operations", whole("N", 1, 10_000)), Option(("--bug",), "the bug", TEXT, default=""))
    vars(verb)["SYNTAX"] = Syntax((seeds(100), OptionGroup("own", own), RESULTS))
    vars(verb)["run"] = _run
    monkeypatch.setitem(sys.modules, verb.__name__, verb)
    monkeypatch.setattr(main, "VERBS", [*main.VERBS, "planted"])


def _run(given: Given) -> ExitCode:
    seeds = verification.seeds_from(given.seed, given.seeds)
    job = Job(PLANTED, verification.options_of(given, PLANTED), (Run(PLANTED.kinds, seeds),))
    return verification.run(given, Planned(PLANTED.name, [job]))


if __name__ == "__main__":
    install(pytest.MonkeyPatch())
    sys.exit(main.main(sys.argv[1:]))
