"""The surroundings that servers need for faults of given kinds."""

from __future__ import annotations

import os
from collections.abc import Iterable

from loadgen.faults.disk import library
from loadgen.faults.kinds import Need, needs_of
from loadgen.surroundings import Surroundings

TMPFS_BYTES = 64 << 20
"""The size of the disk of a server on which a fault of the disk is to come."""

UNPRIVILEGED = "nobody"


def surroundings_for(kinds: Iterable[str]) -> Surroundings:
    """Return what a server must be started in so that faults of these kinds (`kinds.KINDS`) can come over it.

    A server that root starts in surroundings of its own gives up root, where it can. Raises FaultError when the library
    that faults of the disk take cannot be compiled.
    """
    needs = needs_of(kinds)
    return Surroundings(
        netns=Need.NETNS in needs,
        tmpfs_bytes=TMPFS_BYTES if Need.TMPFS in needs else 0,
        preload=library.built() if Need.PRELOAD in needs else "",
        cgroup=Need.CGROUP in needs,
        user=UNPRIVILEGED if needs and os.geteuid() == 0 else "",
    )
