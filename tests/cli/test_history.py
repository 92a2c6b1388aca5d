"""Where a history is refused, and the warning where it would call values unwritten that were there before."""

from __future__ import annotations

from pathlib import Path

import pytest
from in_process import invoked

from loadgen.config import Config, load
from loadgen.errors import ConfigError


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "-p", "1", "-t", "set,get"), "-t runs tests one after another, and a history is of one load"),
        (
            ("smoke", "-p", "1"),
            "by loadgen run, saturate, compare and chaos, and a smoke test keeps none",
        ),
        (("compare", "127.0.0.1:1", "127.0.0.1:1"), "127.0.0.1:1 and 127.0.0.1:1 (2) are the same running server"),
        (("run", "-p", "1", "-d", "15"), "must be at least 16 with a history"),
        (("run", "-p", "1", "--protocol", "ping"), 'is of values under keys, and the protocol "ping" has none'),
    ],
)
def test_a_history_that_cannot_be_kept_is_refused(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    finished = invoked(*words, "--set", f'workload.history="{tmp_path / "history"}"')
    assert finished.status == 2
    assert said in " ".join(finished.stderr.split())
    assert not (tmp_path / "history").exists()


def test_a_comparison_overwrites_no_histories_and_no_file(tmp_path: Path) -> None:
    (tmp_path / "of").mkdir()
    (tmp_path / "of" / "1-a-round-01.lghist").touch()
    (tmp_path / "file").touch()
    for folder, status, said in (("of", 2, "has histories already"), ("file", 3, "there is a file of this name")):
        done = invoked("compare", "127.0.0.1:1", "127.0.0.1:2", "--history", str(tmp_path / folder))
        assert done.status == status
        assert said in " ".join(done.stderr.split())


def configured(tmp_path: Path, *lines: str) -> Config:
    path = tmp_path / "bench.toml"
    path.write_text("\n".join(["[workload]", 'history = "run.lghist"', *lines]))
    return load(path)


def test_a_history_without_a_prefill_is_warned_of(tmp_path: Path) -> None:
    assert any("one that nobody wrote" in warning for warning in configured(tmp_path).warnings)
    assert not configured(tmp_path, "prefill = true").warnings


def test_a_share_of_no_keys_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="history_keys"):
        configured(tmp_path, "history_keys = 0")
