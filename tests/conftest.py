"""Settings that every test shares.

A randomised test must fail the same way twice: Hypothesis prints how to replay a failure, and under CI its examples are
the same in every run. Finding new ones is the work of `make fuzz`, and of every run that is not CI's.
"""

import os

import pytest
from hypothesis import settings
from quiet import Laws

# No deadline: no test asserts how long anything takes.
settings.register_profile("here", deadline=None, print_blob=True)
settings.register_profile("ci", settings.get_profile("here"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Laws(), "laws")
