"""The interface of monitors, and the monitor that a plan describes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from loadgen.judge.expression.vocabulary import Known
from loadgen.monitors.plan import MonitorPlan
from loadgen.plan import Target


class Unreadable(Exception):
    """A monitor cannot be read now. The text is a sentence without a full stop, fit to be shown, which says why."""


@dataclass(frozen=True, slots=True)
class Found:
    """The values of one reading, before it has a time."""

    values: Mapping[str, float]
    """By series, in base units; finite."""
    identity: str = ""
    """As in Reading."""
    lacking: str = ""
    """Why a part of the values is missing, as the text of Unreadable; empty when nothing is."""


class Monitor(Protocol):
    """A thing that is read again and again, by one thread."""

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> str: ...

    @property
    def every_ns(self) -> int:
        """The time from one reading to the next."""

    @property
    def series(self) -> Mapping[str, Known]:
        """The series that its readings can have, known before the first."""

    def read(self) -> Found:
        """Read the values. Raises Unreadable; waits for as long as the monitor's timeout."""

    def evidence(self) -> Mapping[str, str]:
        """Return texts by file name that show the cause of a trouble, as far as they can be had; never raises.

        May be called from another thread than `read`. Waits for as long as the timeout for each of its sources.
        """

    def close(self) -> None:
        """Give up what is kept between readings. Called once, when no thread reads any more."""


@dataclass(frozen=True, slots=True)
class UnderLoad:
    """The servers under load, for monitors whose plans name none."""

    target: Target | None = None
    """Their addresses, when they are up; None where nothing is under load."""
    pid: Callable[[], int] | None = None
    """The process of the first server now, 0 while there is none; None where loadgen has not started the server."""


def make(plan: MonitorPlan, under: UnderLoad | None = None) -> Monitor:
    """Return the monitor of a plan. Opens nothing: what cannot be read is told by the monitor's readings."""
    monitor = _of_kind(plan, under or UnderLoad())
    if not plan.evidence:
        return monitor
    from loadgen.monitors.sources import WithSources

    return WithSources(monitor, plan, pid=getattr(monitor, "pid", None))


def series_of(plans: Iterable[MonitorPlan]) -> Mapping[str, Mapping[str, Known]]:
    """Return the series that the monitors of these plans have, by the monitor's name. Opens nothing."""
    return {plan.name: make(plan).series for plan in plans}


def _of_kind(plan: MonitorPlan, under: UnderLoad) -> Monitor:
    # A kind's libraries are imported when a monitor of the kind is made.
    match plan.kind:
        case "proc":
            from loadgen.monitors.proc import ProcMonitor

            return ProcMonitor(plan, under)
        case "redis":
            from loadgen.monitors.redis import RedisMonitor

            return RedisMonitor(plan, under)
        case "memcached":
            from loadgen.monitors.memcached import MemcachedMonitor

            return MemcachedMonitor(plan, under)
        case "prometheus":
            from loadgen.monitors.prometheus import PrometheusMonitor

            return PrometheusMonitor(plan, under)
        case "http":
            from loadgen.monitors.http import HttpMonitor

            return HttpMonitor(plan, under)
        case "command":
            from loadgen.monitors.command import CommandMonitor

            return CommandMonitor(plan, under)
        case "docker":
            from loadgen.monitors.docker import DockerMonitor

            return DockerMonitor(plan, under)
        case "host":
            from loadgen.monitors.host import HostMonitor

            return HostMonitor(plan, under)
        case "self":
            from loadgen.monitors.own import OwnMonitor

            return OwnMonitor(plan, under)
    raise ValueError(f"there is no kind of monitor {plan.kind}")
