"""The monitor of a page that says how a service is: its status, whether it is healthy, and numbers in its JSON."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping

from loadgen.judge.expression.dimension import NUMBER, TIME
from loadgen.judge.expression.vocabulary import Known
from loadgen.monitors.json_path import NotThere, Path, parse_path, value_at, written
from loadgen.monitors.monitor import Found, UnderLoad, Unreadable
from loadgen.monitors.pages import asked, fetch, named
from loadgen.monitors.plan import MonitorPlan
from loadgen.monitors.series import level
from loadgen.units import NS_PER_S
from loadgen.web.get import Page

SERIES: Mapping[str, Known] = {
    "status": level(NUMBER, "HTTP status of the answer"),
    "healthy": level(NUMBER, "1 when the status is 2xx and what `path` names says so, else 0"),
    "answer_time": level(TIME, "time from the connection's beginning to the end of the answer"),
}

HEALTHY = ("ok", "healthy", "up", "pass", "passing", "alive", "ready", "running", "green", "success", "go", "true")
"""The words of a service that is healthy, in lower case. Any other text at `path` says that the service is not."""


_ACCEPT = "application/json, */*;q=0.5"


def parse_health(page: Page, path: Path | None, metrics: Mapping[str, Path]) -> Found:
    """Return the status, the health and the numbers in a page. A number at `path` is healthy unless it is 0.

    Raises Unreadable when a page with a good status is not JSON where JSON is needed. A page without a good status is
    a reading, of a service that is not healthy.
    """
    values: dict[str, float] = {"status": page.status, "healthy": page.is_good}
    if path is None and not metrics:
        return Found(values)
    try:
        document = json.loads(page.body)
    except (ValueError, RecursionError):
        if page.is_good:
            broken = "JSON that is malformed" if named(page) == "JSON" else f"{named(page)}, not JSON"
            raise Unreadable(f"answered {broken}") from None
        return Found(values, lacking=f"answered with status {page.status}" if metrics else "")
    lacking = ""
    try:
        if path is not None:
            values["healthy"] = page.is_good and _is_healthy(value_at(document, path))
    except NotThere as why:
        # A service that is down need not say more.
        lacking = str(why) if page.is_good else ""
        values["healthy"] = 0
    for series, its in metrics.items():
        try:
            values[series] = _number(value_at(document, its), its)
        except NotThere as why:
            lacking = lacking or str(why)
    return Found({name: float(value) for name, value in values.items()}, lacking=lacking)


def _is_healthy(value: object) -> bool:
    return value.lower() in HEALTHY if isinstance(value, str) else bool(value)


def _number(value: object, path: Path) -> float:
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            value = None
    if isinstance(value, bool | int | float) and math.isfinite(number := float(value)):
        return number
    raise NotThere(f"{written(path)} is no number")


class HttpMonitor:
    """The monitor of kind `http`."""

    kind = "http"

    def __init__(self, plan: MonitorPlan, under: UnderLoad) -> None:
        self.name, self.every_ns = plan.name, plan.every_ns
        self._url, self._timeout_s = plan.url, plan.timeout_ns / NS_PER_S
        self._path = parse_path(plan.path) if plan.path else None
        self._metrics = {series: parse_path(text) for series, text in plan.metrics.items()}
        own = {series: level(NUMBER, f"{written(path)} in the page") for series, path in self._metrics.items()}
        self.series: Mapping[str, Known] = {**SERIES, **own}

    def read(self) -> Found:
        begun_ns = time.monotonic_ns()
        page = self._fetch()
        took_ns = time.monotonic_ns() - begun_ns
        if 300 <= page.status < 400:
            raise Unreadable(f"{asked(self._url)} answered with a redirect ({page.status}); name the page itself")
        try:
            found = parse_health(page, self._path, self._metrics)
        except Unreadable as unreadable:
            raise Unreadable(f"{asked(self._url)} {unreadable}") from None
        lacking = f"{asked(self._url)}: {found.lacking}" if found.lacking else ""
        return Found({**found.values, "answer_time": float(took_ns)}, lacking=lacking)

    def evidence(self) -> Mapping[str, str]:
        """Return the page."""
        try:
            page = self._fetch()
        except Unreadable as unreadable:
            return {"page.txt": f"{unreadable}\n"}
        return {"page.txt": f"status {page.status}\n\n{page.body.decode('utf-8', 'replace')}"}

    def close(self) -> None:
        pass

    def _fetch(self) -> Page:
        return fetch(self._url, self._timeout_s, accept=_ACCEPT)
