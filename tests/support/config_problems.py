"""The problems of a configuration, for tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadgen.config import load
from loadgen.config.loader import check
from loadgen.errors import ConfigError


def problems(tmp_path: Path, text: str) -> list[str]:
    """The sentences about a file with this text, its folder left out."""
    path = tmp_path / "bench.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as error:
        load(path)
    return [problem.replace(f"{tmp_path}/", "") for problem in error.value.problems]


def problem(tmp_path: Path, text: str) -> str:
    """The only one."""
    [only] = problems(tmp_path, text)
    return only


def found(tmp_path: Path, text: str) -> list[tuple[str, str]]:
    """The place and the key of each problem of a file with this text, `2:1: general.threads`, and its code."""
    path = tmp_path / "bench.toml"
    path.write_text(text)
    checked = check(path)
    assert not checked.unreadable
    return [
        (f"{located.where.removeprefix(f'{path}:')}: {located.words.split(': ')[0]}", located.code)
        for located in checked.problems
    ]
