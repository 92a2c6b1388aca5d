"""The monitor that a plan describes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module

from loadgen.judge.expression.vocabulary import Known
from loadgen.monitors.monitor import Monitor, UnderLoad
from loadgen.monitors.plan import MonitorPlan

_CLASSES = {
    "proc": "proc.ProcMonitor",
    "redis": "redis.RedisMonitor",
    "memcached": "memcached.MemcachedMonitor",
    "prometheus": "prometheus.PrometheusMonitor",
    "http": "http.HttpMonitor",
    "command": "command.CommandMonitor",
    "docker": "docker.DockerMonitor",
    "host": "host.HostMonitor",
    "self": "own.OwnMonitor",
}
"""By kind, where its class is: what it needs is imported when a monitor of the kind is made."""


def make(plan: MonitorPlan, under: UnderLoad | None = None) -> Monitor:
    """Return the monitor of a plan. Opens nothing: what cannot be read is told by the monitor's readings."""
    module, _, name = _CLASSES[plan.kind].partition(".")
    of_kind: Callable[[MonitorPlan, UnderLoad], Monitor] = getattr(import_module(f"loadgen.monitors.{module}"), name)
    monitor = of_kind(plan, under or UnderLoad())
    if not plan.evidence:
        return monitor
    from loadgen.monitors.sources import WithSources

    return WithSources(monitor, plan, pid=getattr(monitor, "pid", None))


def series_of(plans: Iterable[MonitorPlan]) -> Mapping[str, Mapping[str, Known]]:
    """Return the series that the monitors of these plans have, by the monitor's name. Opens nothing."""
    return {plan.name: make(plan).series for plan in plans}
