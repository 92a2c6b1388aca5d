"""The machines of a load that agents send: before it, and their parts of it. Frozen values; no I/O."""

from __future__ import annotations

from dataclasses import dataclass

from loadgen.signs import HostSigns
from loadgen.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class AgentHost:
    """An agent's machine, and what it is to send."""

    name: str
    """The agent's name in tables and sentences, which no other one has."""
    host: str
    """The machine's own name."""
    version: str
    """Of loadgen."""
    python: str
    cpus: int
    open_files: int
    """The hard limit on a process's open files; 0: none."""
    workers: int
    connections: int
    rate_per_s: float
    """Its share of the mean offered rate; 0 in a closed loop."""
    clock_ahead_ns: int
    """The lead of its monotonic clock over the leader's; 0 for a machine that has the same clock."""
    clock_error_ns: int
    """The bound on the error of that."""
    wall_ahead_ns: int
    """The lead of its wall clock over the leader's."""
    wall_error_ns: int
    """The bound on the error of that."""
    ceiling_per_s: float = 0.0
    """What its workers can send, by its self-test; 0: none is known."""


@dataclass(frozen=True, slots=True)
class HostPart:
    """One machine's part of a load."""

    name: str
    workers: int
    connections: int
    measured: Snapshot
    """Its requests of the measure window; of a machine that was lost, those up to its last report."""
    host: HostSigns | None
    """None: the machine was lost before it could say."""
    clock_ahead_ns: int
    clock_error_ns: int
    ceiling_per_s: float = 0.0
    """As in AgentHost."""
