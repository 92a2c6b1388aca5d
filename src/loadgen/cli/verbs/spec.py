"""Print the spec file: what the verbs of verification run by default, as TOML to copy, change and name by --spec.

check FILE prints every error of a copy, or what it has. convert FILE prints redlite-dst's YAML as such a file:
dst-spec.yaml, and the cases of sdks/oracle/spec.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from loadgen import output
from loadgen.cli import specification
from loadgen.cli.options import Given, Positional, Syntax
from loadgen.config import spec_convert, spec_file
from loadgen.errors import ExitCode, UsageError
from loadgen.escape import printable
from loadgen.verify.kinds import suggestion
from loadgen.verify.spec import Spec

SYNTAX = Syntax(
    (),
    (
        Positional(
            "action", "print|check|convert", "print the spec file of loadgen (the default), check or convert one"
        ),
        Positional("files", "FILE", "a TOML file to check, or YAML files to convert into one", most=None),
    ),
)


def run(given: Given) -> ExitCode:
    """Do what the action says. Raises UsageError, or ConfigError with every problem of a file."""
    action = given.action or "print"
    if (act := _ACTIONS.get(action)) is None:
        raise UsageError(f'there is no action "{printable(action, 40)}"; {suggestion(action, [*_ACTIONS])}')
    act([Path(word) for word in given.files or ()])
    return ExitCode.YES


def _print(files: list[Path]) -> None:
    if files:
        raise UsageError("print takes no FILE: it prints the spec file of loadgen.")
    _write(spec_file.shipped_text())


def _check(files: list[Path]) -> None:
    if len(files) != 1:
        raise UsageError("check takes one FILE.")
    spec = specification.spec_of(str(files[0]))
    _write("\n".join(_contents(spec)) + "\n")


def _contents(spec: Spec) -> Iterator[str]:
    """Yield what a spec file has, a line for each kind of it."""
    named = {
        "invariants": [each.name for each in spec.invariants],
        "faults": [each.name for each in spec.faults],
        "scenarios": [*spec.scenarios],
        "oracle": [*spec.oracle.command_groups],
        "simulation": [each.name for each in spec.simulation.scenarios],
        "cases": [each.name for each in spec.cases],
    }
    for title, names in named.items():
        listed = ", ".join(names[:6]) + (", …" if len(names) > 6 else "")
        yield f"{title:<12}{len(names):>5}  {listed}".rstrip()
    for words in specification.cautions(spec):
        yield f"note: {words}"


def _convert(files: list[Path]) -> None:
    if not files:
        raise UsageError("convert takes YAML files: dst-spec.yaml of redlite-dst, or those of sdks/oracle/spec.")
    _write(spec_convert.converted(files, specification.vocabulary()))


def _write(text: str) -> None:
    output.write_lines(sys.stdout, [text.encode()])


_ACTIONS: dict[str, Callable[[list[Path]], None]] = {"print": _print, "check": _check, "convert": _convert}
