"""A TOML file: its values, and the position of each, without the meaning of keys."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tomli

from loadgen.config.document.positions import Position, key_positions
from loadgen.config.tables.table import Path as KeyPath
from loadgen.errors import ConfigError

MAX_BYTES = 2**20
"""The longest file. No configuration is as long; the bound keeps a file of another kind from being read whole."""

MAX_NESTING = 16
"""The deepest nesting. No key is as deep; the bound keeps hostile files from exhausting the stack."""


MAX_KEYS = 2048
"""The most keys, tables and elements of lists: each is examined, and may be searched for among all others."""


@dataclass(frozen=True, slots=True)
class TomlFile:
    """The content of a file."""

    source: str
    """The path, as it was given."""
    tree: dict[str, object]
    positions: dict[KeyPath, Position]


def read(path: Path) -> TomlFile:
    """Return the file at `path`. Raises ConfigError with one reason when the file cannot be read or parsed."""
    return parsed(text_of(path), str(path))


def parsed(text: str, path: str, most_keys: int = MAX_KEYS) -> TomlFile:
    """Return the file of a text, which messages call `path`. Raises ConfigError when the text cannot be parsed."""
    try:
        tree = tomli.loads(text)
        if nested(tree, MAX_NESTING):
            raise RecursionError("nested deeper than any configuration")
        if (keys := counted(tree)) > most_keys:
            raise ConfigError([f"{path}: has {keys:,} keys and elements of lists; it may have {most_keys:,} at most"])
        return TomlFile(path, tree, key_positions(text))
    except tomli.TOMLDecodeError as error:
        message = f"{error.msg[:1].lower()}{error.msg[1:]}"
        place = f"{path}:{error.lineno}:{error.colno}"
        raise ConfigError([f"{place}: is not valid TOML: {message}; text, such as 10s or resp, needs quotes"]) from None
    except (ValueError, RecursionError) as error:
        sentence = f"{path}: cannot be taken in: {error}; write it anew from loadgen config --example"
        raise ConfigError([sentence]) from None


def counted(value: object) -> int:
    """Return the number of keys and elements in a value, at every depth."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return len(inner) + sum(map(counted, inner))


def nested(value: object, levels: int) -> bool:
    """True when `value` has more than `levels` tables and lists within each other."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return isinstance(value, (dict, list)) and (levels == 0 or any(nested(element, levels - 1) for element in inner))


def text_of(path: Path) -> str:
    """Return the text of a file. Raises ConfigError when the file cannot be read, or is too long or not UTF-8."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        why = "there is no such file; check the path"
    except IsADirectoryError:
        why = "is a directory; name a TOML file in it"
    except PermissionError:
        why = "may not be read by this user; change its permissions"
    except (OSError, ValueError) as error:
        why = f"cannot be read ({getattr(error, 'strerror', None) or error}); name a TOML file"
    else:
        if len(content) <= MAX_BYTES:
            return _decoded(path, content)
        why = "is longer than 1 MiB; name a TOML file"
    raise ConfigError([f"{path}: {why}"])


def _decoded(path: Path, content: bytes) -> str:
    try:
        return content.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        byte = f"byte {error.start} (0x{content[error.start]:02x})"
        raise ConfigError([f"{path}: {byte} is not UTF-8; save the file as UTF-8"]) from None
