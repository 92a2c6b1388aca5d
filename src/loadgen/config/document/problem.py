"""Problems with keys. pydantic's errors become sentences that say what is wrong and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from loadgen.config.document.origin import Origin
from loadgen.config.document.toml_text import toml_value
from loadgen.config.tables.refused import ProblemCode, Refused
from loadgen.config.tables.table import Path, Table
from loadgen.config.tables.tree import alias, header, holds_table, keys, subtable, tables

_TABLES: dict[Path, type[Table]] = dict(tables())

_SECRET: set[Path] = {("target", "password"), ("target", "server", "env")}
"""Keys, and tables of keys, whose values no message repeats, as messages end up in logs."""

_LONGEST_SHOWN = 60

_ELSEWHERE: dict[Path, str] = {
    ("ratelimit",): "write rate_limit in [workload], or [[workload.phase]] for one that changes"
}
"""The equivalents of other tools' tables (rpc-perf's), by their names there."""


@dataclass(frozen=True)
class Problem:
    """A problem with a key, or with several that contradict each other, the one to name first."""

    paths: tuple[Path, ...]
    code: ProblemCode
    """The same for all problems of one kind, whatever the words."""
    sentence: str
    """The text after "table.key: "."""
    origin: Origin | None = None
    """The place to name; None for the place that the document has for `paths`."""


def problems_in(error: ValidationError) -> Iterator[Problem]:
    """Yield a problem for each of pydantic's errors."""
    for details in error.errors(include_url=False):
        path: Path = details["loc"]
        yield Problem((path,), _code(details), _sentence(details, path))


_CODES = {
    "extra_forbidden": ProblemCode.UNKNOWN,
    "missing": ProblemCode.MISSING,
    "literal_error": ProblemCode.NO_CHOICE,
    "int_type": ProblemCode.WRONG_TYPE,
    "int_from_float": ProblemCode.WRONG_TYPE,
    "int_parsing_size": ProblemCode.WRONG_TYPE,
    "float_type": ProblemCode.WRONG_TYPE,
    "finite_number": ProblemCode.WRONG_TYPE,
    "bool_type": ProblemCode.WRONG_TYPE,
    "string_type": ProblemCode.WRONG_TYPE,
    "tuple_type": ProblemCode.WRONG_TYPE,
    "model_type": ProblemCode.WRONG_TYPE,
    "dict_type": ProblemCode.WRONG_TYPE,
    "too_short": ProblemCode.EMPTY,
    "greater_than_equal": ProblemCode.TOO_SMALL,
    "greater_than": ProblemCode.TOO_SMALL,
    "less_than_equal": ProblemCode.TOO_LARGE,
    "multiple_of": ProblemCode.NOT_A_MULTIPLE,
}
"""The code of each of pydantic's types of errors, apart from `value_error`."""


def _code(error: ErrorDetails) -> ProblemCode:
    if error["type"] == "value_error":
        refused = error.get("ctx", {})["error"]
        return refused.code if isinstance(refused, Refused) else ProblemCode.MALFORMED
    return _CODES.get(error["type"], ProblemCode.INVALID)


def _sentence(error: ErrorDetails, path: Path) -> str:
    limits = error.get("ctx", {})
    match error["type"]:
        case "extra_forbidden":
            return _unknown(path, error["input"])
        case "value_error":
            return str(limits["error"])
        case "missing":
            return f"is missing from {header(path[:-1])}; add it"
        case "literal_error":
            return _no_choice(path, error["input"])
        case "int_type" | "int_from_float" | "int_parsing_size":
            return f"must be a whole number, without quotes, not {_shown(path, error['input'])}"
        case "float_type" | "finite_number":
            return f"must be a number, without quotes, not {_shown(path, error['input'])}"
        case "bool_type":
            return f"must be true or false, without quotes, not {_shown(path, error['input'])}"
        case "string_type":
            return f"must be text in quotes, not {_shown(path, error['input'])}"
        case "tuple_type":
            if _names(path) in _TABLES:
                return f"must be a list of tables; write {header(path)} above the keys of each"
            return f"must be a list, such as {_example(path)}, not {_shown(path, error['input'])}"
        case "too_short":
            return f"must not be empty; write a list such as {_example(path)}"
        case "model_type" | "dict_type":
            return f"must be a table; write {header(path)} and its keys below, not {_shown(path, error['input'])}"
        case "greater_than_equal":
            return f"must be at least {_number(limits['ge'])}, not {_shown(path, error['input'])}"
        case "greater_than":
            return f"must be more than {_number(limits['gt'])}, not {_shown(path, error['input'])}"
        case "multiple_of":
            return f"must be a multiple of {_number(limits['multiple_of'])}, not {_shown(path, error['input'])}"
        case "less_than_equal":
            return f"must be at most {_number(limits['le'])}, not {_shown(path, error['input'])}"
        case _:
            return f"{error['msg'][:1].lower()}{error['msg'][1:]}, not {_shown(path, error['input'])}"


def _unknown(path: Path, value: object) -> str:
    *parent, key = path
    name, home = str(key), _names(tuple(parent))
    is_table = isinstance(value, dict)
    noun = "unknown table" if is_table else "unknown key"
    if hint := _ELSEWHERE.get(path):
        return f"{noun}; {hint}"
    table = _TABLES[home]
    homes = [
        other
        for other, kind in _TABLES.items()
        if other != home and name in (_subtables(kind) if is_table else _spellings(kind))
    ]
    if homes and is_table:
        return f"{noun}; {name} belongs elsewhere: write {' or '.join(header((*other, name)) for other in homes)}"
    if () in homes:
        return f"{noun}; {name} is a table of its own: write {header((name,))} and its keys below"
    if homes:
        return f"{noun}; {name} belongs in {' or '.join(header(other) for other in homes)}"
    if near := get_close_matches(name.lower(), _spellings(table), n=1):
        return f"{noun}; did you mean {near[0]}?"
    known = ", ".join(spelling for spelling, _ in keys(table))
    return f"{noun}; {f'the keys of {header(home)} are' if home else 'the tables are'} {known}"


def _names(path: Path) -> Path:
    """Return the path of a key in the schema, where all tables of a list are one."""
    return tuple(part for part in path if isinstance(part, str))


def _subtables(table: type[Table]) -> list[str]:
    return [name for name, field in keys(table) if holds_table(field)]


def _spellings(table: type[Table]) -> list[str]:
    aliases = [mark.name for field in table.model_fields.values() if (mark := alias(field))]
    return [*(name for name, _ in keys(table)), *aliases]


def _no_choice(path: Path, value: object) -> str:
    field = dict(keys(_TABLES[_names(path[:-1])]))[str(path[-1])]
    assert subtable(field) is None, "a table is no choice among words"
    choices = list(_words(field.annotation))
    near = get_close_matches(value.lower(), choices, n=1) if isinstance(value, str) else []
    listed = ", ".join(toml_value(choice) for choice in choices)
    return f"must be one of {listed}, not {_shown(path, value)}" + (
        f"; did you mean {toml_value(near[0])}?" if near else ""
    )


def _example(path: Path) -> str:
    """Return an example of a list for this key."""
    field = dict(keys(_TABLES[_names(path[:-1])]))[str(path[-1])]
    assert field.examples, "every key that holds a list has an example"
    return toml_value(field.examples[0])


def _words(annotation: object) -> Iterator[str]:
    """Yield the words of a Literal, also of an optional one."""
    for choice in get_args(annotation):
        if isinstance(choice, str):
            yield choice
        else:
            yield from _words(choice)


def _shown(path: Path, value: object) -> str:
    if any(path[: len(secret)] == secret for secret in _SECRET):
        return "what it is"
    try:
        text = toml_value(value)
    except (TypeError, ValueError):
        text = str(type(value).__name__)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def _number(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
