"""This host: the kernel's files as bytes, and one real reading."""

from pathlib import Path

from loadgen.monitors.host import HostMonitor, parse_counters, parse_pressure
from loadgen.monitors.making import make
from loadgen.monitors.monitor import UnderLoad
from loadgen.monitors.plan import MonitorPlan

PRESSURE = b"some avg10=12.50 avg60=1.00 avg300=0.10 total=42\nfull avg10=0.25 avg60=0.00 avg300=0.00 total=7\n"
NETSTAT = (
    b"TcpExt: SyncookiesSent ListenOverflows ListenDrops TCPLoss\nTcpExt: 0 3 4 5\n"
    b"IpExt: InNoRoutes ListenDrops\nIpExt: 1 99\n"
)


def test_pressure_is_a_share() -> None:
    assert parse_pressure(PRESSURE, "io") == {"io_pressure": 0.125, "io_pressure_full": 0.0025}
    # For the CPU, the kernel's `full` line is always 0, and no series.
    assert parse_pressure(PRESSURE, "cpu") == {"cpu_pressure": 0.125}


def test_counters_are_found_by_protocol_and_name() -> None:
    wanted = {"listen_drops": ("TcpExt", "ListenDrops"), "other": ("IpExt", "ListenDrops"), "gone": ("Tcp", "X")}
    assert parse_counters(NETSTAT, wanted) == {"listen_drops": 4, "other": 99}
    assert parse_counters(b"Tcp: a b\nTcp: 1", {"a": ("Tcp", "a"), "b": ("Tcp", "b")}) == {"a": 1}
    assert parse_counters(b"Tcp: a b", {"a": ("Tcp", "a")}) == {}


def test_what_the_kernel_does_not_have_is_no_gap(tmp_path: Path) -> None:
    (tmp_path / "sys/net/netfilter").mkdir(parents=True)
    (tmp_path / "sys/net/netfilter/nf_conntrack_count").write_text("12\n")
    found = HostMonitor(MonitorPlan("host", "host", path=str(tmp_path)), UnderLoad(), proc=tmp_path).read()
    assert found.values.keys() == {"load", "memory_available", "disk_free", "conntrack"}
    assert found.values["conntrack"] == 12
    assert found.lacking == ""


def test_a_folder_that_is_not_there_is_told_and_the_rest_is_read() -> None:
    found = make(MonitorPlan("host", "host", path="/nowhere/x"), UnderLoad()).read()
    assert found.lacking == "the disk of /nowhere/x cannot be looked at (No such file or directory)"
    assert found.values["memory_available"] > 0
