"""A file that is replaced is whole, the old one or the new one, whatever happens meanwhile."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from loadgen.verify import whole_file


def test_a_file_is_replaced_and_its_permissions_are_kept(tmp_path: Path) -> None:
    (tmp_path / "bank").write_text("old")
    (tmp_path / "bank").chmod(0o600)
    (tmp_path / "link").symlink_to("bank")
    whole_file.write(tmp_path / "link", "new")
    assert (tmp_path / "bank").read_text() == "new"
    assert (tmp_path / "bank").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "link").is_symlink()


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "bank").write_text("old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    # A limit on a file's size ends a write as a full disk does.
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            whole_file.write(tmp_path / "bank", "x" * 5000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [each.name for each in tmp_path.iterdir()] == ["bank"]
    assert (tmp_path / "bank").read_text() == "old"
