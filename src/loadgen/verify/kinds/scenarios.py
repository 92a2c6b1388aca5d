"""Users' scenarios as kinds: `loadgen simulate module:function` runs a coroutine function of theirs from seeds.

A kind is named as its scenario is, so that a seed, an artifact or a line of a seed bank finds the function again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence

from loadgen.verify.kinds.suite import Emit, Opened, Suite
from loadgen.verify.scenario.loading import loaded
from loadgen.verify.scenario.run import ScenarioKind, settled
from loadgen.verify.world.seal import sealed

NAME = "simulate"


def is_scenario(word: str) -> bool:
    """True when a word is the name of a scenario, as no other kind's is."""
    return ":" in word


@contextlib.contextmanager
def _opened(kinds: Sequence[str], options: Mapping[str, str], emit: Emit) -> Iterator[Opened]:
    made = [ScenarioKind(name, loaded(name)) for name in kinds]
    with sealed():
        for kind in made:
            kind.warm_up()
        with settled():
            yield Opened(made, "a simulated world")


def suite(names: Sequence[str] = ()) -> Suite:
    """Return the suite of some scenarios, by name."""
    return Suite(NAME, tuple(names), _opened)
