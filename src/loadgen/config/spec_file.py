"""The reader of a spec file: a TOML text to a `Spec`, with the position of every problem.

What verification runs by default is in `verify/spec.toml`, which users copy. The tables and keys are those of
redlite-dst's dst-spec.yaml, and `[[case]]` beside them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

from loadgen.config.document.reading import Read, Reading, Rows, as_text, hint, one_of, within
from loadgen.config.document.toml_file import TomlFile, parsed, text_of
from loadgen.config.spec_cases import cases
from loadgen.config.tables.table import Path as KeyPath
from loadgen.units import parse_duration, shown
from loadgen.verify.spec import (
    CATEGORIES,
    LEAST_WRITES,
    MOST_WRITES,
    PARTS,
    SEVERITIES,
    STORES,
    CommandGroup,
    Expected,
    FaultKind,
    Invariant,
    Oracle,
    Scenario,
    ScenarioTest,
    SimulatedScenario,
    Simulation,
    Spec,
)

SHIPPED = Path(__file__).parents[1] / "verify" / "spec.toml"
"""The file that comes with loadgen."""

MOST_KEYS = 2**16
"""A spec file has thousands of keys, as each word of a case counts."""

MOST_SEEDS = 10_000_000


def _as_written(word: str) -> str:
    return word


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The names that a file may use. A reader returns the full name, or raises ValueError."""

    invariant: Read = _as_written
    fault: Read = _as_written
    persistence: Read = _as_written
    """How a server keeps its data."""
    group: Read = _as_written
    """Of commands that the oracle compares."""
    reference: Read = _as_written
    """The server whose replies are right."""
    smoke: Read = _as_written
    """The group of the kv suite that a test of [scenarios.smoke] names."""
    taken: frozenset[str] = field(default_factory=frozenset)
    """The names of tests, which no case may have."""


def read(path: Path, known: Vocabulary) -> Spec:
    """Return the spec of a file. Raises ConfigError with a sentence for every problem."""
    return spec_of(text_of(path), str(path), known)


@cache
def shipped_text() -> str:
    """Return the text of the file that comes with loadgen."""
    return SHIPPED.read_text(encoding="utf-8")


def spec_of(text: str, source: str, known: Vocabulary) -> Spec:
    """Return the spec of a text that messages call `source`. Raises ConfigError as `read` does."""
    return checked(parsed(text, source or "spec.toml", MOST_KEYS), source, hash_of(text), known)


def hash_of(text: str) -> str:
    """Return the hash by which artifacts know a spec file: 16 hexadecimal digits."""
    return blake2b(text.encode(), digest_size=8).hexdigest()


def checked(file: TomlFile, source: str, hash: str, known: Vocabulary) -> Spec:
    """Return the spec of a file's tree. Raises ConfigError with a sentence for every problem."""
    reading = Reading(file)
    spec = _Reader(reading, known).spec(source, hash)
    reading.check()
    return spec


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError(f"must be a list of names in quotes, not {shown(value)}")
    return tuple(map(as_text, value))


def _counts(value: object) -> tuple[int, ...]:
    return tuple(map(within(1, 10**12), value if isinstance(value, list) else [value]))


def _switch(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"must be true or false, without quotes, not {shown(value)}")
    return value


def _probability(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise ValueError(f"must be a number from 0 to 1, without quotes, not {shown(value)}")
    return float(value)


def _duration(value: object) -> int:
    return parse_duration(as_text(value))


_COUNT = within(1, 10**12)
_PERCENT = within(1, 1_000_000)
_LIST = ("operations", _texts)
_MEASURE = ("measure", _texts)

_ROOT = ("invariants", "faults", "scenarios", "oracle", "simulation", "case")


def _writes(value: object) -> tuple[str, ...] | int:
    """Return the commands that a case of chaos may write with, or its most writes."""
    if not isinstance(value, list):
        most: int = within(LEAST_WRITES, MOST_WRITES)(value)
        return most
    commands = _texts(value)
    if STORES not in map(str.upper, commands):
        raise ValueError(f"must name {STORES}, with which cases of chaos write, or be the most writes of a case")
    return commands


_TESTS: dict[str, Rows] = {
    "smoke": {
        "operations": _LIST,
        "keys": ("keys", _COUNT),
        "iterations": ("iterations", _COUNT),
        "include_restart": ("include_restart", _switch),
    },
    "properties": {"invariants": ("invariants", _texts), "operations": _LIST},
    "chaos": {
        "faults": ("faults", _texts),
        "operations": ("operations", _writes),
        "expect": ("expect", one_of(tuple(Expected))),
        "persistence": ("persistence", _texts),
    },
    "stress": {
        "connections": ("connections", _counts),
        "keys": ("keys", _counts),
        "value_sizes": ("value_sizes", _counts),
        "operations": ("requests", _COUNT),
        "operations_per_connection": ("operations_per_connection", _COUNT),
        "measure": _MEASURE,
    },
    "soak": {
        "duration": ("duration", _duration),
        "operations_per_second": ("operations_per_second", _COUNT),
        "measure": _MEASURE,
    },
}
"""By scenario, the keys of its tests beside `name`."""

_THRESHOLDS: Rows = {
    "rss_growth_percent": ("rss_growth_percent", _PERCENT),
    "throughput_drop_percent": ("throughput_drop_percent", _PERCENT),
}

_DESCRIPTION: Rows = {"description": ("description", as_text)}
_NAMED: Rows = {"name": ("name", as_text), **_DESCRIPTION}


class _Reader:
    """What the tables of a spec file come to."""

    def __init__(self, reading: Reading, known: Vocabulary) -> None:
        self._reading = reading
        self._known = known
        self._listed_names: dict[str, list[str]] = {}
        """The names that the file lists as invariants and as faults."""

    def spec(self, source: str, hash: str) -> Spec:
        root = self._reading.values((), self._reading.file.tree, {"version": ("version", as_text)}, also=_ROOT)
        if (version := root.get("version", "1.0")) != "1.0":
            self._reading.problem(("version",), f'must be "1.0", the only version there is, not {shown(version)}')
        invariants, faults = self._read_invariants(), self._read_faults()
        return Spec(
            source=source,
            hash=hash,
            invariants=invariants,
            faults=faults,
            scenarios=dict(self._scenarios()),
            oracle=self._oracle(),
            simulation=self._simulation(),
            cases=cases(self._reading, self._known.taken),
        )

    def _read_invariants(self) -> tuple[Invariant, ...]:
        rows: Rows = {
            "name": ("name", self._known.invariant),
            "description": ("description", as_text),
            "category": ("category", one_of(CATEGORIES)),
        }
        needs = ("name", "description", "category")
        return tuple(Invariant(**values) for values in self._named("invariants", rows, needs))

    def _read_faults(self) -> tuple[FaultKind, ...]:
        rows: Rows = {
            "name": ("name", self._known.fault),
            "description": ("description", as_text),
            "severity": ("severity", one_of(SEVERITIES)),
            "recovery": ("recovery", as_text),
        }
        needs = ("name", "description", "severity")
        return tuple(FaultKind(**values) for values in self._named("faults", rows, needs))

    def _scenarios(self) -> Iterator[tuple[str, Scenario]]:
        for name in self._reading.table(("scenarios",)):
            path: KeyPath = ("scenarios", name)
            if name not in PARTS:
                self._reading.problem(path, f"unknown scenario; {hint(name, PARTS, 'the scenarios are')}")
                continue
            rows: Rows = {**_DESCRIPTION, "default_seeds": ("default_seeds", within(1, MOST_SEEDS))}
            values = self._reading.values(path, self._reading.table(path), rows, also=("tests",))
            yield name, Scenario(tests=tuple(self._tests(name)), **values)

    def _tests(self, scenario: str) -> Iterator[ScenarioTest]:
        path: KeyPath = ("scenarios", scenario, "tests")
        also = ("alert_threshold",) if scenario == "soak" else ()
        for place, values in self._listed(path, {**_NAMED, **_TESTS[scenario]}, needs=("name",), also=also):
            values.pop("description", None)
            given = {key: values.pop(key, ()) for key in ("invariants", "faults", "operations", "persistence")}
            if isinstance(given["operations"], int):
                given |= {"operations": (), "most_operations": given["operations"]}
            given["invariants"] = self._declared(place, "invariants", given["invariants"], self._known.invariant)
            given["faults"] = self._declared(place, "faults", given["faults"], self._known.fault)
            given["persistence"] = self._known_names(
                place, "persistence", given["persistence"], self._known.persistence
            )
            if also:
                inner = (*place, *also)
                values |= self._reading.values(inner, self._reading.table(inner), _THRESHOLDS)
            test = ScenarioTest(values.pop("name", ""), **given, settings=values)
            if scenario == "smoke" and test.name:
                self._names_a_group(place, test)
            yield test

    def _names_a_group(self, path: KeyPath, test: ScenarioTest) -> None:
        try:
            self._known.smoke(test)
        except ValueError as error:
            self._reading.problem(path, str(error))

    def _oracle(self) -> Oracle:
        path: KeyPath = ("oracle",)
        rows: Rows = {**_DESCRIPTION, "reference": ("reference", lambda value: self._known.reference(as_text(value)))}
        values = self._reading.values(path, self._reading.table(path), rows, also=("command_groups",))
        groups = {}
        for name in self._reading.table((*path, "command_groups")):
            place = (*path, "command_groups", name)
            inner = {"commands": ("commands", _texts), "test_cases": ("test_cases", within(1, MOST_SEEDS))}
            group = CommandGroup(**self._reading.values(place, self._reading.table(place), inner))
            try:
                groups[self._known.group(name)] = group
            except ValueError as error:
                self._reading.problem(place, str(error))
        return Oracle(command_groups=groups, **values)

    def _simulation(self) -> Simulation:
        path: KeyPath = ("simulation",)
        also = ("default_config", "scenarios")
        values = self._reading.values(path, self._reading.table(path), _DESCRIPTION, also=also)
        mosts = {"seeds": MOST_SEEDS, "operations_per_seed": 1_000_000, "clients": 10**12, "tick_ms": 1000}
        counts: Rows = {name: (name, within(1, most)) for name, most in mosts.items()}
        place = (*path, "default_config")
        config = self._reading.values(place, self._reading.table(place), counts)
        rows: Rows = {**_NAMED, "fault_rate": ("fault_rate", _probability), "faults": ("faults", _texts)}
        scenarios = []
        for where, inner in self._listed((*path, "scenarios"), rows, needs=("name",)):
            inner["faults"] = self._declared(where, "faults", inner.get("faults", ()), self._known.fault)
            scenarios.append(SimulatedScenario(**({"name": ""} | inner)))
        return Simulation(default_config=config, scenarios=tuple(scenarios), **values)

    # ── Lists ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _listed(
        self, path: KeyPath, rows: Rows, *, needs: Sequence[str], also: Sequence[str] = ()
    ) -> Iterator[tuple[KeyPath, dict[str, Any]]]:
        """Yield the path and the values of each table of a list."""
        for index, table in enumerate(self._reading.tables(path)):
            place = (*path, index)
            yield place, self._reading.values(place, table, rows, needs=needs, also=also)

    def _named(self, key: str, rows: Rows, needs: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Yield the values of each table of a list whose tables have names, and are complete."""
        listed = self._listed_names.setdefault(key, [])
        for path, values in self._listed((key,), rows, needs=needs):
            if (name := values.get("name")) in listed:
                self._reading.problem((*path, "name"), f"{shown(name)} is listed already; keep one of them")
            if name is not None:
                listed.append(name)
            if {*values} >= {*needs}:
                yield values

    def _declared(self, path: KeyPath, key: str, names: Sequence[str], full: Read) -> tuple[str, ...]:
        """Return the full names of invariants or faults that a test names, which the file must list."""
        listed = self._listed_names[key]

        def declared(name: str) -> str:
            word: str = full(name)
            if word not in listed and listed:
                raise ValueError(f"{shown(name)} is not listed in [[{key}]]; {hint(name, listed, 'listed are')}")
            return word

        return self._known_names(path, key, names, declared)

    def _known_names(self, path: KeyPath, key: str, names: Sequence[str], full: Read) -> tuple[str, ...]:
        """Return the full names of a list of names; each that has none is a problem."""
        found = []
        for index, name in enumerate(names):
            try:
                found.append(full(name))
            except ValueError as error:
                self._reading.problem((*path, key, index), str(error))
        return tuple(found)
