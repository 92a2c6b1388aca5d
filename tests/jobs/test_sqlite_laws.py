"""The queue in a file of SQLite: the laws of storages."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.register_assert_rewrite("storage_laws")

from storage_laws import Factory, StorageLaws  # noqa: E402

from loadgen.jobs.sqlite import Sqlite  # noqa: E402
from loadgen.jobs.url import SqliteUrl  # noqa: E402


class TestSqlite(StorageLaws):
    @pytest.fixture
    def factory(self, tmp_path: Path) -> Factory:
        url = SqliteUrl(str(tmp_path / "jobs.db"))
        return lambda **options: Sqlite(url, "q", durability="normal", **options)
