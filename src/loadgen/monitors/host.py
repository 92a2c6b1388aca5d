"""The monitor of this host: pressure, free memory and disk, and the kernel's counters of TCP. Parsing is pure."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil

from loadgen.judge.expression.dimension import COUNT, NUMBER, SHARE, SIZE
from loadgen.judge.expression.vocabulary import Known
from loadgen.monitors.monitor import Found, UnderLoad
from loadgen.monitors.plan import MonitorPlan
from loadgen.monitors.series import level, total

SERIES: Mapping[str, Known] = {
    "cpu_pressure": level(SHARE, "share of the last 10 s in which some task had to wait for a CPU"),
    "memory_pressure": level(SHARE, "share of the last 10 s in which some task had to wait for memory"),
    "memory_pressure_full": level(SHARE, "share of the last 10 s in which all tasks had to wait for memory"),
    "io_pressure": level(SHARE, "share of the last 10 s in which some task had to wait for a disk"),
    "io_pressure_full": level(SHARE, "share of the last 10 s in which all tasks had to wait for a disk"),
    "load": level(NUMBER, "tasks that ran or waited, as a mean over the last minute"),
    "memory_available": level(SIZE, "memory that can be had without swapping"),
    "disk_free": level(SIZE, "free space that loadgen's user may use on the disk of a folder"),
    "retransmits": total(COUNT, "TCP segments that were sent again"),
    "listen_overflows": total(COUNT, "connections that a listener had no room for"),
    "listen_drops": total(COUNT, "connections that a listener dropped, for any reason"),
    "conntrack": level(COUNT, "connections that the packet filter keeps track of"),
    "conntrack_max": level(COUNT, "the most connections that it can keep track of"),
}

_PRESSURE = re.compile(rb"^(some|full) avg10=([0-9.]+)", re.MULTILINE)


def parse_pressure(text: bytes, of: str) -> dict[str, float]:
    """Return the shares in a file of /proc/pressure, which is of `cpu`, `memory` or `io`."""
    shares = {name: float(percent) / 100 for name, percent in _PRESSURE.findall(text)}
    found = {f"{of}_pressure": shares.get(b"some"), f"{of}_pressure_full": shares.get(b"full")}
    return {name: share for name, share in found.items() if share is not None and name in SERIES}


def parse_counters(text: bytes, wanted: Mapping[str, tuple[str, str]]) -> dict[str, float]:
    """Return counters of /proc/net/snmp or netstat: pairs of lines with names and numbers, each after its protocol.

    `wanted` has the protocol and the name of each series.
    """
    lines = text.decode("ascii", "replace").splitlines()
    counters = {
        (names.partition(":")[0], name): number
        for names, numbers in zip(lines[::2], lines[1::2], strict=False)
        for name, number in zip(names.split()[1:], numbers.split()[1:], strict=False)
    }
    found = {series: counters.get(place, "") for series, place in wanted.items()}
    return {series: float(number) for series, number in found.items() if number.lstrip("-").isdigit()}


def _number_of(name: str) -> Callable[[bytes], dict[str, float]]:
    return lambda text: {name: float(text)}


_FILES: Mapping[str, Callable[[bytes], dict[str, float]]] = {
    "pressure/cpu": lambda text: parse_pressure(text, "cpu"),
    "pressure/memory": lambda text: parse_pressure(text, "memory"),
    "pressure/io": lambda text: parse_pressure(text, "io"),
    "net/snmp": lambda text: parse_counters(text, {"retransmits": ("Tcp", "RetransSegs")}),
    "net/netstat": lambda text: parse_counters(
        text,
        {"listen_overflows": ("TcpExt", "ListenOverflows"), "listen_drops": ("TcpExt", "ListenDrops")},
    ),
    "sys/net/netfilter/nf_conntrack_count": _number_of("conntrack"),
    "sys/net/netfilter/nf_conntrack_max": _number_of("conntrack_max"),
}


class HostMonitor:
    """The monitor of kind `host`. What the kernel does not have, such as conntrack, has no values, and is no gap."""

    kind = "host"
    series = SERIES

    def __init__(self, plan: MonitorPlan, under: UnderLoad, proc: Path = Path("/proc")) -> None:
        self.name, self.every_ns = plan.name, plan.every_ns
        self._folder, self._proc = plan.path or ".", proc

    def read(self) -> Found:
        values: dict[str, float] = {"load": os.getloadavg()[0], "memory_available": psutil.virtual_memory().available}
        for name, parse in _FILES.items():
            with contextlib.suppress(OSError, ValueError):
                values |= parse((self._proc / name).read_bytes())
        try:
            values["disk_free"] = shutil.disk_usage(self._folder).free
        except OSError as error:
            return Found(values, lacking=f"the disk of {self._folder} cannot be looked at ({error.strerror})")
        return Found(values)

    def evidence(self) -> Mapping[str, str]:
        """Return the files that the values are taken from, and the host's memory."""
        found = {}
        for name in (*_FILES, "meminfo"):
            with contextlib.suppress(OSError):
                found[f"{name.replace('/', '-')}.txt"] = (self._proc / name).read_text(errors="replace")
        return found

    def close(self) -> None:
        pass
