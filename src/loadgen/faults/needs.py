"""What this machine lacks for faults of some kinds, and the remedy. Each probe leaves nothing behind.

A probe runs in namespaces that end with it, so that the host's own network and mounts are never touched.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from loadgen.faults.kinds import Need
from loadgen.target import apart

_TIMEOUT_S = 10.0

# Bit 21 of the effective capabilities (capabilities(7)): mounts and namespaces.
_CAP_SYS_ADMIN = 21

_LINUX_ONLY = "faults of the kernel exist on Linux only"
_KERNEL = "this kernel does not allow it ({said}): run loadgen on a machine or in a container that does"


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that this machine lacks."""

    need: Need
    words: str
    """The cause and the remedy, as the rest of a sentence about the need."""

    def __str__(self) -> str:
        return f"{self.need}: {self.words}"


def missing(needs: Iterable[Need]) -> tuple[Missing, ...]:
    """Return which of the needs this machine does not meet, in the order of `Need`. Each is probed once a process."""
    asked = set(needs)
    return tuple(Missing(need, words) for need in Need if need in asked and (words := _lack(need)))


@cache
def _lack(need: Need) -> str:
    """Return why a need is not met, in words; empty when it is."""
    if sys.platform != "linux":
        return _LINUX_ONLY
    return _PROBES[need]()


def _root() -> str:
    if os.geteuid() != 0:
        return "loadgen does not run as root: run it by sudo"
    status = Path("/proc/self/status").read_text().splitlines()
    bits = next(int(line.split()[1], 16) for line in status if line.startswith("CapEff:"))
    if not bits >> _CAP_SYS_ADMIN & 1:
        return "root has not the capability CAP_SYS_ADMIN here: start the container with --cap-add SYS_ADMIN,NET_ADMIN"
    return ""


def _netns() -> str:
    return _tools({"ip": "iproute2", "nsenter": "util-linux"}) or _as_root(
        "--net", "ip link add lg-0 type veth peer name lg-1"
    )


def _nft() -> str:
    return _tools({"nft": "nftables"}) or _as_root("--net", "nft add table inet lg-0")


def _nfqueue() -> str:
    rule = "iptables -t mangle -A INPUT -p tcp -j NFQUEUE --queue-num 0 --queue-bypass"
    return _tools({"iptables": "iptables"}) or _as_root("--net", rule)


def _tbf() -> str:
    bucket = "tc qdisc add dev lo root tbf rate 1mbit burst 16kb latency 400ms"
    return _tools({"tc": "iproute2"}) or _as_root("--net", bucket)


def _tmpfs() -> str:
    return _tools({"mount": "mount"}) or _as_root("--mount", "mount -t tmpfs lg-0 /tmp")


def _cgroup() -> str:
    if os.geteuid() != 0:
        return "control groups are made by root: run loadgen by sudo"
    try:
        folders = apart.cgroup_parents()
    except apart.ApartError as error:
        return str(error).removesuffix(".")
    closed = [str(folder) for folder in folders if not os.access(folder, os.W_OK)]
    return f"{closed[0]} cannot be written to: mount the control groups for writing" if closed else ""


def _preload() -> str:
    if compiler() is None:
        return "there is no C compiler: apt-get install gcc libc6-dev, or set CC"
    return ""


_PROBES: Mapping[Need, Callable[[], str]] = {
    Need.ROOT: _root,
    Need.NETNS: _netns,
    Need.NFT: _nft,
    Need.NFQUEUE: _nfqueue,
    Need.TBF: _tbf,
    Need.TMPFS: _tmpfs,
    Need.CGROUP: _cgroup,
    Need.PRELOAD: _preload,
}


def compiler() -> str | None:
    """Return the path of the C compiler that $CC names, or of cc; None when there is none."""
    return shutil.which((os.environ.get("CC") or "cc").split()[0])


def _tools(packages: Mapping[str, str]) -> str:
    for name, package in packages.items():
        try:
            apart.tool(name)
        except apart.ApartError:
            return f"the command {name} is not installed: apt-get install {package}"
    return ""


def _as_root(namespace: str, command: str) -> str:
    """Return why a command does not work in a namespace of its own; empty when it does."""
    if os.geteuid() != 0:
        return "namespaces are made by root: run loadgen by sudo"
    try:
        unshare, name, *arguments = apart.tool("unshare"), *command.split()
        ran = subprocess.run(
            [unshare, namespace, "--", apart.tool(name), *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
        )
    except (OSError, apart.ApartError, subprocess.TimeoutExpired) as error:
        return _KERNEL.format(said=error)
    said = (ran.stderr.strip() or f"{name}: exit status {ran.returncode}").splitlines()[-1]
    return _KERNEL.format(said=said) if ran.returncode else ""
