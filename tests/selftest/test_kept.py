"""The file of a self-test: what is kept in it, and what is read from a broken one."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from loadgen.host import machine
from loadgen.selftest.reach import FILE, Reach, SelfTest, keep, kept

TEST = SelfTest("1", machine.fingerprint(), "2026-01-01T00:00:00Z", (Reach(1, 2.0, False, 1.0),), 10, 20)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert keep(TEST)
    return tmp_path / "loadgen" / FILE


def test_what_was_kept_is_found_by_the_same_version(file: Path) -> None:
    assert kept("1") == TEST
    assert kept("2") is None


def reach(**changed: Any) -> dict[str, Any]:
    return {"reaches": [asdict(TEST.reaches[0]) | changed]}


@pytest.mark.parametrize(
    "changed",
    [reach(depth=None), reach(closed_per_s=None), reach(open_per_s="1"), {"floor_p50_ns": "x"}, {"taken": 1}],
)
def test_a_file_with_something_else_in_it_is_none(file: Path, changed: dict[str, Any]) -> None:
    file.write_text(json.dumps(asdict(TEST) | changed))
    assert kept("1") is None


@pytest.mark.parametrize("text", ["", "null", "[1]", "{}", "[" * 100_000])
def test_a_file_that_is_no_self_test_at_all_is_none(file: Path, text: str) -> None:
    file.write_text(text)
    assert kept("1") is None
