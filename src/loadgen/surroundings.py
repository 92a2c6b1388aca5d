"""The surroundings of a managed server: what is put between it and the host, as a frozen value. No I/O.

Faults of the kernel's layers need a network, a disk or a control group of the server's own.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a server is started in. By default the server shares everything with loadgen."""

    netns: bool = False
    """True: in a network namespace of its own, which a veth pair connects to the host. Needs root."""
    routed: bool = False
    """True: the server reaches other servers that have a network namespace, through the host. Needs `netns`."""
    tmpfs_bytes: int = 0
    """The size of a tmpfs at the server's folder, in a mount namespace of its own; 0: no tmpfs. Needs root."""
    preload: str = ""
    """The path of a library that the dynamic linker loads into the server (LD_PRELOAD); empty: none."""
    cgroup: bool = False
    """True: in control groups of its own, by which its CPU time and its memory can be limited. Needs root."""
    user: str = ""
    """The user that the server runs as, if that user can enter the server's folder and execute its program; empty:
    loadgen's own user. Needs root."""

    @property
    def apart(self) -> bool:
        """True when the server needs something that only root can set up."""
        return self.netns or self.tmpfs_bytes > 0 or self.cgroup or bool(self.user)


SHARED = Surroundings()
"""Those of a server that shares everything with loadgen."""
