"""The reader of a scenario: a TOML text to a `Scenario`, with the position of every problem.

A scenario is no configuration: it describes no server and no load engine. Its tables are few, and are rows here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from loadgen.config import embedded, placement
from loadgen.config.document.reading import Reading, Rows, as_number, as_share, as_text, one_of, within
from loadgen.config.document.toml_file import parsed, text_of
from loadgen.config.document.toml_text import toml_value
from loadgen.config.overridden import overridden
from loadgen.config.tables.table import Path as KeyPath
from loadgen.config.told.monitors import series, without_credentials
from loadgen.faults.fault import Fault, Layer
from loadgen.faults.kinds import KINDS, Judged
from loadgen.trial.metrics import SELECTORS, vocabulary
from loadgen.trial.observed import ERRORS
from loadgen.trial.plan import Limits
from loadgen.trial.scenario import Scenario
from loadgen.units import parse_duration, parse_rate, shown

PROTOCOLS = ("memcache", "resp", "any")
MOST_NODES = 16
"""Each node is a server of this host."""

MOST_CALLERS = 10_000


def _duration(value: object) -> int:
    return parse_duration(as_number(value))


def _some_time(value: object) -> int:
    if (ns := _duration(value)) == 0:
        raise ValueError('must be longer than 0; write a duration such as "10s"')
    return ns


def _rate(value: object) -> float:
    return parse_rate(as_number(value))


def _classes(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError(f'must be a list of classes of errors, such as ["timeout"], not {shown(value)}')
    return tuple(one_of([*ERRORS])(each) for each in value)


def _clients(value: object) -> tuple[str, ...]:
    names = value if isinstance(value, list) else [value]
    if not names:
        raise ValueError('must name a client, such as "pymemcache", or be a list of names')
    return tuple(as_text(name).strip() for name in names)


def _draws(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError(f'must be a list of kinds of faults, such as ["latency", "kill"], not {shown(value)}')
    return tuple(one_of([name for name, kind in KINDS.items() if kind.judged is Judged.CLIENT])(each) for each in value)


_KEYS: Rows = {
    "title": ("title", as_text),
    "protocol": ("protocol", one_of(PROTOCOLS)),
    "nodes": ("nodes", within(1, MOST_NODES)),
    "workload": ("workload", as_text),
    "rate": ("rate_per_s", _rate),
    "concurrency": ("concurrency", within(1, MOST_CALLERS)),
    "timeout": ("timeout_ns", _some_time),
    "groups": ("groups", within(1, 2)),
    "expects": ("expects", _classes),
    "draws": ("draws", _draws),
    "upstream": ("upstream", as_text),
}
"""By key of the root, the field of a Scenario, and the reader of the key's value."""

_PHASES: Rows = {
    "settle": ("settle_ns", _duration),
    "baseline": ("baseline_ns", _some_time),
    "fault": ("fault_ns", _some_time),
    "recovery": ("recovery_ns", _some_time),
}

_LIMITS: Rows = {
    "recovery": ("recovery_ns", _some_time),
    "refusal": ("refusal_ns", _some_time),
    "healthy": ("healthy", as_share),
    "unread": ("unread_ns", _some_time),
}

_TRIAL: Rows = {"client": ("clients", _clients)}

_PLACEMENT: Rows = {
    "clients": (
        "namespaces",
        placement.reader(
            "the callers of a trial share memory, by which stale answers are found; name network namespaces of this "
            'machine, such as "netns:a,b", or put on a trial of its own on each machine'
        ),
    )
}

_TABLES = ("trial", "placement", "phases", "limits", "client", "fault", "check", "monitor")


def read(path: Path, overrides: Sequence[str] = ()) -> Scenario:
    """Return the scenario of a file. `overrides` are the words after each `--set`, such as `phases.fault=20s`.

    Raises ConfigError with a sentence for every problem.
    """
    return scenario_of(text_of(path), path.stem, str(path), overrides)


def scenario_of(text: str, name: str, source: str, overrides: Sequence[str] = ()) -> Scenario:
    """Return the scenario of a text that messages call `source`. Raises ConfigError as `read` does."""
    file = parsed(text, source)
    problems = [*overridden(file, overrides)]
    reading = Reading(file)
    scenario = _Reader(reading).scenario(name)
    reading.check(*problems)
    return scenario


def changed(scenario: Scenario, overrides: Sequence[str]) -> Scenario:
    """Return a scenario that no file has with the keys that `overrides` set. Raises ConfigError as `read` does."""
    lines = (f"title = {toml_value(scenario.title or 'none')}", f"nodes = {scenario.nodes}")
    given = scenario_of("\n".join(lines), scenario.name, "the command line", overrides)
    fields = {name: getattr(given, name) for name, _ in _KEYS.values() if getattr(given, name) != getattr(_PLAIN, name)}
    kept = {"title": scenario.title, "clients": given.clients, "client": given.client, "limits": given.limits}
    kept |= {"monitors": given.monitors, "namespaces": given.namespaces}
    return replace(scenario, **{**fields, **kept})


_PLAIN = Scenario("", "")
"""A scenario with the default of every key."""


class _Reader:
    """What the tables of a scenario come to."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    def scenario(self, name: str) -> Scenario:
        tree = self._reading.file.tree
        values = self._reading.values((), tree, _KEYS, also=_TABLES)
        if "title" not in tree:
            self._reading.problem(
                (), 'title is missing: write one above the tables, such as title = "node 1 is killed"'
            )
        defaults = Scenario(name, "")
        phases, limits = self._values("phases", _PHASES), self._values("limits", _LIMITS)
        count = values.get("nodes", defaults.nodes)
        groups = values.get("groups", 1)
        values["phases"] = replace(defaults.phases, **phases)
        values["limits"] = Limits(**limits)
        values |= self._values("trial", _TRIAL)
        values |= self._values("placement", _PLACEMENT)
        values["client"] = self._client()
        values["faults"] = tuple(self._faults(count, groups, values["phases"].fault_ns))
        monitors = embedded.monitors(self._reading, SELECTORS)
        values["monitors"] = without_credentials(monitors)
        values["checks"] = embedded.checks(self._reading, vocabulary(count, series(monitors)))
        return Scenario(**({"name": name, "title": ""} | values))

    def _client(self) -> dict[str, str | int | float | bool]:
        table = self._reading.table(("client",))
        for key, value in table.items():
            if not isinstance(value, (str, int, float, bool)):
                self._reading.problem(("client", key), f"must be a number, text, true or false, not {shown(value)}")
        return table

    def _faults(self, nodes: int, groups: int, window_ns: int) -> Iterator[Fault]:
        """Yield the faults, whose keys are those of a configuration's `[[fault]]`, and `group`."""
        found = self._reading.tables(("fault",))
        ours = [{key: value for key, value in table.items() if key != "group"} for table in found]
        # With a problem there are no faults.
        for index, (fault, table) in enumerate(zip(embedded.faults(self._reading, ours), found, strict=False)):
            if fault.at_ns >= window_ns:
                self._reading.problem(("fault", index, "at"), "the fault begins after the end of the fault phase")
            on = self._on(("fault", index), fault, table.get("group"), nodes, groups)
            # Without a seed of its own a fault gets one of the trial.
            yield replace(fault, on=on, seed=fault.seed if "seed" in table else 0)

    def _on(self, path: KeyPath, fault: Fault, group: object, nodes: int, groups: int) -> tuple[int, ...]:
        """Return the numbers of a fault's nodes; those of group 2 follow those of group 1."""
        if beyond := [number for number in fault.on if number > nodes]:
            there = f"the nodes are 1 to {nodes}" if nodes > 1 else "there is one node, 1"
            self._reading.problem((*path, "on"), f"there is no node {beyond[0]}; {there}")
        if group is None:
            # A fault of the proxy is on every group's way to the node.
            ways = groups if fault.layer is Layer.PROXY else 1
            return tuple(number + nodes * way for way in range(ways) for number in fault.on)
        if groups == 1 or fault.layer is not Layer.PROXY:
            why = "write groups = 2 above the tables" if groups == 1 else "only a fault of the proxy is on one group"
            self._reading.problem((*path, "group"), why)
        elif group not in (1, 2):
            self._reading.problem((*path, "group"), f"must be 1 or 2, not {shown(group)}")
        else:
            return tuple(number + nodes * (int(str(group)) - 1) for number in fault.nodes(nodes))
        return fault.on

    def _values(self, name: str, rows: Rows) -> dict[str, Any]:
        return self._reading.values((name,), self._reading.table((name,)), rows)
