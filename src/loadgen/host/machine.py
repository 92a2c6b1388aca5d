"""What the machine says of itself, and where results that hold for this machine alone are kept. Standard library only.

Linux says most of it; what a system does not say is None, or empty, and never an error.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from loadgen.signs import HostSigns

PROC = Path("/proc")
CLOCK_SOURCE = Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")

# The columns of /proc/stat's first line, proc_stat(5): user nice system idle iowait irq softirq steal. The guest times
# that follow are in user and nice already.
_COLUMNS = 8
_STEAL = 7


@dataclass(frozen=True, slots=True)
class CpuTimes:
    """What became of all CPUs' time since the machine started; `now - before` is what became of it in between."""

    ticks: int
    stolen: int
    """Of the ticks: a hypervisor gave them to others while a process wanted to run."""

    def __sub__(self, before: CpuTimes) -> CpuTimes:
        return CpuTimes(self.ticks - before.ticks, self.stolen - before.stolen)

    @property
    def steal_share(self) -> float | None:
        """The stolen part; None of no time at all. The kernel may take a little back: never less than 0."""
        return max(0.0, self.stolen / self.ticks) if self.ticks > 0 else None


class HostWatch:
    """The machine from now on."""

    def __init__(self, proc: Path = PROC) -> None:
        self.proc = proc
        self.began = cpu_times(proc)

    def signs(self) -> HostSigns:
        """What it has done until now."""
        now = cpu_times(self.proc)
        share = (now - self.began).steal_share if now is not None and self.began is not None else None
        return HostSigns(share, clock_source())


def cpu_times(proc: Path = PROC) -> CpuTimes | None:
    name, *columns = _read(proc / "stat").partition("\n")[0].split() or [""]
    if name != "cpu" or len(columns) < _COLUMNS or not all(column.isdecimal() for column in columns):
        return None
    ticks = [int(column) for column in columns[:_COLUMNS]]
    return CpuTimes(sum(ticks), ticks[_STEAL])


def clock_source(path: Path = CLOCK_SOURCE) -> str:
    """What the kernel tells the time by, such as `tsc`."""
    return _read(path).strip()


def _cpu_info(proc: Path) -> list[tuple[str, str]]:
    lines = (line.partition(":") for line in _read(proc / "cpuinfo").splitlines())
    return [(key.strip(), value.strip()) for key, _, value in lines]


def is_virtual(root: Path = Path("/")) -> bool:
    """Whether a hypervisor is under this kernel, as far as it says."""
    if any(key == "flags" and "hypervisor" in value.split() for key, value in _cpu_info(root / "proc")):
        return True
    return (root / "sys/hypervisor/type").exists() or (root / "proc/device-tree/hypervisor").exists()


def fingerprint(proc: Path = PROC) -> str:
    """The machine in a line: host name, CPUs, kernel. Where it differs, numbers of one machine say nothing of another.

    "box: 2 × AMD EPYC 7R13, Linux 6.8.0-31-generic".
    """
    system = os.uname()
    # ARM's kernel names no model.
    model = next((value for key, value in _cpu_info(proc) if key == "model name"), system.machine)
    return f"{system.nodename}: {os.cpu_count() or 1} × {model}, {system.sysname} {system.release}"


def state_directory(environment: Mapping[str, str] = os.environ) -> Path | None:
    """Where programs keep what they know of this machine (XDG Base Directory Specification 0.8); None without a home.

    It may not be there yet, and it may not be writable.
    """
    # The specification has a relative path ignored.
    if (state := environment.get("XDG_STATE_HOME", "")).startswith("/"):
        return Path(state, "loadgen")
    home = environment.get("HOME", "")
    return Path(home, ".local/state/loadgen") if home.startswith("/") else None


def stored(name: str, environment: Mapping[str, str] = os.environ) -> str:
    """What `store` kept under this name; empty when there is nothing, or nothing that can be read."""
    directory = state_directory(environment)
    return _read(directory / name) if directory is not None else ""


def store(name: str, text: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Keeps the text under a file name, whole or not at all; says whether it could."""
    directory = state_directory(environment)
    if directory is None:
        return False
    new = directory / f"{name}.{os.getpid()}"
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        new.write_text(text, encoding="utf-8")
        new.replace(directory / name)
    except OSError:
        with contextlib.suppress(OSError):
            new.unlink()
        return False
    return True


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
