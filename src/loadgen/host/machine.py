"""Facts about the machine, and the files of results that hold for this machine alone. Standard library only.

Most facts come from Linux. A fact that the system does not report is None, or empty, and never an error.
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
    """The time of all CPUs since the machine started, in ticks; `now - before` is the time in between."""

    ticks: int
    stolen: int
    """The ticks that a hypervisor gave to other guests while a process wanted to run."""

    def __sub__(self, before: CpuTimes) -> CpuTimes:
        return CpuTimes(self.ticks - before.ticks, self.stolen - before.stolen)

    @property
    def steal_share(self) -> float | None:
        """The stolen share of the ticks, at least 0: the kernel may take a little back. None without ticks."""
        return max(0.0, self.stolen / self.ticks) if self.ticks > 0 else None


class HostWatch:
    """The signs of the host since the watch was made."""

    def __init__(self, proc: Path = PROC) -> None:
        self.proc = proc
        self.began = cpu_times(proc)

    def signs(self) -> HostSigns:
        """Return the share of time stolen until now, and the clock source."""
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
    """Return the kernel's clock source, such as `tsc`; empty when the system does not report one."""
    return _read(path).strip()


def boot(proc: Path = PROC) -> str:
    """Return the kernel's name for its present start; empty when the system has none."""
    return _read(proc / "sys/kernel/random/boot_id").strip()


def _cpu_info(proc: Path) -> list[tuple[str, str]]:
    lines = (line.partition(":") for line in _read(proc / "cpuinfo").splitlines())
    return [(key.strip(), value.strip()) for key, _, value in lines]


def is_virtual(root: Path = Path("/")) -> bool:
    """True when the kernel reports that it runs under a hypervisor."""
    if any(key == "flags" and "hypervisor" in value.split() for key, value in _cpu_info(root / "proc")):
        return True
    return (root / "sys/hypervisor/type").exists() or (root / "proc/device-tree/hypervisor").exists()


def fingerprint(proc: Path = PROC) -> str:
    """Return the machine in a line: host name, CPUs, kernel. Numbers of different fingerprints are not comparable.

    "box: 2 × AMD EPYC 7R13, Linux 6.8.0-31-generic".
    """
    system = os.uname()
    # ARM's kernel names no model.
    model = next((value for key, value in _cpu_info(proc) if key == "model name"), system.machine)
    return f"{system.nodename}: {os.cpu_count() or 1} × {model}, {system.sysname} {system.release}"


def state_directory(environment: Mapping[str, str] = os.environ) -> Path | None:
    """Return the directory for this machine's state (XDG Base Directory Specification 0.8); None without a home.

    The directory may not exist yet, and may not be writable.
    """
    # The specification says to ignore a relative path.
    if (state := environment.get("XDG_STATE_HOME", "")).startswith("/"):
        return Path(state, "loadgen")
    home = environment.get("HOME", "")
    return Path(home, ".local/state/loadgen") if home.startswith("/") else None


def stored(name: str, environment: Mapping[str, str] = os.environ) -> str:
    """Return the text that `store` wrote under this name; empty when there is none, or when it cannot be read."""
    directory = state_directory(environment)
    return _read(directory / name) if directory is not None else ""


def store(name: str, text: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Write the text under a file name, whole or not at all; return True when it was written."""
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
