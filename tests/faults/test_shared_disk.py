"""A disk that processes share: at a power cut it has what was synced, and a full one takes no more."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from loadgen.faults.disk.files import put_back
from loadgen.faults.disk.notes import Overwritten
from loadgen.faults.disk.shared import Lost, SharedDisk, files_of_sqlite
from loadgen.faults.interpreter import FaultError

# Executes each line that it is given, and says that it has.
CHILD = """
import os, sys
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o644)
for line in sys.stdin:
    exec(line)
    print("done", flush=True)
"""

TRY = """exec("try:\\n {0}\\n failed = 0\\nexcept OSError as error:\\n failed = error.errno")"""


class Powered:
    """A process on the disk, with a file open as `fd`."""

    def __init__(self, disk: SharedDisk, file: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-c", CHILD, str(file)],
            env=os.environ | disk.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def do(self, *lines: str) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        for line in lines:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
            assert self._process.stdout.readline() == "done\n"

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "file"


@pytest.fixture
def disk(tmp_path: Path) -> SharedDisk:
    return SharedDisk(tmp_path)


@pytest.fixture
def powered(disk: SharedDisk, file: Path) -> Iterator[Powered]:
    process = Powered(disk, file)
    yield process
    process.kill()


def test_a_cut_takes_what_was_appended_and_written_over_since_the_last_sync(
    disk: SharedDisk, file: Path, powered: Powered
) -> None:
    powered.do(
        "os.write(fd, b'0123456789')",
        "os.fsync(fd)",
        "os.pwrite(fd, b'AB', 2)",
        "os.fdatasync(fd)",
        "os.pwrite(fd, b'xyz', 3)",
        "os.lseek(fd, 5, 0), os.write(fd, b'vvvvvvvvv')",
    )
    powered.kill()
    assert file.read_bytes() == b"01Axyvvvvvvvvv"
    assert disk.cut([file, file.with_name("missing")]) == Lost(files=1, appended_bytes=4, overwrites=2)
    assert file.read_bytes() == b"01AB456789"


def test_a_sync_of_one_process_makes_the_writes_of_another_durable(
    disk: SharedDisk, file: Path, powered: Powered
) -> None:
    other = Powered(disk, file)
    powered.do("os.write(fd, b'0123456789')", "os.fsync(fd)", "os.pwrite(fd, b'A', 0)")
    other.do("os.fsync(fd)", "os.pwrite(fd, b'B', 1)")
    powered.do("os.pwrite(fd, b'C', 2)")
    other.kill()
    powered.kill()
    assert disk.cut([file]).overwrites == 2
    assert file.read_bytes() == b"A123456789"


def test_the_undo_log_is_emptied_when_all_files_are_synced(
    disk: SharedDisk, file: Path, powered: Powered, tmp_path: Path
) -> None:
    log = Path(disk.env["LOADGEN_UNDO"])
    powered.do("os.write(fd, bytes(10))", "os.fsync(fd)", f"second = os.open({str(tmp_path / 'two')!r}, 0o102)")
    powered.do(
        "os.write(second, bytes(10))", "os.fsync(second)", "os.pwrite(second, b'x', 0)", "os.pwrite(fd, b'x', 0)"
    )
    powered.do("os.fsync(fd)")
    assert log.stat().st_size > 0
    powered.do("os.fsync(second)")
    assert log.stat().st_size == 0


def test_processes_that_are_started_again_have_the_cut_files_as_synced_ones(
    disk: SharedDisk, file: Path, powered: Powered
) -> None:
    powered.do("os.write(fd, b'kept')", "os.fsync(fd)", "os.write(fd, b'lost')")
    powered.kill()
    disk.cut([file])
    again = Powered(disk, file)
    again.do("os.pwrite(fd, b'K', 0)")
    again.kill()
    assert disk.cut([file]) == Lost(files=1, appended_bytes=0, overwrites=1)
    assert file.read_bytes() == b"kept"


def test_a_file_on_a_full_disk_does_not_grow_and_others_do(
    disk: SharedDisk, file: Path, powered: Powered, tmp_path: Path
) -> None:
    powered.do("os.write(fd, b'0123456789')", f"second = os.open({str(tmp_path / 'two')!r}, 0o102)")
    powered.do("os.write(second, b'x')")
    disk.fill([file, tmp_path / "missing"])
    powered.do("os.pwrite(fd, b'AB', 8)", "os.write(second, b'y')")
    powered.do(TRY.format("os.pwrite(fd, b'CDE', 8)"), "assert failed == 28")
    powered.do(TRY.format("os.write(fd, b'F')"), "assert failed == 28")
    assert file.read_bytes() == b"01234567AB"
    assert (tmp_path / "two").read_bytes() == b"xy"
    assert disk.refused == 2
    disk.free()
    powered.do("os.write(fd, b'F')")
    assert file.read_bytes() == b"01234567ABF"


def test_by_chance_any_of_the_writes_that_were_not_synced_is_there(tmp_path: Path) -> None:
    found = set()
    for seed in range(40):
        path = tmp_path / f"{seed}"
        path.write_bytes(b"xyz")
        status = path.stat()
        writes = [Overwritten((status.st_dev, status.st_ino), at, b"-") for at in range(3)]
        undone = put_back([path], writes, random.Random(seed))
        assert path.read_bytes().count(b"-") == undone
        found.add(path.read_bytes())
    assert len(found) == 8


def test_a_cut_that_cannot_have_an_effect_is_refused(disk: SharedDisk, file: Path) -> None:
    with pytest.raises(FaultError, match="could not be read"):
        disk.cut([file])
    subprocess.run([sys.executable, "-S", "-c", ""], env=os.environ | disk.env, check=True)
    with pytest.raises(FaultError, match="to none of the files"):
        disk.fill([file])
    with pytest.raises(FaultError, match="written nothing"):
        disk.cut([file])


def test_the_files_of_a_database_are_its_own_and_its_logs(tmp_path: Path) -> None:
    names = [path.name for path in files_of_sqlite(tmp_path / "jobs.db")]
    assert names == ["jobs.db", "jobs.db-wal", "jobs.db-shm", "jobs.db-journal"]
