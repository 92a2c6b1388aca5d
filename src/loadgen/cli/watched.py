"""What `loadgen watch` watches under somebody else's load: its monitors, its times, and by what it is judged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from loadgen import config
from loadgen.cli import soaks
from loadgen.cli.options import Given
from loadgen.config import Config, Flag, presets
from loadgen.errors import TargetError, UsageError
from loadgen.escape import printable
from loadgen.judge.expression.parser import parse
from loadgen.judge.expression.syntax import series_named
from loadgen.judge.expression.vocabulary import Known
from loadgen.monitors.plan import MonitorPlan
from loadgen.monitors.procfs import Proc
from loadgen.plan import Target
from loadgen.soak.asked import Asked, series_of
from loadgen.target.talk.identity import identify
from loadgen.units import NS_PER_S


def settings_of(given: Given) -> Config:
    """Return the configuration: that of --config, else none but its defaults."""
    return config.load(presets.CONFIGS.named(given.config), (), {})


def monitors_of(given: Given, settings: Config) -> tuple[MonitorPlan, ...]:
    """Return the monitors of --pid, --server and --metrics, then those of the configuration.

    Raises UsageError and ConfigError for wrong ones, and TargetError where no server answers.
    """
    every = f"{given.every}ns"
    wanted: list[dict[str, object]] = []
    if given.pid is not None:
        wanted.append({"kind": "proc", "pid": given.pid, "every": every})
    if given.metrics is not None:
        wanted.append({"kind": "prometheus", "url": given.metrics, "every": every})
    own = config.monitors(settings)
    plans = [*_resolved(wanted), *_of_server(given.server, every)]
    if given.pid is None and not own:
        plans += _of_listeners(plans, every)
    plans += own
    names = [plan.name for plan in plans]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f'two monitors are named "{printable(name)}": give those of --config other names.')
    return tuple(plans)


def _of_server(address: str | None, every: str) -> tuple[MonitorPlan, ...]:
    if address is None:
        return ()
    for kind, protocol in (("redis", "resp"), ("memcached", "memcache")):
        plans = _resolved([{"kind": kind, "server": address, "every": every}])
        server = plans[0].server
        if server is not None and identify(replace(server, protocol=protocol)):
            return plans
    raise TargetError(f"{printable(address)} answers neither as redis nor as memcached: is its server running?")


def _of_listeners(plans: Iterable[MonitorPlan], every: str) -> tuple[MonitorPlan, ...]:
    """Return the monitor of the process of a server, where it is one of this host that can be read."""
    there = [plan.server for plan in plans if plan.server is not None and soaks.listener(plan.server)]
    return _resolved([{"kind": "proc", "server": str(server.endpoints[0]), "every": every} for server in there])


def _resolved(wanted: list[dict[str, object]]) -> tuple[MonitorPlan, ...]:
    return config.monitors(config.load(None, (), {"monitor": Flag("watch", wanted)})) if wanted else ()


def words_of(plans: tuple[MonitorPlan, ...]) -> str:
    """Return what is watched, in words."""
    return ", ".join(filter(None, map(_words, plans)))


def _words(plan: MonitorPlan) -> str:
    if plan.pid:
        return soaks.process_in_words(plan.pid)
    if plan.kind == "proc" and plan.server is not None:
        return soaks.listener(plan.server)
    if plan.server is not None:
        server = _speaking(plan.kind, plan.server)
        return ", ".join(filter(None, [identify(server), " ".join(map(str, server.endpoints))]))
    return plan.url or plan.name


def _speaking(kind: str, server: Target) -> Target:
    return replace(server, protocol="memcache" if kind == "memcached" else "resp")


def gone_of(pid: int | None) -> Callable[[], str]:
    """Return what says why a process has ended for good, empty while it has not."""
    started = _started(pid) if pid is not None else None
    if pid is None or started is None:
        return lambda: ""
    return lambda: "" if _started(pid) == started else f"process {pid} has ended"


def _started(pid: int) -> int | None:
    """Return what tells a process from others of its number; None for one that is not there, or not on Linux."""
    try:
        stat = Proc(pid).stat()
    except OSError:
        return None
    return None if stat.state in "ZX" else stat.started_ticks


def asked_of(
    given: Given, settings: Config, plans: tuple[MonitorPlan, ...], series: Mapping[str, Mapping[str, Known]]
) -> Asked:
    """Return what is asked, with the series that the monitors have. Raises ConfigError for wrong checks."""
    columns = soaks.columns_of(series)
    kinds = {plan.name: plan.kind for plan in plans}
    bare = Asked(soaks.times_of(given, given.duration / NS_PER_S), columns, kinds, soaks.bands_of(settings))
    own, there = {each.expr for each in settings.check}, set(map(series_of, columns))
    checks = tuple(
        each
        for each in soaks.checks_of(settings, bare)
        # Those that come with loadgen and are of its load have nothing to judge.
        if each.expr in own or all(name.name in there for name in series_named(parse(each.expr)))
    )
    return replace(bare, checks=checks)
