"""The monitor of a container, by the Docker Engine's API on its socket in the Unix domain.

https://docs.docker.com/reference/api/engine has the answers of /containers/NAME/json, /stats and /logs.
"""

from __future__ import annotations

import datetime
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from loadgen.judge.expression.dimension import COUNT, NUMBER, SIZE, TIME
from loadgen.judge.expression.vocabulary import Known
from loadgen.monitors.cpu import CpuTime
from loadgen.monitors.monitor import Found, UnderLoad, Unreadable
from loadgen.monitors.pages import fetch_on
from loadgen.monitors.plan import MonitorPlan
from loadgen.monitors.series import level, total
from loadgen.units import NS_PER_S
from loadgen.web.get import Page

SERIES: Mapping[str, Known] = {
    "running": level(NUMBER, "1 while the container runs, else 0"),
    "healthy": level(NUMBER, "1 when the container's health check succeeds, else 0; only of one that has a check"),
    "restart_count": total(COUNT, "restarts by Docker's restart policy"),
    "oom_killed": level(NUMBER, "1 when the container was ended for lack of memory, else 0"),
    "memory": level(SIZE, "memory of the container, without the page cache that is not in use"),
    "memory_limit": level(SIZE, "the most memory that the container may have"),
    "pids": level(COUNT, "processes and threads"),
    "cpu": level(NUMBER, "CPUs that the container kept busy since the reading before: 1 is one CPU"),
    "uptime": level(TIME, "time since the container's start"),
}

SOCKET = "/var/run/docker.sock"

LOG_LINES = 100
"""The last lines of the log that are kept as evidence."""

_ENGINE = "the Docker Engine"

_FRAME_HEAD = 8
"""The bytes before each piece of a log: the stream's number, three zeros, and the piece's length."""


@dataclass(frozen=True, slots=True)
class Container:
    """What the Engine says of a container."""

    values: Mapping[str, float]
    identity: str
    is_running: bool
    has_terminal: bool
    """A log from a terminal is plain text; any other is in frames."""


def parse_container(body: bytes, now_s: float) -> Container:
    """Return what /containers/NAME/json says, at a Unix time. Raises Unreadable when that is no container."""
    tree = _object(body)
    state = _part(tree, "State")
    if "Status" not in state:
        raise Unreadable(f"{_ENGINE} answered something that is no container")
    is_running = state.get("Running") is True
    values: dict[str, float] = {"running": is_running, "oom_killed": state.get("OOMKilled") is True}
    restarts = tree.get("RestartCount")
    if isinstance(restarts, int):
        values["restart_count"] = restarts
    health = _part(state, "Health").get("Status")
    if health not in (None, "", "none"):
        values["healthy"] = health == "healthy"
    began = str(state.get("StartedAt", ""))
    began_s = _unix(began)
    if is_running and began_s is not None:
        values["uptime"] = max(0.0, now_s - began_s) * NS_PER_S
    return Container(
        {name: float(value) for name, value in values.items()},
        # A container that is down has the start of before: it is another one when it runs again.
        f"container {str(tree.get('Id', ''))[:12]}, started {began}" if is_running else "",
        is_running,
        _part(tree, "Config").get("Tty") is True,
    )


def parse_stats(body: bytes) -> tuple[dict[str, float], int | None]:
    """Return the values of /containers/NAME/stats, and the CPU time in ns until now where it is there."""
    tree = _object(body)
    memory, values = _part(tree, "memory_stats"), dict[str, float]()
    if isinstance(usage := memory.get("usage"), int):
        cache = _part(memory, "stats")
        # As `docker stats` counts: inactive_file of cgroup v2, total_inactive_file of v1.
        unused = cache.get("inactive_file", cache.get("total_inactive_file", 0))
        values["memory"] = float(max(0, usage - unused if isinstance(unused, int) else usage))
    if isinstance(limit := memory.get("limit"), int):
        values["memory_limit"] = float(limit)
    if isinstance(pids := _part(tree, "pids_stats").get("current"), int):
        values["pids"] = float(pids)
    used = _part(_part(tree, "cpu_stats"), "cpu_usage").get("total_usage")
    return values, used if isinstance(used, int) else None


def parse_log(body: bytes, *, has_terminal: bool) -> str:
    """Return the text of a log, of which a container without a terminal has both streams in frames."""
    if not has_terminal:
        pieces, at = [], 0
        while at + _FRAME_HEAD <= len(body):
            length = int.from_bytes(body[at + 4 : at + _FRAME_HEAD])
            pieces.append(body[at + _FRAME_HEAD : at + _FRAME_HEAD + length])
            at += _FRAME_HEAD + length
        body = b"".join(pieces)
    return body.decode("utf-8", "replace")


def _object(body: bytes) -> dict[str, Any]:
    try:
        tree = json.loads(body)
    except (ValueError, RecursionError):
        tree = None
    if not isinstance(tree, dict):
        raise Unreadable(f"{_ENGINE} answered something that is not JSON")
    return tree


def _part(tree: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = tree.get(name)
    return part if isinstance(part, dict) else {}


def _unix(text: str) -> float | None:
    """Return the Unix time of a time in RFC 3339, whose fraction may have nine digits."""
    try:
        return datetime.datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None


class DockerMonitor:
    """The monitor of kind `docker`."""

    kind = "docker"
    series = SERIES

    def __init__(self, plan: MonitorPlan, under: UnderLoad) -> None:
        self.name, self.every_ns = plan.name, plan.every_ns
        self._container, self._timeout_s = plan.container, plan.timeout_ns / NS_PER_S
        named = f"path is {plan.path}" if plan.path else f"DOCKER_HOST is {os.environ.get('DOCKER_HOST')}"
        self._socket = (plan.path or os.environ.get("DOCKER_HOST") or SOCKET).removeprefix("unix://")
        self._no_socket = f"{named}, which is no socket in the Unix domain; let path name one, such as {SOCKET}"
        self._cpu: CpuTime | None = None
        self._identity = ""

    def read(self) -> Found:
        container = parse_container(self._get("json").body, time.time())
        values = dict(container.values)
        if container.identity != self._identity:
            self._identity, self._cpu = container.identity, None
        if container.is_running:
            # With one-shot the Engine does not wait for a second reading of its own.
            of_stats, cpu_ns = parse_stats(self._get("stats?stream=false&one-shot=true").body)
            values |= of_stats
            if cpu_ns is not None:
                now = CpuTime(time.monotonic_ns(), cpu_ns)
                if self._cpu is not None:
                    values["cpu"] = (now - self._cpu).share
                self._cpu = now
        return Found(values, container.identity)

    def evidence(self) -> Mapping[str, str]:
        """Return the last lines of the container's log, and what the Engine says of its state."""
        try:
            page = self._get("json")
            container, tree = parse_container(page.body, time.time()), _object(page.body)
            log = self._get(f"logs?stdout=true&stderr=true&timestamps=true&tail={LOG_LINES}").body
        except Unreadable as unreadable:
            return {"container.txt": f"{unreadable}\n"}
        state = {name: tree.get(name) for name in ("Name", "Id", "Image", "RestartCount", "State")}
        return {
            "container.txt": f"{json.dumps(state, indent=2)}\n",
            "log.txt": parse_log(log, has_terminal=container.has_terminal),
        }

    def close(self) -> None:
        pass

    def _get(self, what: str) -> Page:
        if "://" in self._socket:
            raise Unreadable(self._no_socket)
        page = fetch_on(self._socket, f"/containers/{quote(self._container, safe='')}/{what}", self._timeout_s, _ENGINE)
        if page.status == 404:
            raise Unreadable(f"{_ENGINE} has no container {self._container}")
        if not page.is_good:
            raise Unreadable(f"{_ENGINE} at {self._socket} answered with status {page.status}")
        return page
