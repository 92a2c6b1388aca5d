"""What the command line asks of a soak: its load, its server, its times, its monitors, and by what it is judged."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from loadgen import config
from loadgen.cli import session
from loadgen.cli.flags import Flags, flags_of
from loadgen.cli.options import Given
from loadgen.config import Config, Flag, presets
from loadgen.errors import ConfigError, TargetError, UsageError
from loadgen.escape import printable
from loadgen.judge import check
from loadgen.judge.check import Check
from loadgen.judge.expression.vocabulary import Known
from loadgen.monitors.board import Board
from loadgen.monitors.monitor import UnderLoad, Unreadable
from loadgen.monitors.plan import MonitorPlan
from loadgen.monitors.proc import ProcMonitor
from loadgen.monitors.procfs import Proc
from loadgen.output.words import figures
from loadgen.plan import Plan, Target
from loadgen.protocol import PROTOCOLS, Wire
from loadgen.secret import words_without_secrets
from loadgen.server_plan import ServerPlan, builtin
from loadgen.soak import folder, leader, metrics, side, totals
from loadgen.soak.asked import Asked, record
from loadgen.soak.bands import Band
from loadgen.soak.checkpoints import Schedule
from loadgen.soak.wear import Wear
from loadgen.units import NS_PER_S, format_duration
from loadgen.verify.subject import named

DEFAULT_DURATION = "30m"
CHECKPOINTS = 15
"""The checkpoints of a soak of half an hour or less."""
_LONGEST_INTERVAL_S = 120.0
"""The time between two checkpoints of a longer soak, as in log_capturer's tests."""
_FIRST_LOOK_S = 10.0
"""How long the monitors may take for their first readings."""
_DURATION = "general.duration"
_CONNECTIONS = "connection.connections"
_LAST_PORT = 65_535

WITHOUT_FILE: dict[str, object] = {
    _DURATION: DEFAULT_DURATION,
    "general.warmup": 0,
    "general.threads": 1,
    _CONNECTIONS: 20,
    "workload.keyspace.count": 10_000,
    "workload.values.length": 256,
    "workload.commands.get": 80,
    "workload.commands.set": 20,
    "workload.prefill": True,
}
"""The load without a CONFIG: keys that are all there from the beginning, so that the dataset does not grow."""
OWN_DEFAULTS = (_DURATION, _CONNECTIONS)
"""The keys that have these defaults with a CONFIG, too, where neither it nor a flag has them."""


@dataclass(frozen=True, slots=True)
class Soaked:
    """A soak as it is asked for, before its server is up."""

    settings: Config
    plan: Plan
    server: ServerPlan | None
    """The server that is started; None for one that runs."""
    schedule: Schedule
    monitors: tuple[MonitorPlan, ...]
    folder: str
    embedded: bool
    wear: Wear
    listener: str
    """The process that others have started and that is read, in words; empty for none."""


def soaked(given: Given) -> Soaked:
    """Return what the options ask for. Raises UsageError and ConfigError."""
    flags = flags_of(given)
    session.refuse_several_servers(given, flags)
    if given.config is None:
        flags = replace(flags, keys={**{key: Flag("soak", value) for key, value in WITHOUT_FILE.items()}, **flags.keys})
    flags, embedded = _with_server(given, flags)
    settings = session.settings_of(given, flags, server=flags.target.file)
    if missing := {key: Flag("soak", WITHOUT_FILE[key]) for key in OWN_DEFAULTS if not is_given(settings, key)}:
        flags = flags.having(missing)
        settings = session.settings_of(given, flags, server=flags.target.file)
    refuse(settings)
    settings = settings.warned((*settings.warnings, *not_acted_on(settings)))
    plan = config.resolve(settings)
    wear = Wear.of(given.compress, plan.workload.ttl_ns, plan.target.speaks.ttl_unit_ns)
    plan = replace(plan, workload=replace(plan.workload, ttl_ns=wear.ttl_ns))
    own = builtin(plan.target.protocol) if embedded else config.server_plan(settings, session.name_of(given, flags))
    schedule = schedule_of(given, plan)
    process = "" if settings.monitor or own is not None else listener(plan.target)
    monitors = monitors_of(settings, plan, own, schedule, process)
    return Soaked(settings, plan, own, schedule, monitors, new_folder(given, "soak"), embedded, wear, process)


def is_given(settings: Config, key: str) -> bool:
    """Return True when a CONFIG or a flag has a key, such as "general.duration"."""
    table, _, name = key.partition(".")
    return name in getattr(settings, table).model_fields_set


def new_folder(given: Given, verb: str) -> str:
    """Return the run folder's name. Raises UsageError when there is a run in it."""
    name = str(given.run_folder or time.strftime(f"{verb}-%Y%m%d-%H%M%S"))
    if (Path(name) / folder.RUN).exists():
        raise UsageError(f"{printable(name)} has a run in it already: name another folder by --run-folder.")
    return name


def _with_server(given: Given, flags: Flags) -> tuple[Flags, bool]:
    """Return the flags with a server: where none is named, redis, valkey, memcached or the built-in one."""
    names = given.embedded or flags.target.address or flags.target.file is not None
    typed = any(override.strip().startswith("target.") for override in given.set)
    if names or given.config is not None or typed:
        return flags, bool(given.embedded)
    protocol = flags.keys.get("target.protocol")
    wire = PROTOCOLS[str(protocol.value) if protocol is not None else "resp"].wire
    word = named.resolved(named.AUTO, wire)
    path = presets.SERVERS.path(word)
    if word == "builtin" or path is None:
        return flags.having({"target.endpoints": Flag("--embedded", ["127.0.0.1:1"])}), True
    return replace(flags, target=replace(flags.target, file=path)), False


def refuse(settings: Config) -> None:
    """Raise UsageError for what a soak does not do."""
    session.refuse_faults(settings, "a soak")
    session.refuse_history(settings, "a soak")
    if config.wants_search(settings):
        raise UsageError("workload.saturation_search is not acted on by soak: leave it out, or use saturate.")
    if settings.workload.phase:
        raise UsageError(
            "[[workload.phase]] is not acted on by soak, whose load is the same from end to end: leave it out."
        )
    if settings.general.requests:
        raise UsageError("general.requests is not acted on by soak, which lasts for a time: leave it out.")


def not_acted_on(settings: Config) -> Iterator[str]:
    """Yield a sentence for each key that a CONFIG gives, and a soak does not act on."""
    if "warmup" in settings.general.model_fields_set and settings.general.warmup:
        yield "general.warmup is not acted on by soak, which settles first: --settle says how long."
    if "interval" in settings.general.model_fields_set and settings.general.interval != NS_PER_S:
        yield "general.interval is not acted on by soak: --every is the time between two samples."
    for key in ("format", "color"):
        if key in settings.admin.model_fields_set:
            yield f"admin.{key} is not acted on by soak: --{key} is."


# ── Times ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def schedule_of(given: Given, plan: Plan) -> Schedule:
    """Return the times of the soak. Raises UsageError for times that do not fit together."""
    duration_s = plan.load.duration_ns / NS_PER_S
    if not duration_s:
        raise UsageError("a soak lasts for a time: name one by --duration.")
    if given.closed and plan.load.open_loop:
        raise UsageError(
            f"--closed is a load without a rate, and the rate is {plan.load.rate_per_s:,.6g} requests/s: leave out one "
            "of them; --rate 0 takes a CONFIG's rate away."
        )
    times = times_of(given, duration_s)
    if not (plan.load.open_loop or given.closed) and times.settle_s < 2 * times.every_s:
        raise UsageError(
            f"without a rate, settling finds one, and {_spelled(times.settle_s)} are too short for that: name a rate "
            "by --rate, or settle for longer by --settle."
        )
    at_most_s = (given.at_most or 0) / NS_PER_S
    if at_most_s and at_most_s < duration_s:
        raise UsageError(f"--at-most is the longest that the soak may last, and --duration is {_spelled(duration_s)}.")
    return replace(times, at_most_s=at_most_s)


def times_of(given: Given, duration_s: float) -> Schedule:
    """Return the times that soaks and watches have in common. Raises UsageError when they do not fit together."""
    if given.checkpoints is not None and given.interval is not None:
        raise UsageError("--checkpoints and --interval each say how often things are checked: keep one of them.")
    if given.checkpoints == 0:
        raise UsageError("--checkpoints is at least 1.")
    if given.interval is not None:
        checkpoint_s = given.interval / NS_PER_S
    elif given.checkpoints is not None:
        checkpoint_s = duration_s / given.checkpoints
    else:
        checkpoint_s = min(duration_s / CHECKPOINTS, _LONGEST_INTERVAL_S)
    every_s = given.every / NS_PER_S
    if every_s < 0.1:
        raise UsageError("--every is the time between two samples, and at least 100ms.")
    if checkpoint_s > duration_s:
        raise UsageError(f"--interval is longer than --duration, which is {_spelled(duration_s)}.")
    if checkpoint_s < every_s:
        raise UsageError(
            f"a checkpoint each {_spelled(checkpoint_s)} has no sample of its own with --every {_spelled(every_s)}: "
            "--every is at most the time between two checkpoints; lengthen the duration, or take fewer checkpoints."
        )
    settle_s = leader.settle_s(duration_s) if given.settle is None else given.settle / NS_PER_S
    return Schedule(settle_s, duration_s, checkpoint_s, every_s)


def served_at(word: str | None) -> tuple[str, int] | None:
    """Return host and port of `--serve-go`: "9099" or "0.0.0.0:9099". Raises UsageError."""
    if word is None:
        return None
    host, _, port = word.rpartition(":")
    if not (port.isascii() and port.isdigit() and int(port) <= _LAST_PORT):
        raise UsageError(f'--serve-go is a port, or host:port, not "{printable(word, 60)}".')
    return host.strip("[]") or "127.0.0.1", int(port)


def _spelled(seconds: float) -> str:
    return format_duration(round(seconds * 1000) * (NS_PER_S // 1000))


# ── Monitors ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def monitors_of(
    settings: Config, plan: Plan, own: ServerPlan | None, schedule: Schedule, process: str
) -> tuple[MonitorPlan, ...]:
    """Return the monitors: those of `[[monitor]]`, else those that fit the server, read for each sample.

    `process` is that of a server which others have started, as `listener` returns it.
    """
    if settings.monitor:
        return config.monitors(settings)
    kinds = ["proc"] if own is not None or process else []
    if own is None or own.command[0] != "loadgen":
        kinds.append("redis" if plan.target.speaks.wire is Wire.RESP else "memcached")
    every_ns = round(schedule.every_s * NS_PER_S)
    return tuple(MonitorPlan(kind, kind, every_ns) for kind in (*kinds, "self"))


def listener(server: Target) -> str:
    """Return the process that listens at a server's first address: "process 123 (redis-server)".

    Empty where there is none on this host, or where it is not for this user to read.
    """
    monitor = ProcMonitor(MonitorPlan("proc", "proc", server=server), UnderLoad())
    with contextlib.closing(monitor), contextlib.suppress(Unreadable):
        if not monitor.read().lacking:
            return process_in_words(monitor.pid())
    return ""


def process_in_words(pid: int) -> str:
    """Return "process 123 (redis-server)"."""
    try:
        return f"process {pid} ({Proc(pid).stat().name})"
    except OSError:
        return f"process {pid} (?)"


def first_look(board: Board) -> None:
    """Wait for the first readings. Raises TargetError when a monitor cannot be read."""
    if gaps := board.first_look(_FIRST_LOOK_S):
        raise TargetError(f"the monitor {gaps[0].monitor} cannot be read: {gaps[0].why}.")


# ── Judgement ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def bands_of(settings: Config) -> tuple[Band, ...]:
    return config.soak_bands(settings)


def checks_of(settings: Config, asked: Asked) -> tuple[Check, ...]:
    """Return the checks: those that come with loadgen as far as their names are there, and those of the CONFIG.

    Raises ConfigError when one of the CONFIG is wrong.
    """
    own = {each.expr for each in settings.check}
    names = metrics.vocabulary(asked)
    found: list[Check] = []
    problems: list[str] = []
    for each in config.soak_checks(settings):
        wrong = check.mistakes(each.expr, names)
        if not wrong:
            found.append(each)
        elif each.expr in own:
            problems += [f'[[check]] "{each.expr}": {mistake}' for mistake in wrong]
    if problems:
        raise ConfigError(problems)
    return tuple(found)


def columns_of(series: Mapping[str, Mapping[str, Known]]) -> dict[str, Known]:
    """Return the series of monitors by column."""
    return {f"{monitor}.{name}": known for monitor, names in series.items() for name, known in names.items()}


def asked_of(given: Given, soaked: Soaked, series: Mapping[str, Mapping[str, Known]]) -> Asked:
    """Return what is asked of the soak, with the series that its monitors have. Raises ConfigError for wrong checks."""
    kinds = {plan.name: plan.kind for plan in soaked.monitors}
    columns = columns_of(series)
    bare = Asked(soaked.schedule, columns, kinds, bands_of(soaked.settings), (), soaked.wear)
    checks = checks_of(soaked.settings, bare)
    return replace(bare, series={**totals.columns(checks), **columns}, checks=checks)


def load_in_words(plan: Plan, rate_per_s: float) -> str:
    """Return the load: "20 connections, 80 get : 20 set over 10,000 keys, 500 requests/s, poisson"."""
    whole = sum(weight for _, weight in plan.mix)
    mix = " + ".join(f"{100 * weight / whole:.3g} % {name}" for name, weight in plan.mix if weight)
    keys = ""
    if plan.target.speaks.has_keys:
        lifetime = f" that live for {format_duration(ttl_ns)}" if (ttl_ns := plan.workload.ttl_ns) else ""
        keys = f" over {figures.plural(plan.workload.keyspace.count, 'key', figures.grouped)}{lifetime}"
    if rate_per_s < 0:
        loop = f"at {leader.RATE_SHARE:.0%} of what settling reaches in a closed loop"
    elif rate_per_s:
        arrival = plan.load.arrival if plan.load.open_loop else side.ARRIVAL
        loop = f"{rate_per_s:,.6g} requests/s, {arrival}"
    else:
        loop = "closed loop"
    return f"{figures.plural(plan.wire.connections, 'connection', figures.grouped)}, {mix}{keys}, {loop}"


def run_of(settings: Config, asked: Asked, started_s: float, **known: str) -> dict[str, Any]:
    """Return the fields of `run.json`. `known` are version, host, target and the load in words."""
    end_s = started_s + asked.schedule.settle_s + asked.schedule.duration_s
    return {
        **known,
        "argv": ["loadgen", *words_without_secrets(sys.argv[1:], config.readable_password(settings.target))],
        "pid": os.getpid(),
        "started_s": started_s,
        "started": _moment(started_s),
        "expected_end_s": end_s,
        "expected_end": _moment(end_s),
        "configuration": config.dump(settings, show_secrets=False),
        **record(asked),
    }


def _moment(wall_s: float) -> str:
    return datetime.fromtimestamp(wall_s, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
