"""The fixture `simulate` of pytest. A test suite has it by `pytest_plugins = ["loadgen.testing.plugin"]`.

The options `--simulate-seeds` and `--simulate-seed` say which seeds every test runs, in the place of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from loadgen.testing.simulation import simulate as run
from loadgen.verify.scenario.run import Scenario

Simulate = Callable[..., Mapping[str, int]]


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("loadgen")
    group.addoption("--simulate-seeds", type=int, metavar="N", help="the seeds of each simulated scenario")
    group.addoption("--simulate-seed", type=int, metavar="N", help="the first seed of each simulated scenario")


@pytest.fixture
def simulate(request: pytest.FixtureRequest, tmp_path: Path) -> Simulate:
    """`simulate(scenario, seeds=100)` runs a scenario, and fails the test where a seed fails.

    It takes the keywords of `loadgen.testing.simulate`. The artifact of a failure is in the test's `tmp_path`.
    """
    return partial(_simulate, request.config, tmp_path)


def _simulate(
    config: pytest.Config, folder: Path, scenario: Scenario, *, seeds: int = 100, seed: int = 0, **options: Any
) -> Mapping[str, int]:
    __tracebackhide__ = True
    chosen = config.getoption("--simulate-seeds"), config.getoption("--simulate-seed")
    seeds, seed = (default if given is None else given for given, default in zip(chosen, (seeds, seed), strict=True))
    return run(scenario, seeds=seeds, seed=seed, artifacts=folder, **options)
