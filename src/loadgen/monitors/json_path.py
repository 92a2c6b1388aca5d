"""A place in a JSON document: `pool.idle`, `nodes[0].fds`, `["a.b"].c`, each also after a `$`. Pure functions."""

from __future__ import annotations

import json
import re

Path = tuple[str | int, ...]
"""Names of members, and numbers of elements from 0."""

_STEP = re.compile(r"""\.?(?P<name>[^.\[\]"'\s]+)|\[\s*(?P<index>\d{1,9})\s*\]|\[\s*"(?P<quoted>[^"]*)"\s*\]""")

_MOST_SHOWN = 8


class NotThere(Exception):
    """A document has nothing at a place. The text says what it has, as a sentence without a full stop."""


def parse_path(text: str) -> Path:
    """Return the steps of a path. Raises ValueError with a sentence."""
    steps: list[str | int] = []
    rest = text.removeprefix("$")
    while rest:
        step = _STEP.match(rest)
        # A name at the beginning has no dot before it, unless after $.
        if step is None or (step["name"] and steps and not rest.startswith(".")):
            raise ValueError(
                f'"{text}" is no place in a JSON document; write one such as "pool.idle" or "nodes[0].fds"'
            )
        steps.append(int(step["index"]) if step["index"] else step["name"] or step["quoted"] or "")
        rest = rest[step.end() :]
    return tuple(steps)


def value_at(document: object, path: Path) -> object:
    """Return what is at a place. Raises NotThere."""
    for depth, step in enumerate(path):
        match document, step:
            case dict(), str() if step in document:
                document = document[step]
            case list(), int() if step < len(document):
                document = document[step]
            case _:
                raise NotThere(f"{written(path[: depth + 1])} is not there; {_there(document, written(path[:depth]))}")
    return document


def written(path: Path) -> str:
    """Return a place as a user would write it."""
    words = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return "".join(words).removeprefix(".") or "$"


def _there(document: object, place: str) -> str:
    match document:
        case dict():
            names = [json.dumps(name) for name in document]
            more = ", …" if len(names) > _MOST_SHOWN else ""
            return f"{place} has {', '.join(names[:_MOST_SHOWN]) or 'nothing'}{more}"
        case list():
            return f"{place} is a list of {len(document)}"
    return f"{place} is {json.dumps(document)[:80]}"
