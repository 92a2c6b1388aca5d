"""A control group of a server, of version 1 or 2: its limits and its counts (cgroup-v1/memory.rst, cgroup-v2.rst,
sched-bwc.rst)."""

from __future__ import annotations

from loadgen.faults.interpreter import FaultError
from loadgen.target.server import ManagedServer


class Group:
    """The control group that has the file `first`, which is version 1's, or `second`, which is version 2's."""

    def __init__(self, server: ManagedServer, first: str, second: str) -> None:
        for folder in server.cgroups:
            for name, version in ((first, 1), (second, 2)):
                if (folder / name).exists():
                    self.folder, self.version = folder, version
                    return
        raise FaultError("the server has no control group of its own: start it with surroundings_for([…]).")

    def set(self, name: str, value: object) -> None:
        """Write a value into a file of the group. Raises FaultError."""
        try:
            (self.folder / name).write_text(f"{value}\n")
        except OSError as error:
            raise FaultError(f"{self.folder / name} could not be set to {value} ({error.strerror}).") from None

    def count(self, name: str, key: str = "") -> int:
        """Return the number in a file of the group, in the line that begins with `key`; 0 without such a line."""
        try:
            lines = (self.folder / name).read_text().splitlines()
        except OSError as error:
            raise FaultError(f"{self.folder / name} could not be read ({error.strerror}).") from None
        return next((int(line.split()[-1]) for line in lines if not key or line.split()[0] == key), 0)
