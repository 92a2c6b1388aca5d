"""A commented configuration with every key and its default, made from the schema so that it cannot go stale."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from pydantic.fields import FieldInfo

from loadgen.config.positions import Path
from loadgen.config.schema import Config, Table
from loadgen.config.toml_text import toml_value
from loadgen.config.tree import alias, dotted, inert, tables, values

_WIDTH = 100

_HEADER = """\
Every key of a configuration, with its default. A key that is commented out has no default, or one that depends on the
machine, or is not acted on yet. Durations take ns, us, ms, s, m and h.
"""


def example() -> str:
    """TOML that loads to the default configuration, without a warning."""
    lines = [*_comment(_HEADER)]
    for path, table in tables():
        if path:
            lines += ["", *_table(path, table)]
    return "\n".join(lines) + "\n"


def _table(path: Path, table: type[Table]) -> Iterator[str]:
    optional = _optional(path)
    mark = "# " if optional else ""
    yield from _comment((table.__doc__ or "").split("\n")[0])
    if (mark_of_all := inert(dict(tables())[path[:-1]].model_fields[str(path[-1])])) is not None:
        yield from _comment(f"The table {mark_of_all.reason}.")
    yield f"{mark}[{dotted(path)}]"
    for name, field in values(table):
        yield ""
        yield from _comment(field.description or "")
        if older := alias(field):
            yield from _comment(f"An older spelling is {older.name}.")
        if (reason := inert(field)) and not optional:
            yield from _comment(f"It {reason.reason}.")
        default = _default(name, field)
        off = optional or inert(field) or default is None or field.default_factory
        shown = field.examples[0] if default is None and field.examples else default
        yield f"{'# ' if off else ''}{name} = {toml_value(shown)}"


def _default(name: str, field: FieldInfo) -> object:
    if name == "endpoints":
        return list(Config().target.endpoints)
    return field.get_default(call_default_factory=True, validated_data={})


def _optional(path: Path) -> FieldInfo | None:
    """The key whose absence is the default for the table at `path`, or for one round it."""
    table: type[Table] = Config
    by_path = dict(tables())
    for depth, part in enumerate(path, start=1):
        field = table.model_fields[str(part)]
        if field.default is None:
            return field
        table = by_path[path[:depth]]
    return None


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(text, _WIDTH - 2)]
