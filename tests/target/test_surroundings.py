"""Servers in surroundings of their own: what they share with the host, and as whom they run."""

from __future__ import annotations

import ipaddress
import os
import pwd
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from kernel_faults import MEMCACHED, REDIS, ask_for

from loadgen.faults.kinds import Need
from loadgen.faults.needs import missing
from loadgen.surroundings import Surroundings
from loadgen.target import apart
from loadgen.target.server import ManagedServer, ServerError

WHOLE = Surroundings(netns=True, tmpfs_bytes=8 << 20, cgroup=True, user="nobody")


@pytest.fixture
def rooted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of the servers' folders, on a machine that allows surroundings of all kinds."""
    if lacks := missing((Need.ROOT, Need.NETNS, Need.TMPFS, Need.CGROUP)):
        pytest.skip("; ".join(map(str, lacks)))
    # pytest's own folders are closed to other users.
    with tempfile.TemporaryDirectory(prefix="surroundings-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        monkeypatch.setattr("tempfile.tempdir", folder)
        yield Path(folder)


def uid_of(pid: int) -> int:
    return Path(f"/proc/{pid}").stat().st_uid


@pytest.mark.usefixtures("rooted")
def test_a_server_in_surroundings_of_its_own_runs_as_nobody_and_shares_neither_network_nor_disk():
    with ManagedServer(replace(REDIS, surroundings=WHOLE)) as server:
        assert uid_of(server.pid) == pwd.getpwnam("nobody").pw_uid
        assert ask_for(server, 0.1).errors == {}
        assert server.host.startswith(("198.18.", "198.19."))
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.port))
        assert (server.data / "appendonlydir").is_dir()
        # Outside of the mount namespace, the folder is empty.
        assert list(Path(server.folder).iterdir()) == []
        found = os.statvfs(server.data)
        assert found.f_blocks * found.f_frsize == WHOLE.tmpfs_bytes
        assert all(str(server.pid) in (group / "cgroup.procs").read_text().split() for group in server.cgroups)
        folder, groups = server.notes.parent, server.cgroups
    assert not folder.exists()
    assert not any(group.exists() for group in groups)


@pytest.mark.usefixtures("rooted")
def test_a_restart_keeps_address_namespace_and_data_and_an_empty_one_loses_the_data():
    with ManagedServer(replace(REDIS, surroundings=WHOLE)) as server:
        place, keeper = server.endpoint, server.keeper_pid
        (server.data / "mine").write_text("here")
        server.kill()
        assert (server.exit_report(), server.has_ended(), server.usage()) == ("", True, None)
        server.restart()
        assert (server.endpoint, server.keeper_pid, server.has_ended()) == (place, keeper, False)
        assert (server.data / "mine").read_text() == "here"
        server.restart(empty=True)
        assert not (server.data / "mine").exists()
        assert ask_for(server, 0.1).errors == {}


def test_surroundings_that_cannot_be_set_up_are_one_sentence_and_leave_nothing(rooted, monkeypatch):
    monkeypatch.setattr(apart, "INTERFACE", "lg-with-a-name-that-is-too-long")
    with pytest.raises(ServerError, match=r"The surroundings of memcached could not be set up \(.*ip -batch: "):
        ManagedServer(replace(MEMCACHED, surroundings=WHOLE)).__enter__()
    assert list(rooted.iterdir()) == []


def test_a_restart_with_an_empty_folder_writes_the_plans_files_again():
    plan = replace(MEMCACHED, files=(("given.conf", "port {port}"),))
    with ManagedServer(plan) as server:
        (server.data / "given.conf").write_text("changed")
        (server.data / "folder").mkdir()
        (server.data / "folder" / "file").write_text("mine")
        server.restart(empty=True)
        assert (server.data / "given.conf").read_text() == f"port {server.port}"
        assert not (server.data / "folder").exists()


def test_a_server_that_does_not_start_again_says_how_it_ended():
    with ManagedServer(REDIS) as server:
        server.kill()
        (server.data / "appendonlydir" / "appendonly.aof.manifest").write_text("nonsense")
        with pytest.raises(ServerError, match="redis ended with exit status 1 before it was ready"):
            server.restart()
        assert "ended with exit status 1" in server.exit_report()


def test_an_end_of_its_own_after_a_restart_is_reported():
    with ManagedServer(MEMCACHED) as server:
        server.restart()
        os.kill(server.pid, 9)
        server._kept.hear(5)
        assert "was killed by SIGKILL" in server.exit_report()


def test_without_root_surroundings_of_ones_own_are_refused(monkeypatch):
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with (
        pytest.raises(ServerError, match="takes Linux and root"),
        ManagedServer(replace(MEMCACHED, surroundings=WHOLE)),
    ):
        pass


def test_a_server_keeps_its_user_where_nobody_could_not_work(tmp_path):
    ids, data = (pwd.getpwnam("nobody").pw_uid, pwd.getpwnam("nobody").pw_gid), "/tmp/server/data"
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    (closed / "program").write_text("#!/bin/sh\n")
    (closed / "program").chmod(0o755)
    assert apart.identity("nobody", data, ["/bin/sh"]) == ids
    assert apart.identity("nobody", data, ["/bin/sh", "/etc/passwd", "/not/there"], "/tmp") == ids
    assert apart.identity("nobody", str(closed / "server" / "data"), ["/bin/sh"]) is None
    assert apart.identity("nobody", data, [str(closed / "program")]) is None
    assert apart.identity("nobody", data, ["/bin/sh", str(closed / "program")]) is None
    assert apart.identity("nobody", data, ["/bin/sh", "/etc/shadow"]) is None
    assert apart.identity("nobody", data, ["/bin/sh"], "/usr") is None
    assert apart.identity("no-such-user", data, ["/bin/sh"]) is None


def test_addresses_are_of_the_benchmark_range_and_never_those_of_an_interface(monkeypatch):
    pairs = {apart.free_pair() for _ in range(50)}
    assert len(pairs) > 40
    assert all(pair.server.startswith(("198.18.", "198.19.")) for pair in pairs)
    monkeypatch.setattr(apart, "_BENCHMARKS", ipaddress.ip_network("198.18.0.0/29"))
    taken = [SimpleNamespace(address=address) for address in ("198.18.0.1", "fe80::1", "198.18.0.5")]
    monkeypatch.setattr("psutil.net_if_addrs", lambda: {"lg-1": taken[:2]})
    assert {apart.free_pair() for _ in range(20)} == {apart.Pair("198.18.0.5", "198.18.0.6")}
    monkeypatch.setattr("psutil.net_if_addrs", lambda: {"lg-1": taken[:2], "lg-2": taken[2:]})
    with pytest.raises(apart.ApartError, match=r"No addresses of 198\.18\.0\.0/29 are free"):
        apart.free_pair()


def test_control_groups_are_made_where_both_controllers_are(tmp_path, monkeypatch):
    monkeypatch.setattr(apart, "_CGROUPS", tmp_path)
    with pytest.raises(apart.ApartError, match=r"The control group controller cpu is not in"):
        apart.cgroup_parents()
    for name in ("cpu", "memory"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "cgroup.procs").touch()
    assert [folder.relative_to(tmp_path).parts[0] for folder in apart.cgroup_parents()] == ["cpu", "memory"]
    (tmp_path / "cgroup.subtree_control").write_text("cpuset cpu io memory pids\n")
    assert apart.cgroup_parents() == [tmp_path]
