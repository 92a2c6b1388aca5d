"""The monitors of a configuration: names filled in, addresses looked up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from loadgen.config.tables.monitor import MonitorTable
from loadgen.config.tables.password import password
from loadgen.config.tables.schema import Config
from loadgen.config.told.plans import lookup
from loadgen.config.told.tls import tls_plan
from loadgen.judge.expression.vocabulary import Known
from loadgen.monitors.plan import MonitorPlan
from loadgen.plan import Target
from loadgen.server_address import parse


def monitors(config: Config) -> tuple[MonitorPlan, ...]:
    """Return the plans of `[[monitor]]`, in their order. Reads DNS.

    Raises TargetError when a host's name cannot be resolved, and ConfigError when the password cannot be read.
    """
    return tuple(_plan(table, config) for table in config.monitor)


def series(tables: Sequence[MonitorTable]) -> Mapping[str, Mapping[str, Known]]:
    """Return the series that each monitor has, by the monitor's name. Opens nothing."""
    if not tables:
        return {}
    # A configuration without monitors does not import what reads.
    from loadgen.monitors.making import series_of

    return series_of(map(_unaddressed, tables))


def without_credentials(tables: Iterable[MonitorTable]) -> tuple[MonitorPlan, ...]:
    """Return the plans of monitors whose servers ask for no password, as those of a trial.

    Raises as `monitors` does.
    """
    return tuple(
        replace(_unaddressed(table), server=None if table.server is None else _address(table.kind, table.server))
        for table in tables
    )


def _plan(table: MonitorTable, config: Config) -> MonitorPlan:
    server = _target(table.kind, table.server, config) if table.server is not None else None
    return replace(_unaddressed(table), server=server)


def _unaddressed(table: MonitorTable) -> MonitorPlan:
    """Return a monitor's plan without the address of its server."""
    return MonitorPlan(
        kind=table.kind,
        name=table.called,
        every_ns=table.every,
        timeout_ns=table.timeout,
        pid=table.pid or 0,
        process=table.process or "",
        url=table.url or "",
        metrics=table.metrics,
        path=table.path or "",
        command=table.command,
        container=table.container or "",
        evidence=table.evidence,
    )


def _target(kind: str, server: str, config: Config) -> Target:
    """Return the server that a monitor names. It is greeted as the target is, by TLS and password."""
    address = _address(kind, server)
    if address.tls is None:
        address = replace(address, tls=tls_plan(config.target))
    if kind == "memcached" or address.password:
        return address
    return replace(address, username=config.target.username, password=password(config.target))


def _address(kind: str, server: str) -> Target:
    given = parse(server)
    return Target(
        "memcache" if kind == "memcached" else "resp",
        (lookup(given.endpoint),),
        username=given.username,
        password=given.password,
    )
