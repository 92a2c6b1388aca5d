"""Settings that every test shares.

A randomised test must fail the same way twice: Hypothesis prints how to replay a failure, and under CI its examples are
the same in every run. Finding new ones is the work of `make fuzz`, and of every run that is not CI's.
"""

import functools
import gc
import os
import re
import signal
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from quiet import Laws

# No deadline: no test asserts how long anything takes.
settings.register_profile("here", deadline=None, print_blob=True)
settings.register_profile("ci", settings.get_profile("here"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")

# The words by which a module can give a mark to one of its tests.
WORDS = {"timing": ("timing", "law_of_time"), "law": ("law",)}


# Under nohup, SIGHUP is ignored by all children, and commands that are tested would rightly ignore it, too.
signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Laws(), "laws")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collects without the garbage collector, which would visit thousands of tests again and again and free none."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """A run of the tests with one mark imports only the modules that can have any: importing all takes seconds."""
    asked = re.fullmatch(r"(\w+)( and not \w+)*", config.option.markexpr)
    if asked is None or asked[1] not in WORDS or not collection_path.match("test_*.py"):
        return None
    return True if not names(collection_path, asked[1]) else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A mark whose name is not in the test's module would be left out by a run of that mark."""
    for item in items:
        for mark in WORDS:
            if item.get_closest_marker(mark) and not names(item.path, mark):
                raise pytest.UsageError(f"{item.nodeid} is marked {mark}, and its module does not name that mark")


@functools.cache
def names(module: Path, mark: str) -> bool:
    text = module.read_text(encoding="utf-8")
    return any(word in text for word in WORDS[mark])


@pytest.fixture(autouse=True, scope="session")
def _own_state_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Commands read and write what is known of this machine in a folder of the test run, not in the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield
