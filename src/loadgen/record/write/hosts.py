"""The machines of a load in the records `config` and `result`. No I/O."""

from __future__ import annotations

from typing import Any

from loadgen.events import Configured, Result, Sample, per_s
from loadgen.hosts import AgentHost, HostPart
from loadgen.record.write.accounts import all_counts
from loadgen.record.write.latency import in_ns, in_us
from loadgen.record.write.spelling import number, share, text
from loadgen.units import NS_PER_S


def in_config(event: Configured) -> dict[str, Any]:
    """Return the fields `agents` and `dry_run`; none where this machine sends the load."""
    agents = [_agent(agent) for agent in event.agents]
    return {**({"agents": agents} if agents else {}), **({"dry_run": True} if event.dry_run else {})}


def in_sample(event: Sample) -> dict[str, Any]:
    """Return the field `agents`; none where this machine sends the load, and where many do."""
    agents = [
        {"name": text(name), "ok": part.total.ok, "errors": part.total.not_ok, **in_us(part.latency())}
        for name, part in event.hosts.items()
    ]
    return {"agents": agents} if agents else {}


def in_result(event: Result) -> dict[str, Any]:
    """Return the field `agents`; none where this machine sent the load."""
    parts = [_part(part, event.duration_ns) for part in event.hosts]
    return {"agents": parts} if parts else {}


def _agent(agent: AgentHost) -> dict[str, Any]:
    return {
        "name": text(agent.name),
        "host": text(agent.host),
        "version": text(agent.version),
        "python": text(agent.python),
        "cpus": agent.cpus,
        "open_files": agent.open_files or None,
        "workers": agent.workers,
        "connections": agent.connections,
        "rate_per_s": number(round(agent.rate_per_s, 6)) if agent.rate_per_s else None,
        "ceiling_per_s": _ceiling(agent.ceiling_per_s),
        "clock_ahead_ns": agent.clock_ahead_ns,
        "clock_error_ns": agent.clock_error_ns,
        "wall_ahead_ns": agent.wall_ahead_ns,
        "wall_error_ns": agent.wall_error_ns,
    }


def _part(part: HostPart, duration_ns: int) -> dict[str, Any]:
    measured, host = part.measured, part.host
    steal_share = host.steal_share if host is not None else None
    return {
        "name": text(part.name),
        "workers": part.workers,
        "connections": part.connections,
        "lost": host is None,
        "counts": all_counts(measured),
        "sent": measured.total.sent,
        "throughput": int(per_s(measured.answered_in_time, duration_ns)),
        "responses_in_time": measured.answered_in_time,
        "latency": in_ns(measured.latency()),
        **({"lag_ours": in_ns(measured.lag_ours)} if measured.lag_ours.count else {}),
        "cpu_s": measured.cpu_ns / NS_PER_S,
        "cpu_share": share(measured.cpu_ns, duration_ns),
        "ceiling_per_s": _ceiling(part.ceiling_per_s),
        "steal_share": None if steal_share is None else round(steal_share, 6),
        "clock_source": (text(host.clock_source) if host is not None else "") or None,
        "clock_ahead_ns": part.clock_ahead_ns,
        "clock_error_ns": part.clock_error_ns,
    }


def _ceiling(per_s: float) -> int | float | None:
    return number(round(per_s, 3)) if per_s else None
