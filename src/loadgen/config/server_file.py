"""A server file: a TOML file that describes a server and nothing else; any load can be put on the server."""

from __future__ import annotations

from pathlib import Path

from loadgen.config.document.document import Document
from loadgen.config.document.origin import Origin
from loadgen.config.document.problem import Problem
from loadgen.config.document.toml_file import TomlFile, read
from loadgen.config.tables.refused import ProblemCode
from loadgen.config.tables.tree import dotted
from loadgen.errors import ConfigError

_TARGET = "target"
_SERVER_LAYER = 1


def is_server_file(path: Path) -> bool:
    """True when a file has a [target] and nothing else. False for an unreadable file, which `load` reports."""
    try:
        return read(path).tree.keys() == {_TARGET}
    except ConfigError:
        return False


def lay_over(document: Document, file: TomlFile) -> None:
    """Replace the document's [target] with the file's; other tables of the file become problems of the document.

    No key of the document's own [target] stays: half of one server and half of another would describe no server.
    """
    origins = {
        path: Origin.in_file(file.source, line, column, dotted(path), layer=_SERVER_LAYER)
        for path, (line, column) in file.positions.items()
    }
    target = file.tree.get(_TARGET, {})
    document.replace(_TARGET, target, origins)
    for name in file.tree:
        if name != _TARGET:
            sentence = "a server file describes a server: only [target] belongs in it; move the rest to a CONFIG file"
            document.problems.append(Problem(((name,),), ProblemCode.NOT_OF_A_SERVER, sentence, origins[name,]))
    if isinstance(target, dict) and not target.keys() & {"server", "endpoints"}:
        nowhere = Origin.in_file(file.source, 1, 1, _TARGET, layer=_SERVER_LAYER)
        sentence = "names no server; write [target.server] with its command, or endpoints in [target]"
        document.problems.append(
            Problem(((_TARGET,),), ProblemCode.NO_SERVER, sentence, origins.get((_TARGET,), nowhere))
        )
