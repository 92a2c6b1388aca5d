"""The evidence that a configuration names for a monitor: pages that are fetched and commands that are run."""

from __future__ import annotations

import base64
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping

from loadgen.monitors.command import run
from loadgen.monitors.kinds import PID
from loadgen.monitors.monitor import Monitor, Unreadable
from loadgen.monitors.pages import fetch
from loadgen.monitors.plan import MonitorPlan
from loadgen.secret import without_user
from loadgen.units import NS_PER_S
from loadgen.web.url import is_url

_LONGEST_NAME = 60


def gathered(
    sources: Iterable[str], timeout_s: float, pid: Callable[[], int] | None = None
) -> Iterator[tuple[str, str]]:
    """Yield a file name and a text for each source. A source that cannot be had is there with the reason.

    `{pid}` in a command is replaced by the process that `pid` returns, or raises Unreadable.
    """
    for number, source in enumerate(sources, 1):
        name = f"{number}-{named(source)}"
        try:
            body = _body(source, timeout_s, pid)
        except Unreadable as unreadable:
            yield f"{name}.txt", f"{unreadable}\n"
            continue
        try:
            yield f"{name}.txt", body.decode()
        except UnicodeDecodeError:
            yield f"{name}.b64", base64.encodebytes(body).decode()


def named(source: str) -> str:
    """Return a file name for a source: its letters and digits."""
    shown = without_user(source).partition("://")[2] or source
    return re.sub(r"[^A-Za-z0-9.]+", "-", shown).strip("-.")[:_LONGEST_NAME] or "source"


class WithSources:
    """A monitor whose evidence has what the configuration names, besides its own."""

    def __init__(self, monitor: Monitor, plan: MonitorPlan, pid: Callable[[], int] | None) -> None:
        self.name, self.kind, self.every_ns = monitor.name, monitor.kind, monitor.every_ns
        self.series, self.read, self.close = monitor.series, monitor.read, monitor.close
        self._monitor, self._plan, self._pid = monitor, plan, pid

    def evidence(self) -> Mapping[str, str]:
        """Return the monitor's own evidence and that of its sources."""
        timeout_s = self._plan.timeout_ns / NS_PER_S
        return {**self._monitor.evidence(), **dict(gathered(self._plan.evidence, timeout_s, self._pid))}


def _body(source: str, timeout_s: float, pid: Callable[[], int] | None) -> bytes:
    if is_url(source):
        return fetch(source, timeout_s).body
    if PID in source:
        if pid is None:
            raise Unreadable(f"{PID} is filled in for a monitor of the kind proc only")
        source = source.replace(PID, str(pid()))
    return run(shlex.split(source), timeout_s, with_errors=True).output
