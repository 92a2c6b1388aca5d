"""The reading of a file that is no configuration: its tables by rows, and every problem with its place.

A row names the field of a value, and the reader of its key. A reader returns the value, or raises ValueError with the
rest of a sentence: "must be text in quotes, not 5".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from loadgen.config.document.toml_file import TomlFile
from loadgen.config.tables.table import Path
from loadgen.config.tables.tree import dotted
from loadgen.errors import ConfigError
from loadgen.units import parse_count, shown

Read = Callable[[Any], Any]
Rows = Mapping[str, tuple[str, Read]]

BY_SET = (0, 0)
"""The place of a key that `--set`, or another flag, gave."""


class Reading:
    """One reading of a file, and the problems found on the way."""

    def __init__(self, file: TomlFile, flags: Mapping[Path, str] | None = None) -> None:
        self.file = file
        self._flags = flags or {}
        """By key that a flag of its own gave, the flag."""
        self._problems: list[tuple[tuple[int, int], str]] = []

    def table(self, path: Path) -> dict[str, Any]:
        """Return the table at a path; empty where there is none. A value of another type is a problem."""
        found = self._at(path, {})
        if isinstance(found, dict):
            return found
        self.problem(path, f"must be a table; write [{_header(path)}] and its keys below")
        return {}

    def tables(self, path: Path) -> list[dict[str, Any]]:
        """Return the tables of the list at a path; none where there is no list. Another value is a problem."""
        found = self._at(path, [])
        if isinstance(found, list) and all(isinstance(each, dict) for each in found):
            return found
        self.problem(path, f"must be a list of tables; write [[{_header(path)}]] above the keys of each")
        return []

    def values(
        self, path: Path, table: Mapping[str, Any], rows: Rows, *, also: Sequence[str] = (), needs: Sequence[str] = ()
    ) -> dict[str, Any]:
        """Return the values of a table's keys, by field. `also` are keys that are read elsewhere, `needs` those that
        must be there."""
        found = {}
        for key in needs:
            if key not in table:
                self.problem(path, f"{key} is missing; add it")
        for key, value in table.items():
            if key in also:
                continue
            if key not in rows:
                self.problem((*path, key), f"unknown key; {hint(key, [*also, *rows], 'the keys are')}")
                continue
            field, read = rows[key]
            try:
                found[field] = read(value)
            except ValueError as error:
                self.problem((*path, key), str(error))
        return found

    def problem(self, path: Path, sentence: str) -> None:
        """Keep a problem with its place: the key's own, or the nearest around it."""
        place, where = self.place(path)
        # A flag names the key by itself.
        key = "" if where in self._flags.values() else f"{dotted(path)}{': ' * bool(path)}"
        self._problems.append((place, f"{where}: {key}{sentence}"))

    def flag_problem(self, flag: str, sentence: str) -> None:
        """Keep a problem with a flag that gave no key of its own."""
        self._problems.append((BY_SET, f"{flag}: {sentence}"))

    def place(self, path: Path) -> tuple[tuple[int, int], str]:
        """Return the place of a key, or the nearest around it, for sorting, and as the beginning of a message."""
        known = self.file.positions
        known_path = next((path[:n] for n in range(len(path), 0, -1) if path[:n] in known), None)
        source = self.file.source
        if known_path is None:
            return BY_SET, source
        place = known[known_path]
        flag = self._flags.get(known_path, "--set")
        return place, flag if place == BY_SET else f"{source}:{place[0]}:{place[1]}"

    def check(self, *before: str) -> None:
        """Raise ConfigError with every problem in the order of places, after those that are known without a place."""
        if before or self._problems:
            raise ConfigError([*before, *(words for _, words in sorted(self._problems, key=lambda found: found[0]))])

    def _at(self, path: Path, default: object) -> object:
        branch: Any = self.file.tree
        for part in path:
            inside = part in branch if isinstance(branch, dict) else isinstance(part, int) and isinstance(branch, list)
            if not inside:
                return default
            branch = branch[part]
        return branch


def _header(path: Path) -> str:
    return dotted(tuple(part for part in path if isinstance(part, str)))


def hint(word: str, names: Sequence[str], otherwise: str) -> str:
    """Return "did you mean …?", or all names after `otherwise` when none is similar."""
    near = get_close_matches(word.lower()[:40], names, n=1)
    return f"did you mean {near[0]}?" if near else f"{otherwise} {', '.join(names)}"


# ── Readers ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def as_text(value: object) -> str:
    """Read text that is not blank."""
    if isinstance(value, str) and not value.strip():
        raise ValueError("must not be empty")
    if not isinstance(value, str):
        raise ValueError(f"must be text in quotes, not {shown(value)}")
    return value


def as_number(value: object) -> str | int | float:
    """Read a number, or text that stands for one."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError(f"must be a number, or text in quotes, not {shown(value)}")
    return value


def as_share(value: object) -> float:
    """Read a share from 0 to 1, or text in percent."""
    written = as_number(value)
    number, per = (written[:-1], 100) if isinstance(written, str) and written.endswith("%") else (written, 1)
    try:
        share = float(number) / per
    except ValueError:
        share = -1.0
    if not 0.0 <= share <= 1.0:
        raise ValueError(f'{shown(value)} is no share; write one from 0 to 1, such as 0.05 or "5%"')
    return share


def one_of(names: Sequence[str]) -> Read:
    """Return the reader of one of some words."""

    def read(value: object) -> str:
        if value in names:
            return str(value)
        near = get_close_matches(str(value).lower()[:40], names, n=1)
        suggestion = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"must be one of {', '.join(names)}, not {shown(value)}{suggestion}")

    return read


def within(least: int, most: int) -> Read:
    """Return the reader of a whole number within bounds."""

    def read(value: object) -> int:
        count = parse_count(as_number(value))
        if not least <= count <= most:
            raise ValueError(f"must be from {least:,} to {most:,}, not {shown(value)}")
        return count

    return read
