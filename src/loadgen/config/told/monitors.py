"""The monitors of a configuration: names filled in, addresses looked up."""

from __future__ import annotations

from collections.abc import Mapping

from loadgen.config.tables.endpoint import parse_endpoint
from loadgen.config.tables.monitor import MonitorTable
from loadgen.config.tables.password import password
from loadgen.config.tables.schema import Config
from loadgen.config.told.plans import lookup
from loadgen.judge.expression.vocabulary import Known
from loadgen.monitors.monitor import make
from loadgen.monitors.plan import MonitorPlan
from loadgen.plan import Target


def monitors(config: Config) -> tuple[MonitorPlan, ...]:
    """Return the plans of `[[monitor]]`, in their order. Reads DNS.

    Raises TargetError when a host's name cannot be resolved, and ConfigError when the password cannot be read.
    """
    return tuple(_plan(table, config) for table in config.monitor)


def series(config: Config) -> dict[str, Mapping[str, Known]]:
    """Return the series of each monitor of `[[monitor]]` by its name, without looking up where the monitor reads."""
    found = {}
    for table in config.monitor:
        plan = MonitorPlan(table.kind, table.called, url=table.url or "", metrics=table.metrics, path=table.path or "")
        found[table.called] = make(plan).series
    return found


def _plan(table: MonitorTable, config: Config) -> MonitorPlan:
    return MonitorPlan(
        kind=table.kind,
        name=table.called,
        every_ns=table.every,
        timeout_ns=table.timeout,
        pid=table.pid or 0,
        process=table.process or "",
        server=_target(table.kind, table.server, config) if table.server is not None else None,
        url=table.url or "",
        metrics=table.metrics,
        path=table.path or "",
        command=table.command,
        container=table.container or "",
        evidence=table.evidence,
    )


def _target(kind: str, server: str, config: Config) -> Target:
    """Return the server that a monitor names. One that asks for a password is given that of the target."""
    endpoint = lookup(*parse_endpoint(server))
    if kind == "memcached":
        return Target("memcache", (endpoint,))
    return Target("resp", (endpoint,), username=config.target.username, password=password(config.target))
