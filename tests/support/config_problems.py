"""What is wrong with a configuration, as its reader says it, for tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadgen.config import load
from loadgen.errors import ConfigError


def problems(tmp_path: Path, text: str) -> list[str]:
    """Of a file with this text, its folder left out."""
    path = tmp_path / "bench.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as error:
        load(path)
    return [problem.replace(f"{tmp_path}/", "") for problem in error.value.problems]


def problem(tmp_path: Path, text: str) -> str:
    """The only one."""
    [only] = problems(tmp_path, text)
    return only
