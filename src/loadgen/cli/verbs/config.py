"""Print the resolved configuration of a file, or every error in the file; or print the presets of loadgen."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Iterator

from loadgen import config
from loadgen.cli.options import Given, Option, OptionGroup, Positional, Syntax
from loadgen.cli.options.kind import TEXT
from loadgen.cli.options.load import ANY_KEY
from loadgen.config import presets
from loadgen.errors import ExitCode, UsageError
from loadgen.escape import printable
from loadgen.output.paper.sink import Sink, remark

EVERY_KEY = ""
"""The value of `--example` without a name."""

SERVER = "server/"
"""The prefix of a server file's name, needed when a configuration has the same name."""

SYNTAX = Syntax(
    (
        OptionGroup(
            "options",
            (
                Option(("--list",), "print the presets: configurations and server files that come with loadgen"),
                Option(
                    ("--example",),
                    "print the preset NAME; without NAME, a commented file with every key and its default",
                    TEXT,
                    "NAME",
                    sets=EVERY_KEY,
                    bare=True,
                ),
                Option(("--schema",), "print the JSON Schema of configurations"),
                Option(("--show-secrets",), "print passwords and a server's environment as they are, not as ***"),
            ),
        ),
        ANY_KEY,
    ),
    (Positional("config", "CONFIG", "a TOML file, or the name of a preset, to check and to print with all defaults"),),
)


def run(given: Given) -> int:
    """Print what the options ask for. Raises ConfigError with every error in the file."""
    if sum((given.config is not None, bool(given.schema), given.example is not None, bool(given.list))) != 1:
        raise UsageError("name a CONFIG file or a preset, or --list, --example or --schema.")
    if given.schema:
        write(json.dumps(config.json_schema(), indent=2))
    elif given.list:
        write("\n".join(listed()))
    elif given.example is not None:
        write(config.example() if given.example == EVERY_KEY else preset(given.example))
    else:
        settings = config.load(presets.CONFIGS.named(given.config), given.set)
        for warning in settings.warnings:
            remark(f"warning: {warning}")
        write(config.dump(settings, show_secrets=given.show_secrets))
    return ExitCode.YES


def listed() -> Iterator[str]:
    """Yield the lines that list the presets, each with one sentence about it."""
    for title, shelf, use in (
        ("configurations", presets.CONFIGS, "loadgen NAME --embedded"),
        ("server files", presets.SERVERS, "loadgen run --server NAME"),
    ):
        yield f"{title}, as in `{use}`:"
        width = max(map(len, shelf.names), default=0)
        columns = max(shutil.get_terminal_size((100, 24)).columns, width + 30)
        for name in shelf.names:
            first, below = f"  {name:<{width}}  ", " " * (width + 4)
            yield from textwrap.wrap(
                shelf.about(name), columns, initial_indent=first, subsequent_indent=below, break_on_hyphens=False
            ) or [first.rstrip()]
        yield ""
    yield f"`loadgen config --example NAME` prints one; a server file is also {SERVER}NAME."


def preset(name: str) -> str:
    """Return a preset's text. Raises UsageError when no preset has this name."""
    path = presets.CONFIGS.path(name) or presets.SERVERS.path(name.removeprefix(SERVER))
    if path is None:
        near = presets.CONFIGS.near(name) or presets.SERVERS.near(name)
        hint = f"; did you mean {near}?" if near else "; `loadgen config --list` names them."
        raise UsageError(f'--example: there is no preset "{printable(name, 60)}"{hint}')
    return path.read_text(encoding="utf-8")


def write(text: str) -> None:
    """Write text to standard output. Raises OutputError when that fails."""
    Sink(sys.stdout).write(text if text.endswith("\n") else text + "\n")
