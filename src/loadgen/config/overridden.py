"""`--set` for files that are no configurations: keys of the root, of a table, or of a table in a list."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from loadgen.config.document.reading import BY_SET
from loadgen.config.document.toml_file import TomlFile
from loadgen.config.loader import parse_override
from loadgen.config.tables.table import Path as KeyPath


def overridden(file: TomlFile, overrides: Sequence[str]) -> Iterator[str]:
    """Put each override, such as `phases.fault=20s`, into the file's tree; yield a sentence for each malformed one.

    A table of a list is named by its number, from 0: `jobs.0.work=5ms`.
    """
    for override in overrides:
        key, _, _ = override.partition("=")
        single = "." not in key and "=" in override
        try:
            path, value = parse_override(f"root.{override}" if single else override)
            where = _numbered(file.tree, path[1:] if single else path)
        except ValueError as error:
            yield str(error)
            continue
        put(file, where, value)


def put(file: TomlFile, path: KeyPath, value: object) -> None:
    """Set a key of the tree, and make the tables around it that are not there."""
    branch: Any = file.tree
    for part, next_part in pairwise(path):
        inner = branch[part] if isinstance(part, int) else branch.get(part)
        if not isinstance(inner, list if isinstance(next_part, int) else dict):
            branch[part] = inner = {}
        branch = inner
    branch[path[-1]] = value
    file.positions[path] = BY_SET


def _numbered(tree: dict[str, object], path: tuple[str, ...]) -> KeyPath:
    """Return a path with the numbers of tables in lists as numbers. Raises ValueError where there is no such table."""
    found: KeyPath = ()
    branch: Any = tree
    for part in path:
        if isinstance(branch, list):
            if not part.isdigit() or int(part) >= len(branch):
                there = f"its tables are {found[-1]}.0 to {found[-1]}.{len(branch) - 1}"
                raise ValueError(f"--set {'.'.join(path)}: {found[-1]} is a list of tables; {there}")
            found = (*found, int(part))
            branch = branch[int(part)]
        else:
            found = (*found, part)
            branch = branch.get(part) if isinstance(branch, dict) else None
    return found
