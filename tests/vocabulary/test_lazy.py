"""Packages whose names are imported on first use."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from loadgen import config, output


@pytest.mark.parametrize("package", [config, output])
def test_every_name_that_a_package_offers_is_there(package: ModuleType) -> None:
    assert [name for name in package.__all__ if not hasattr(package, name)] == []


def test_a_name_that_there_is_not_is_said_as_by_any_module() -> None:
    with pytest.raises(AttributeError, match=r"module 'loadgen\.config' has no attribute 'lode'"):
        config.lode  # noqa: B018


def test_a_function_is_not_hidden_by_a_module_that_was_imported_before() -> None:
    """A submodule of the same name would stand in its place."""
    for package in (config, output):
        modules = {path.stem for folder in package.__path__ for path in Path(folder).iterdir()}
        assert not modules & {*package.__all__}


def test_the_package_of_configurations_brings_no_pydantic_of_itself() -> None:
    asks = "import sys, loadgen.config.presets; print('pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", asks], capture_output=True, text=True, check=True).stdout == "False\n"
