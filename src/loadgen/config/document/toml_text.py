"""The writer of TOML: one value, and a whole Config."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterator
from typing import Any

from loadgen.config.tables.password import password
from loadgen.config.tables.schema import Config, Target
from loadgen.config.tables.table import Path, Table
from loadgen.config.tables.tree import header, inert, is_list, subtable
from loadgen.errors import ConfigError
from loadgen.secret import MASK, masked, without_user

# Above this bound a float without a fraction keeps its float spelling, as the integer spelling grows long.
_MAX_PLAIN_FLOAT = 1e15

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def toml_value(value: object) -> str:
    """Return a value as TOML, on one line. Raises TypeError for a type that TOML has no notation for."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            # A JSON string is a TOML basic string, except that TOML requires DEL to be escaped as well.
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case int():
            return str(value)
        case float():
            return str(int(value)) if value.is_integer() and abs(value) < _MAX_PLAIN_FLOAT else repr(value)
        case list() | tuple():
            return f"[{', '.join(toml_value(element) for element in value)}]"
        case dict():
            return f"{{ {', '.join(f'{_key(name)} = {toml_value(element)}' for name, element in value.items())} }}"
        case datetime.datetime() | datetime.date() | datetime.time():
            return value.isoformat()
        case _:
            raise TypeError(f"TOML has no notation for a {type(value).__name__}")


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else toml_value(name)


def dump(config: Config, *, show_secrets: bool = True) -> str:
    """Return the configuration as TOML with every default filled in; the text loads to an equal Config.

    Keys that are not set, and keys that are not acted on and have their default, are left out. Without `show_secrets`,
    `***` replaces the password, also in the server's command, build and files and in monitors, and each variable of the
    server's environment, and user and password in a monitor's URLs.
    """
    written = config.model_dump(mode="json")
    if not show_secrets:
        known = readable_password(config.target)
        _mask(written["target"], known)
        for monitor in written["monitor"]:
            _mask_monitor(monitor, known)
    return "\n".join(_lines((), config, written)).lstrip("\n") + "\n"


def readable_password(target: Target) -> str:
    """Return the password; empty when it cannot be read, which `resolve` reports."""
    try:
        return password(target)
    except ConfigError:
        return ""


def _mask(target: dict[str, Any], known: str) -> None:
    if target["password"]:
        target["password"] = MASK
    if server := target["server"]:
        server["command"] = [masked(word, known) for word in server["command"]]
        server["build"] = [masked(word, known) for word in server["build"]]
        server["files"] = {name: masked(text, known) for name, text in server["files"].items()}
        server["env"] = dict.fromkeys(server["env"], MASK)


def _mask_monitor(monitor: dict[str, Any], known: str) -> None:
    monitor["command"] = [masked(word, known) for word in monitor["command"]]
    monitor["evidence"] = [masked(without_user(source), known) for source in monitor["evidence"]]
    if monitor["server"]:
        monitor["server"] = masked(without_user(monitor["server"]), known)
    if monitor["url"]:
        monitor["url"] = masked(without_user(monitor["url"]), known)


def _lines(path: Path, table: Table, written: dict[str, Any]) -> Iterator[str]:
    kind = type(table)
    entries = []
    inner: list[tuple[str, Table, dict[str, Any]]] = []
    for name, field in kind.model_fields.items():
        key, value = field.alias or name, getattr(table, name)
        if written[key] is None:
            continue
        if subtable(field) and is_list(field):
            inner += ((key, *entry) for entry in zip(value, written[key], strict=True))
        elif subtable(field):
            inner.append((key, value, written[key]))
        elif not inert(field) or value != getattr(kind(), name):
            entries.append(f"{key} = {toml_value(written[key])}")
    if entries:
        yield from ("", header(path), *entries)
    for key, subvalue, subwritten in inner:
        yield from _lines((*path, key), subvalue, subwritten)
