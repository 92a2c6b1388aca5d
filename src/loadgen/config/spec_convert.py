"""The converter of redlite-dst's specification and of redlite's written cases, which are YAML, into a spec file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from loadgen.config import spec_file, spec_yaml
from loadgen.config.document.reading import Reading, as_text
from loadgen.config.document.toml_file import TomlFile, text_of
from loadgen.config.document.toml_text import toml_value
from loadgen.config.spec_cases import expectation, words
from loadgen.config.spec_file import Vocabulary
from loadgen.config.tables.table import Path as KeyPath
from loadgen.errors import ConfigError

_SPEC = ("version", "invariants", "faults", "scenarios", "oracle", "simulation")
_CASES = ("name", "version", "tests")

_GROUPS = {"expiration": "expiry"}
"""The groups of the oracle that have another name here."""

_STATUS = frozenset(
    ("SET", "MSET", "SETEX", "PSETEX", "HMSET", "LSET", "LTRIM", "RENAME", "SELECT", "FLUSHDB", "FLUSHALL", "CONFIG")
)
"""Commands that answer with the status OK. Upstream's clients return true, or the text, in its place."""

_TYPES = {"string": "bytes", "list": "array", "null": "nil", "none": "nil", "int": "integer", "float": "bytes"}
"""Types of upstream's clients, as those of replies. A score is a bulk string in RESP2."""


def converted(paths: Sequence[Path], known: Vocabulary) -> str:
    """Return one spec file of several YAML files. Raises ConfigError with every problem, with the YAML's lines."""
    tree: dict[str, Any] = {"version": "1.0"}
    cases: dict[str, dict[str, Any]] = {}
    problems: list[str] = []
    for path in paths:
        try:
            _add(spec_yaml.parsed(text_of(path), str(path)), path, tree, cases, known)
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    if cases:
        tree["case"] = [*cases.values()]
    return "\n".join(_lines((), tree)).lstrip("\n") + "\n"


def _add(file: TomlFile, path: Path, tree: dict[str, Any], cases: dict[str, dict[str, Any]], known: Vocabulary) -> None:
    """Add what one file has. Raises ConfigError."""
    reading = Reading(file)
    if "tests" in file.tree:
        # The name and the version of a file of cases are not needed.
        reading.values((), file.tree, {}, also=_CASES)
        for case in _cases(reading, path.stem.lower()):
            name = case["name"]
            number = next(n for n in range(1, 10_000) if (name if n == 1 else f"{name}_{n}") not in cases)
            case["name"] = name if number == 1 else f"{name}_{number}"
            cases[case["name"]] = case
        reading.check()
        return
    reading.values((), file.tree, {}, also=_SPEC)
    oracle = reading.table(("oracle",))
    if groups := reading.table(("oracle", "command_groups")):
        renamed = {_GROUPS.get(name, name): group for name, group in groups.items()}
        file.positions.update(
            {
                ("oracle", "command_groups", _GROUPS[place[2]], *place[3:]): where
                for place, where in file.positions.items()
                if place[:2] == ("oracle", "command_groups") and len(place) > 2 and place[2] in _GROUPS
            }
        )
        oracle["command_groups"] = renamed
    simulation = reading.table(("simulation",))
    reading.check()
    # The same checks as those of a spec file, at the lines of the YAML.
    spec_file.checked(file, file.source, "", known)
    tree |= {key: file.tree[key] for key in _SPEC if file.tree.get(key) and key not in ("oracle", "simulation")}
    tree |= {key: value for key, value in (("oracle", oracle), ("simulation", simulation)) if value}


# ── Cases ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _cases(reading: Reading, group: str) -> Iterator[dict[str, Any]]:
    for index, test in enumerate(reading.tables(("tests",))):
        path: KeyPath = ("tests", index)
        rows = {"name": ("name", as_text), "description": ("description", as_text)}
        values = reading.values(path, test, rows, also=("setup", "operations"), needs=("name", "operations"))
        title = values.get("name", "")
        case: dict[str, Any] = {"name": f"{group}_{_slug(title)}", "description": values.get("description", title)}
        for key in ("setup", "operations"):
            if found := [*_operations(reading, (*path, key))]:
                case[key] = found
        yield case


def _slug(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")[:60]


def _operations(reading: Reading, path: KeyPath) -> Iterator[dict[str, Any]]:
    for index, operation in enumerate(reading.tables(path)):
        place = (*path, index)
        values = reading.values(place, operation, {"cmd": ("cmd", as_text)}, also=("args", "expect"), needs=("cmd",))
        made: dict[str, Any] = {"cmd": values.get("cmd", "")}
        if args := [*_flat(operation.get("args") or [])]:
            made["args"] = args
        if "expect" in operation:
            made["expect"] = _expected(operation["expect"], made["cmd"].upper())
        for key, read in (("args", lambda value: [*words(value)]), ("expect", expectation)):
            try:
                if key in made:
                    read(made[key])
            except ValueError as error:
                reading.problem((*place, key), str(error))
        yield made


def _flat(value: Any) -> Iterator[Any]:
    """Yield arguments without the lists that upstream's clients take: the words of the command."""
    if isinstance(value, list):
        for each in value:
            yield from _flat(each)
    else:
        yield value


def _expected(value: Any, command: str) -> Any:
    match value:
        case None:
            return {"type": "nil"}
        case bool():
            if command in _STATUS:
                return {"status": "OK"} if value else {"type": "nil"}
            return int(value)
        case float():
            return {"approx": value, "tol": 0}
        case str():
            return {"status": value} if command == "TYPE" or (command in _STATUS and value == "OK") else value
        case list():
            return [_expected(each, command) for each in value]
        case {"type": word}:
            return {"type": _TYPES.get(word, word)}
    return value


# ── TOML ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _lines(path: tuple[str, ...], table: Mapping[str, Any]) -> Iterator[str]:
    """Yield a table as TOML: its values, then the tables in it, then the lists of tables."""
    inner = {key: value for key, value in table.items() if isinstance(value, dict)}
    lists = {key: value for key, value in table.items() if _is_tables(value)}
    values = {key: value for key, value in table.items() if key not in inner and key not in lists and value is not None}
    if path and (values or not (inner or lists)):
        yield from ("", f"[{'.'.join(path)}]")
    for key, value in values.items():
        yield f"{key} = {toml_value(value)}"
    for key, value in inner.items():
        yield from _lines((*path, key), value)
    for key, value in lists.items():
        for each in value:
            yield from ("", f"[[{'.'.join((*path, key))}]]")
            yield from _entries(each)


def _entries(table: Mapping[str, Any]) -> Iterator[str]:
    """Yield the keys of a table in a list, with everything inside them on lines of their own."""
    for key, value in table.items():
        if value is None:
            continue
        if _is_tables(value):
            yield f"{key} = ["
            yield from (f"  {toml_value(each)}," for each in value)
            yield "]"
        else:
            yield f"{key} = {toml_value(value)}"


def _is_tables(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, dict) for each in value)
