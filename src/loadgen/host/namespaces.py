"""The network namespaces of this machine that `ip netns` knows by name, and the command that enters one.

`ip netns exec` becomes the command that it is given: the process id, the signals and the open files are the command's
own.
"""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

from loadgen.units import shown

FOLDER = Path("/run/netns")
"""Where `ip netns add` keeps the names."""

_SYS_ADMIN = 1 << 21
"""CAP_SYS_ADMIN, which setns(2) asks for."""


def inside(name: str) -> tuple[str, ...]:
    """Return the words before a command that is to run in a namespace; none for the empty name, which is here."""
    return ("ip", "netns", "exec", name) if name else ()


def obstacle(name: str) -> str:
    """Return why nothing can be started in a namespace, and the remedy: a clause; empty where it can be."""
    if not name or "/" in name or name.startswith(".") or not Path(FOLDER, name).exists():
        return f"there is no network namespace {shown(name)}; `ip netns list` names those that are there"
    if shutil.which("ip") is None:
        return "network namespaces are entered by `ip`, which is not installed; install iproute2"
    if not _may_enter():
        return f"only root may enter the network namespace {shown(name)}; start loadgen as root"
    return ""


def _may_enter() -> bool:
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("CapEff:"):
                return bool(int(line.split()[1], 16) & _SYS_ADMIN)
    return True
