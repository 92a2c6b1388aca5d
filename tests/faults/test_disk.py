"""Faults of the disk layer on a real redis-server: counted, seen by a client, and over after their end."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest
from kernel_faults import MEMCACHED, REDIS, answers_again, fault, server_for
from real_servers import ask as ask_loopback

from loadgen.faults.disk import DiskFaults, files
from loadgen.faults.disk.crash import PowerCut
from loadgen.faults.disk.notes import Notes, Number
from loadgen.faults.interpreter import FaultError
from loadgen.faults.surroundings import surroundings_for
from loadgen.server_plan import ServerPlan
from loadgen.target.server import ManagedServer

MS = 1_000_000


def redis(fsync: str) -> ServerPlan:
    return replace(REDIS, command=(*REDIS.command[:-1], fsync))


def ask(server: ManagedServer, *words: str) -> bytes:
    """The first line of the answer to one command."""
    return ask_loopback(server.port, " ".join(words).encode() + b"\r\n", b"\r\n").split(b"\r\n")[0]


@pytest.fixture(scope="module")
def everysec():
    with server_for(["slow_fsync", "io_error", "read_only"], redis("everysec")) as server:
        yield server


@pytest.fixture
def always():
    with server_for(["slow_fsync"], redis("always")) as server:
        yield server


def test_a_slow_fsync_delays_the_answer_to_a_write_and_not_to_a_read(always: ManagedServer):
    faults, slow = DiskFaults([always]), fault("slow_fsync", delay=50 * MS)
    faults.begin(slow, 1)
    began = time.monotonic()
    assert ask(always, "SET", "key", "1") == b"+OK"
    took_s = time.monotonic() - began
    faults.end(slow, 1)
    assert took_s >= 0.05
    assert faults.effects(slow, 1) == 1
    assert ask(always, "SET", "key", "2") == b"+OK"
    assert faults.effects(slow, 1) == 1


def test_a_disk_that_is_read_only_refuses_writes_until_the_end(everysec: ManagedServer):
    faults, closed = DiskFaults([everysec]), fault("read_only")
    faults.begin(closed, 1)
    assert ask(everysec, "SET", "key", "1") == b"+OK"
    assert comes_true(lambda: b"Read-only file system" in ask(everysec, "SET", "key", "1"))
    faults.end(closed, 1)
    assert faults.effects(closed, 1) >= 1
    assert comes_true(lambda: ask(everysec, "SET", "key", "2") == b"+OK")


def test_a_share_of_calls_fails_with_an_io_error(everysec: ManagedServer):
    faults, broken = DiskFaults([everysec]), fault("io_error", probability=1.0)
    faults.begin(broken, 1)
    assert comes_true(lambda: b"Input/output error" in ask(everysec, "SET", "key", "1"))
    faults.end(broken, 1)
    assert faults.effects(broken, 1) >= 1
    assert comes_true(lambda: ask(everysec, "SET", "key", "2") == b"+OK")


def comes_true(condition: object, timeout_s: float = 10) -> bool:
    """Looks until it does."""
    deadline = time.monotonic() + timeout_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def test_a_full_disk_refuses_writes_until_the_end():
    with server_for(["disk_full"], redis("everysec")) as server:
        faults, full = DiskFaults([server]), fault("disk_full")
        faults.begin(full, 1)
        # What the last page of the file has room for is still written.
        assert comes_true(lambda: b"No space left on device" in ask(server, "SET", "key", "x" * 8_192))
        assert os.statvfs(server.data).f_bfree == 0
        faults.end(full, 1)
        assert faults.effects(full, 1) >= 1
        assert comes_true(lambda: ask(server, "SET", "key", "2") == b"+OK")


@pytest.mark.parametrize(("fsync", "survives"), [("always", True), ("no", False)])
def test_a_power_cut_loses_what_was_not_synced_and_nothing_else(fsync: str, survives: bool):
    with server_for(["power_cut"], redis(fsync)) as server:
        assert ask(server, "SET", "key", "1") == b"+OK"
        cut = PowerCut(server, fault("power_cut"))
        assert cut.effects() >= 1
        assert (cut.bytes_lost == 0) == survives
        cut.end()
        assert ask(server, "EXISTS", "key") == (b":1" if survives else b":0")


def test_a_kill_alone_loses_nothing_even_without_any_fsync():
    """The control of the power cut: what was written is the kernel's, and survives the process."""
    with server_for(["power_cut"], redis("no")) as server:
        assert ask(server, "SET", "key", "1") == b"+OK"
        server.kill()
        server.restart()
        assert ask(server, "EXISTS", "key") == b":1"


def test_a_torn_tail_costs_the_last_write_and_not_the_one_before(always: ManagedServer):
    faults, torn = DiskFaults([always]), fault("torn_tail", bytes=5)
    assert ask(always, "SET", "first", "1") == ask(always, "SET", "last", "1") == b"+OK"
    faults.begin(torn, 1)
    faults.end(torn, 1)
    assert faults.effects(torn, 1) == 5
    assert (ask(always, "EXISTS", "first"), ask(always, "EXISTS", "last")) == (b":1", b":0")


def test_a_crash_in_the_middle_of_a_pipeline_leaves_a_server_that_starts_again(always: ManagedServer):
    faults, crash = DiskFaults([always]), fault("crash_mid_write")
    faults.begin(crash, 1)
    faults.end(crash, 1)
    assert faults.effects(crash, 1) == 1
    assert answers_again(always)


def test_a_flipped_bit_is_one_bit_of_the_newest_file():
    with ManagedServer(redis("always")) as server:
        assert ask(server, "SET", "key", "x" * 100) == b"+OK"
        faults, flip = DiskFaults([server]), fault("bit_flip", seed=5)
        [newest] = server.data.glob("appendonlydir/*.incr.aof")
        # A log is no data, also where the server has written there last.
        os.utime(server.log_path, (2**31, 2**31))
        before = newest.read_bytes()
        faults.begin(flip, 1)
        after = newest.read_bytes()
        assert sum((one ^ other).bit_count() for one, other in zip(before, after, strict=True)) == 1
        assert faults.effects(flip, 1) == 1
        assert server.has_ended()
        faults.close()


def test_a_server_that_the_library_cannot_get_into_is_refused(tmp_path: Path):
    if (compiler := shutil.which("gcc")) is None:
        pytest.skip("gcc is not installed")
    source, program = tmp_path / "static.c", tmp_path / "static"
    source.write_text(STATIC)
    built = subprocess.run([compiler, "-static", "-o", program, source], capture_output=True, text=True)
    if built.returncode:
        pytest.skip(f"no static C library: {built.stderr.splitlines()[-1]}")
    preload = replace(surroundings_for(["io_error"]), user="")
    plan = replace(REDIS, command=(str(program), "{port}"), surroundings=preload)
    with ManagedServer(plan) as server:
        faults = DiskFaults([server])
        for kind in ("slow_fsync", "io_error", "read_only", "power_cut"):
            with pytest.raises(FaultError, match=r"did not load .*, as statically linked programs do not"):
                faults.begin(fault(kind), 1)


STATIC = r"""
#include <arpa/inet.h>
#include <stdlib.h>
#include <unistd.h>
int main(int count, char **words) {
    struct sockaddr_in at = {AF_INET, htons(atoi(words[1])), {htonl(INADDR_LOOPBACK)}};
    int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (void *)&at, sizeof at) || listen(listener, 16)) return 1;
    for (char bytes[4096];;) {
        int client = accept(listener, 0, 0);
        while (read(client, bytes, sizeof bytes) > 0)
            if (write(client, "+PONG\r\n", 7) < 0) break;
        close(client);
    }
}
"""


def test_a_server_without_the_library_or_the_disk_is_refused():
    with ManagedServer(MEMCACHED) as server:
        faults = DiskFaults([server])
        for kind in ("io_error", "power_cut"):
            with pytest.raises(FaultError, match="was started without the library"):
                faults.begin(fault(kind), 1)
        with pytest.raises(FaultError, match="has no disk of its own"):
            faults.begin(fault("disk_full"), 1)
        with pytest.raises(FaultError, match="has written no file"):
            faults.begin(fault("torn_tail"), 1)


def test_a_power_cut_on_a_server_that_has_written_nothing_is_refused():
    with server_for(["power_cut"], MEMCACHED) as server:
        assert Notes.of(server)[Number.LOADED] >= 1
        with pytest.raises(FaultError, match="has written nothing that the library could see"):
            DiskFaults([server]).begin(fault("power_cut"), 1)


# ── Files, without a server ─────────────────────────────────────────────────────────────────────────────────────────


def test_files_are_the_regular_ones_newest_first_without_those_given(tmp_path: Path):
    for age, name in enumerate(("new", "middle", "old", "given.conf")):
        (tmp_path / name).write_text(name)
        os.utime(tmp_path / name, (100 - age, 100 - age))
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/given.conf").write_text("the server's own")
    (tmp_path / "link").symlink_to(tmp_path / "new")
    found = [str(path.relative_to(tmp_path)) for path in files.files(tmp_path, {"given.conf"})]
    assert found == ["folder/given.conf", "new", "middle", "old"]


def test_a_cut_goes_back_to_the_durable_bytes_and_never_forward(tmp_path: Path):
    short, whole, unknown = (tmp_path / name for name in ("short", "whole", "unknown"))
    for path in (short, whole, unknown):
        path.write_bytes(bytes(10))
    durable = {(path.stat().st_dev, path.stat().st_ino): size for path, size in ((short, 4), (whole, 99))}
    assert files.cut_back([short, whole, unknown], durable) == (2, 6)
    assert [path.stat().st_size for path in (short, whole, unknown)] == [4, 10, 10]


def test_a_tail_is_no_longer_than_the_file(tmp_path: Path):
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    assert (files.tear(path, 3), path.read_bytes()) == (3, b"0123456")
    assert (files.tear(path, 30), path.read_bytes()) == (7, b"")


def test_a_seed_flips_the_same_bit_and_twice_is_none(tmp_path: Path):
    path = tmp_path / "file"
    path.write_bytes(bytes(100))
    bit = files.flip(path, 7)
    assert path.read_bytes()[bit // 8] == 1 << bit % 8
    assert files.flip(path, 7) == bit
    assert path.read_bytes() == bytes(100)
