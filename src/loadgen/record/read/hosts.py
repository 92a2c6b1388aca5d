"""The machines of a load from the records `config` and `result`. No I/O."""

from __future__ import annotations

from loadgen.hosts import AgentHost, HostPart
from loadgen.record.read.accounts import tally
from loadgen.record.read.fields import Fields
from loadgen.record.read.latency import shown, shown_in_us
from loadgen.signs import HostSigns
from loadgen.snapshot import Histogram, Snapshot, Tally
from loadgen.units import NS_PER_S


def in_config(record: Fields) -> tuple[AgentHost, ...]:
    """Return the machines that are to send the load; none where one machine was to send it."""
    return tuple(map(_agent, record.parts("agents"))) if "agents" in record else ()


def in_sample(record: Fields) -> dict[str, Snapshot]:
    """Return each machine's part of an interval. The ends of errors are not recorded: they are taken for unfinished."""
    return {each.text("name"): _in_interval(each) for each in (record.parts("agents") if "agents" in record else ())}


def _in_interval(record: Fields) -> Snapshot:
    ok, errors = record.count("ok"), record.count("errors")
    response = shown_in_us(record, ok + errors)
    return Snapshot(
        tallies={"all": Tally(planned=ok + errors, ok=ok, unfinished=errors)},
        response={"all": response} if response.count else {},
    )


def in_result(record: Fields) -> tuple[HostPart, ...]:
    """Return each machine's part of the load, all commands as one; none where one machine sent it."""
    return tuple(map(_part, record.parts("agents"))) if "agents" in record else ()


def _agent(record: Fields) -> AgentHost:
    return AgentHost(
        name=record.text("name"),
        host=record.text("host"),
        version=record.text("version"),
        python=record.text("python"),
        cpus=record.count("cpus"),
        open_files=record.count("open_files"),
        workers=record.count("workers"),
        connections=record.count("connections"),
        rate_per_s=record.number("rate_per_s"),
        clock_ahead_ns=record.count("clock_ahead_ns"),
        clock_error_ns=record.count("clock_error_ns"),
        wall_ahead_ns=record.count("wall_ahead_ns"),
        wall_error_ns=record.count("wall_error_ns"),
        ceiling_per_s=record.number("ceiling_per_s"),
    )


def _part(record: Fields) -> HostPart:
    counts, response = tally(record.part("counts")), shown(record.part("latency"))
    is_lost = bool(record.get("lost", False))
    return HostPart(
        name=record.text("name"),
        workers=record.count("workers"),
        connections=record.count("connections"),
        measured=Snapshot(
            tallies={"all": counts},
            response={"all": response} if response.count else {},
            lag_ours=shown(record.part("lag_ours")) if "lag_ours" in record else Histogram(),
            answered_in_time=record.count("responses_in_time"),
            cpu_ns=round(record.number("cpu_s") * NS_PER_S),
        ),
        host=None if is_lost else HostSigns(record.may("steal_share"), str(record.may("clock_source", ""))),
        clock_ahead_ns=record.count("clock_ahead_ns"),
        clock_error_ns=record.count("clock_error_ns"),
        ceiling_per_s=record.number("ceiling_per_s"),
    )
