"""The queue in a file of SQLite: the laws of storages."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from worlds import passes

pytest.register_assert_rewrite("storage_laws")

from storage_laws import Factory, StorageLaws  # noqa: E402

from loadgen.jobs.sqlite import Sqlite  # noqa: E402
from loadgen.jobs.url import SqliteUrl  # noqa: E402
from loadgen.verify.scenario.world import World  # noqa: E402


class TestSqlite(StorageLaws):
    @pytest.fixture
    def factory(self, tmp_path: Path) -> Factory:
        url = SqliteUrl(str(tmp_path / "jobs.db"))
        return lambda **options: Sqlite(url, "q", durability="normal", **options)


class TestSimulatedSqlite(StorageLaws):
    """The same laws in virtual time, without threads and sockets. Each run of a world has a file of its own."""

    def carry_out(self, whole: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async def scenario(world: World) -> None:
            with TemporaryDirectory() as self.folder:
                await whole()

        passes(scenario)

    @pytest.fixture
    def factory(self) -> Factory:
        return lambda **options: Sqlite(SqliteUrl(f"{self.folder}/jobs.db"), "q", durability="normal", **options)
