"""A commented configuration with every key and its default, made from the schema so that it cannot go stale."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from pydantic.fields import FieldInfo

from loadgen.config.document.toml_text import toml_value
from loadgen.config.tables.schema import Config
from loadgen.config.tables.table import Path, Table
from loadgen.config.tables.tree import alias, header, inert, is_list, keys, tables, values

_WIDTH = 100

_HEADER = """\
Every key of a configuration, with its default. A commented key has no default, has one that depends on the machine, or
is not acted on. A value with a unit is written in quotes: ns, us, ms, s, m and h for durations, k, m and g for counts
and rates ("10k"), and for sizes the units of redis.conf ("64kb") and others ("64KiB").
"""


def example() -> str:
    """Return TOML that loads to the default configuration, without a warning."""
    lines = [*_comment(_HEADER)]
    explained: set[tuple[str, str]] = set()
    for path, table in tables():
        if path:
            lines += ["", *_table(path, table, explained)]
    return "\n".join(lines) + "\n"


def _table(path: Path, table: type[Table], explained: set[tuple[str, str]]) -> Iterator[str]:
    """Yield a table's lines. A key is explained once: `explained` has the keys of former tables, with their texts."""
    field = dict(keys(dict(tables())[path[:-1]]))[str(path[-1])]
    yield from _comment((table.__doc__ or "").split("\n")[0])
    if reason := inert(field):
        yield from _comment(f"The table {reason.reason}.")
    optional = _optional(path)
    # The example of a list of tables has every key in at least one table.
    for index, entry in enumerate(field.examples[0] if is_list(field) and field.examples else [{}]):
        yield from [""] if index else []
        yield f"{'# ' if optional else ''}{header(path)}"
        for name, key in values(table):
            if entry and name not in entry:
                continue
            if (name, key.description or "") not in explained:
                yield ""
                yield from _comment(key.description or "")
                yield from _marks(key, optional=bool(optional))
                explained.add((name, key.description or ""))
            default = _default(name, key)
            off = optional or inert(key) or default in (None, (), {}) or key.default_factory
            # An empty list or table does not show its elements; an example does.
            shown = entry.get(name, key.examples[0] if default in (None, (), {}) and key.examples else default)
            yield f"{'# ' if off else ''}{name} = {toml_value(shown)}"


def _marks(key: FieldInfo, optional: bool) -> Iterator[str]:
    if older := alias(key):
        yield from _comment(f"An older spelling is {older.name}.")
    if (reason := inert(key)) and not optional:
        yield from _comment(f"It {reason.reason}.")


def _default(name: str, field: FieldInfo) -> object:
    if name == "endpoints":
        return list(Config().target.endpoints)
    return None if field.is_required() else field.get_default(call_default_factory=True, validated_data={})


def _optional(path: Path) -> FieldInfo | None:
    """Return the key of the table at `path`, or of one around it, that is absent by default; None if all are there."""
    table: type[Table] = Config
    by_path = dict(tables())
    for depth, part in enumerate(path, start=1):
        field = dict(keys(table))[str(part)]
        if field.default is None or is_list(field):
            return field
        table = by_path[path[:depth]]
    return None


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(text, _WIDTH - 2)]
