"""The regression bank: seeds that once failed, a line each, and their shrunk cases. No I/O.

    SEED TEST_TYPE [OPTION=VALUE …] [shrunk=FILE] DESCRIPTION

A line that begins with # is a comment. A test type is a kind of case, or a suite for all its kinds. An option is one of
the suite's, such as keys=100; where there is none, lines are those of redlite-dst's regression_seeds.txt. The shrunk
case of a line is an artifact without the tape of the seed's own case, in a folder beside the bank.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

from loadgen.errors import ConfigError, UsageError
from loadgen.escape import printable
from loadgen.verify.artifact import Artifact, file_name
from loadgen.verify.kinds import Suite, selected, suggestion
from loadgen.verify.tape import MOST

FILE = "tests/regression_seeds.txt"
"""The bank of a project, as redlite-dst has it."""

SHRUNK = "shrunk"
"""The word of a line that names its shrunk case, as options are written."""

_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\.json")
"""The name of a shrunk case: a file of the bank's own folder."""

_OPTION = re.compile(r"([a-z][a-z0-9_-]*)=(\S*)")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line."""

    seed: int
    test: str
    """The test type, as written."""
    options: Mapping[str, str] = field(default_factory=dict)
    """What differs from the suite's defaults."""
    description: str = ""
    shrunk: str = ""
    """The name of the file with the shrunk case; empty without one."""

    def __str__(self) -> str:
        """Return the line."""
        options = [f"{name}={value}" for name, value in self.options.items()]
        shrunk = f"{SHRUNK}={self.shrunk}" if self.shrunk else ""
        return " ".join(filter(None, [str(self.seed), self.test, *options, shrunk, self.description]))


@dataclass(frozen=True, slots=True)
class Found:
    """An entry, and what it names."""

    entry: Entry
    suite: Suite
    kinds: tuple[str, ...]
    shrunk: Artifact | None = None
    """The shrunk case; None without one."""
    line: int = field(default=0, compare=False)
    """The number of the line, from 1; 0 for an entry that is in no bank."""

    @property
    def options(self) -> dict[str, str]:
        """All options of the suite: those of the entry, and defaults."""
        return {**self.suite.options, **self.entry.options}


Read = Callable[[str], Artifact]
"""Reads a shrunk case by the name of its file. Raises UsageError."""


def read(text: str, name: str, suites: Mapping[str, Suite], shrunk: Read) -> tuple[Found, ...]:
    """Return the entries of a bank, with their shrunk cases.

    Raises ConfigError with every problem, each beginning with `name` and its line.
    """
    found, problems = [], []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            entry = _found(line, suites)
            kept = _shrunk(entry, shrunk) if entry.entry.shrunk else None
            found.append(replace(entry, shrunk=kept, line=number))
        except UsageError as error:
            problems.append(f"{name}:{number}: {error}")
    if problems:
        raise ConfigError(problems)
    return tuple(found)


def entry(seed: int, test: str, options: Mapping[str, str], description: str, suites: Mapping[str, Suite]) -> Found:
    """Return an entry to be added, with the options that differ from their defaults. Raises UsageError."""
    selection = selected(test, suites)
    kept = {name: value for name, value in options.items() if value != selection.suite.options.get(name)}
    for name, value in kept.items():
        if not _OPTION.fullmatch(f"{name}={value}"):
            raise UsageError(f'--{name}: "{printable(value)}" has a blank in it, which a seed bank cannot hold.')
    words = " ".join(description.split())
    if _OPTION.match(words):
        raise UsageError(f'--description: "{printable(words)}" would be read as an option; begin with another word.')
    return Found(Entry(seed, test, kept, words), selection.suite, selection.kinds)


@dataclass(frozen=True, slots=True)
class Addition:
    """What adding an entry to a bank comes to."""

    text: str
    """The bank afterwards."""
    entry: Entry
    """The line that has the failure, new or not."""
    case: Artifact | None = None
    """The shrunk case to be written as `entry.shrunk`; None where there is none, or it is there."""
    remark: str = ""
    """Why no line was added, in words; empty where one was."""


def addition(text: str, bank: Sequence[Found], new: Found) -> Addition:
    """Return what adding a new entry to a bank comes to: a line for each case, and one for each failure.

    A failure is known by the fingerprint of its shrunk case, whichever seed found it, on the same options. A line that
    has the case and no shrunk case is given that of the new entry, and a shrunk case with another tape is replaced.
    """
    case = new.shrunk
    for each in bank:
        if case is not None and each.shrunk is not None and _failure(each, each.shrunk) == _failure(new, case):
            renews = each.entry.seed == new.entry.seed and each.shrunk.shrunk != case.shrunk
            words = "has this failure, and its shrunk case is renewed" if renews else "has this failure already"
            return Addition(text, each.entry, case if renews else None, words)
    same = [each for each in bank if (each.entry.seed, each.kinds, each.options) == _case(new)]
    if same and case is None:
        return Addition(text, same[0].entry, remark="has it already")
    named = replace(new.entry, shrunk=_free_name(case, bank) if case is not None else "")
    for each in same:
        if each.shrunk is None:
            kept = replace(each.entry, shrunk=named.shrunk)
            return Addition(
                _with_line(text, each.line, kept), kept, case, "has it already, and now its shrunk case too"
            )
    return Addition(f"{text}{'' if not text or text.endswith(chr(10)) else chr(10)}{named}\n", named, case)


def _case(of: Found) -> tuple[int, tuple[str, ...], dict[str, str]]:
    return of.entry.seed, of.kinds, of.options


def _failure(of: Found, case: Artifact) -> tuple[str, str, dict[str, str]]:
    return case.kind, case.fingerprint, of.options


def _free_name(case: Artifact, bank: Sequence[Found]) -> str:
    """Return KIND-SEED.json, with a number where another line has that name: its options are others."""
    taken = {each.entry.shrunk for each in bank}
    name = file_name(case.kind, case.seed)
    names = (f"{name}{f'-{number}' if number > 1 else ''}.json" for number in count(1))
    return next(name for name in names if name not in taken)


def _with_line(text: str, number: int, entry: Entry) -> str:
    """Return a bank with another line at a place."""
    lines = text.splitlines()
    lines[number - 1] = str(entry)
    return "\n".join(lines) + "\n"


def _shrunk(found: Found, read: Read) -> Artifact:
    """Return the shrunk case of an entry. Raises UsageError where it is that of another."""
    name = found.entry.shrunk
    if not _FILE_NAME.fullmatch(name):
        raise UsageError(f'{SHRUNK}: "{printable(name, 60)}" is no name of a file such as incr_is_monotonic-17.json.')
    kept = read(name)
    if kept.seed != found.entry.seed or kept.kind not in found.kinds:
        raise UsageError(f"{SHRUNK}: {name} is seed {kept.seed} of {printable(kept.kind, 60)}, which the line is not.")
    return kept


def _found(line: str, suites: Mapping[str, Suite]) -> Found:
    """Return the entry of a line. Raises UsageError."""
    seed, *words = line.split()
    if not (seed.isascii() and seed.isdecimal() and len(seed) <= 20 and int(seed) < MOST):
        raise UsageError(f'"{printable(seed, 40)}" is no seed; a line is SEED TEST_TYPE DESCRIPTION.')
    if not words:
        raise UsageError("there is no test type; a line is SEED TEST_TYPE DESCRIPTION.")
    selection = selected(words[0], suites)
    written = [*_options(words[1:])]
    options = dict(written)
    shrunk = options.pop(SHRUNK, "")
    for name in options:
        if name not in selection.suite.options:
            raise UsageError(
                f'{selection.suite.name} has no option "{printable(name, 40)}"; '
                f"{suggestion(name, [*selection.suite.options])}"
            )
    rest = " ".join(words[1 + len(written) :])
    return Found(Entry(int(seed), words[0], options, rest, shrunk), selection.suite, selection.kinds)


def _options(words: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the options that words begin with."""
    for word in words:
        option = _OPTION.fullmatch(word)
        if option is None:
            return
        yield option[1], option[2]
