"""The removal of what dead keepers have left: servers, interfaces, control groups, mounts and folders.

A keeper removes all of that itself, also after loadgen was killed. Something is left only where the keeper was killed
too. Everything that a keeper makes is named `lg-` and the keeper's process id; what belongs to a living keeper, of
whatever loadgen, is left alone.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from loadgen.target import apart, folder, keeper

_NAME = re.compile(rf"{apart.PREFIX}(\d+)")
_PROC = Path("/proc")
_CGROUPS = Path("/sys/fs/cgroup")
_INTERFACES = Path("/sys/class/net")

# A killed process leaves its control group a moment later.
_EMPTIED_S = 2.0
_INTERVAL_S = 0.01


def cleanup() -> tuple[str, ...]:
    """Remove what dead keepers have left, as far as this user may, and return what was removed, in words."""
    removed = [*_servers(), *_interfaces(), *_mounts(), *_cgroups()] if sys.platform == "linux" else []
    folder.remove_abandoned()
    return tuple(removed)


def _owner_has_ended(pid: int) -> bool:
    try:
        words = (_PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return True
    # The id may be that of another process by now.
    own = tuple(Path(keeper.__file__).parts[-3:])
    return not any(Path(os.fsdecode(word)).parts[-3:] == own for word in words)


def _abandoned(name: str) -> bool:
    """True for the name of something whose keeper has ended."""
    found = _NAME.fullmatch(name)
    return found is not None and _owner_has_ended(int(found[1]))


def _servers() -> Iterator[str]:
    """Kill servers whose keeper has ended: the keeper's id is in their environment."""
    mark = keeper.OWNER.encode() + b"="
    for process in _PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError):
            pidfd = os.pidfd_open(int(process.name))
            try:
                # Read after the pidfd was opened: it is this very process that is killed.
                variables = (process / "environ").read_bytes().split(b"\0")
                owner = next((word.removeprefix(mark) for word in variables if word.startswith(mark)), b"")
                if owner.isdigit() and _owner_has_ended(int(owner)):
                    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
                    yield f"the process {process.name}"
            finally:
                os.close(pidfd)


def _interfaces() -> Iterator[str]:
    for path in _INTERFACES.glob(f"{apart.PREFIX}*"):
        if _abandoned(path.name) and _ran("ip", "link", "delete", path.name):
            yield f"the interface {path.name}"


def _mounts() -> Iterator[str]:
    with contextlib.suppress(OSError):
        for line in (_PROC / "self" / "mounts").read_text().splitlines():
            source, place, *_ = line.split()
            if _abandoned(source) and _ran("umount", "-l", place):
                yield f"the mount at {place}"


def _cgroups() -> Iterator[str]:
    for parent, names, _ in os.walk(_CGROUPS):
        for name in filter(_abandoned, tuple(names)):
            names.remove(name)
            if _emptied(group := Path(parent, name)):
                yield f"the control group {group}"


def _emptied(group: Path) -> bool:
    """Kill what is left in a control group and remove the group; return False when that is not possible."""
    deadline = time.monotonic() + _EMPTIED_S
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            for pid in (group / "cgroup.procs").read_text().split():
                os.kill(int(pid), signal.SIGKILL)
        with contextlib.suppress(OSError):
            group.rmdir()
        if not group.exists():
            return True
        time.sleep(_INTERVAL_S)
    return False


def _ran(*command: str) -> bool:
    try:
        return subprocess.run([apart.tool(command[0]), *command[1:]], capture_output=True).returncode == 0
    except (OSError, apart.ApartError):
        return False
