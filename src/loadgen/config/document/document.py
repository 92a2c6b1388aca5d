"""A document: the file, flags and `--set` of a user as one tree of raw values, with the origin of each key.

The values are TOML's, and the meaning of keys is not known here. Only older spellings of keys are: they are replaced,
so that a later layer wins whichever spelling each layer used.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy

from loadgen.config.document.origin import Origin
from loadgen.config.document.problem import Problem
from loadgen.config.document.toml_file import TomlFile
from loadgen.config.tables.refused import ProblemCode
from loadgen.config.tables.table import Path
from loadgen.config.tables.tree import alias, dotted, tables

_ALIASES = {
    (*path, mark.name): ((*path, name), mark.wins)
    for path, table in tables()
    for name, field in table.model_fields.items()
    if (mark := alias(field))
}


class Document:
    """The tree, and the origin of each path in it. Layers are added in order; a later one overrides an earlier one."""

    def __init__(self) -> None:
        self.tree: dict[str, object] = {}
        self.origins: dict[Path, Origin] = {}
        self.problems: list[Problem] = []
        """Problems before validation: keys given in both spellings where neither wins, tables in the wrong file."""
        self.cautions: list[Problem] = []
        """Cautions for keys of the file that are not acted on, as their older spelling is given too and wins."""

    def add_file(self, file: TomlFile) -> None:
        """Add the file's layer, which must be the first."""
        self.tree = deepcopy(file.tree)
        for path, (line, column) in file.positions.items():
            self.origins[path] = Origin.in_file(file.source, line, column, dotted(path))
        for old, (new, old_wins) in _ALIASES.items():
            if old not in self.origins:
                continue
            if new in self.origins:
                if old_wins:
                    sentence = f"is not acted on, as {old[-1]}, its older spelling, is given too and wins"
                    self.cautions.append(Problem((new,), ProblemCode.CAUTION, sentence, self.origins[new]))
                else:
                    sentence = f"is an older spelling of {new[-1]}, which is given too; keep one of them"
                    self.problems.append(Problem((old,), ProblemCode.TWO_SPELLINGS, sentence, self.origins[old]))
            parent = self._table_at(old[:-1])
            assert parent is not None, "a key with a position has a table round it"
            parent[str(new[-1])] = parent.pop(str(old[-1]))
            self.origins[new] = self.origins.pop(old)

    def add(self, path: Path, value: object, origin: Origin) -> None:
        """Add a key from the command line."""
        if path in _ALIASES:
            path, _ = _ALIASES[path]
        branch = self.tree
        for part in path[:-1]:
            inner = branch.get(str(part))
            if not isinstance(inner, dict):
                inner = branch[str(part)] = {}
            branch = inner
        # A copy, as a later key may be added to it.
        branch[str(path[-1])] = deepcopy(value)
        # Keys below an overridden key are overridden with it.
        self._remove_origins(path)
        self.origins[path] = origin
        self.cautions = [caution for caution in self.cautions if path not in caution.paths]

    def replace(self, table: str, value: object, origins: dict[Path, Origin]) -> None:
        """Replace a table. Only the origins of keys in the table are added."""
        self.drop((table,))
        self.tree[table] = deepcopy(value)
        self.origins |= {path: origin for path, origin in origins.items() if path[0] == table}

    def drop(self, path: Path) -> None:
        """Remove a key, with every key below it."""
        if parent := self._table_at(path[:-1]):
            parent.pop(str(path[-1]), None)
        self._remove_origins(path)

    def given(self, path: Path) -> bool:
        """True when the user gave this key, or a key in this table."""
        return any(known[: len(path)] == path for known in self.origins)

    def origin(self, path: Path) -> Origin | None:
        """Return the nearest origin: the key's own, or that of the first key in it, or those of its table or list."""
        for length in range(len(path), 0, -1):
            if found := self.origins.get(path[:length]):
                return found
            if within := [origin for known, origin in self.origins.items() if known[:length] == path[:length]]:
                return min(within)
        return None

    def without(self, bad: set[Path]) -> dict[str, object]:
        """Return a copy of the tree without the keys of `bad`, and the elements of lists."""
        pruned = deepcopy(self.tree)
        # Elements go from the end, as they are counted in the whole list.
        for path in sorted(bad, key=lambda path: path[-1] if isinstance(path[-1], int) else -1, reverse=True):
            parent: object = pruned
            for part in path[:-1]:
                parent = parent.get(part) if isinstance(parent, dict) else None
            if isinstance(parent, dict):
                parent.pop(path[-1], None)
            elif isinstance(parent, list):
                del parent[int(path[-1])]
        return pruned

    def values(self) -> Iterator[tuple[Path, object]]:
        """Yield every path in the tree with its raw value, outer before inner; of lists, elements that are tables."""

        def walk(path: Path, branch: dict[str, object]) -> Iterator[tuple[Path, object]]:
            for name, value in branch.items():
                yield (*path, name), value
                if isinstance(value, dict):
                    yield from walk((*path, name), value)
                elif isinstance(value, list):
                    yield from (
                        ((*path, name, index), each) for index, each in enumerate(value) if isinstance(each, dict)
                    )

        return walk((), self.tree)

    def _remove_origins(self, path: Path) -> None:
        """Remove the origins of a key and of every key below it."""
        for stale in [known for known in self.origins if known[: len(path)] == path]:
            del self.origins[stale]

    def _table_at(self, path: Path) -> dict[str, object] | None:
        branch: object = self.tree
        for part in path:
            branch = branch.get(part) if isinstance(branch, dict) else None
        return branch if isinstance(branch, dict) else None
