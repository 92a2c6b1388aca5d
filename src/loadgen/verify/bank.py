"""The regression bank: seeds that once failed, a line each. No I/O.

    SEED TEST_TYPE [OPTION=VALUE …] DESCRIPTION

A line that begins with # is a comment. A test type is a kind of case, or a suite for all its kinds. An option is one of
the suite's, such as ops=100; where there is none, lines are those of redlite-dst's regression_seeds.txt.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from loadgen.errors import ConfigError, UsageError
from loadgen.escape import printable
from loadgen.verify.kinds import Suite, selected, suggestion
from loadgen.verify.tape import MOST

FILE = "tests/regression_seeds.txt"
"""The bank of a project, as redlite-dst has it."""

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

    def __str__(self) -> str:
        """Return the line."""
        options = (f"{name}={value}" for name, value in self.options.items())
        return " ".join(filter(None, [str(self.seed), self.test, *options, self.description]))


@dataclass(frozen=True, slots=True)
class Found:
    """An entry, and what it names."""

    entry: Entry
    suite: Suite
    kinds: tuple[str, ...]

    @property
    def options(self) -> dict[str, str]:
        """All options of the suite: those of the entry, and defaults."""
        return {**self.suite.options, **self.entry.options}


def read(text: str, name: str, suites: Mapping[str, Suite]) -> tuple[Found, ...]:
    """Return the entries of a bank. Raises ConfigError with every problem, each beginning with `name` and its line."""
    found, problems = [], []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            found.append(_found(line, suites))
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


def added(text: str, new: Found) -> str:
    """Return the bank with one more line, at its end."""
    return f"{text}{'' if not text or text.endswith(chr(10)) else chr(10)}{new.entry}\n"


def is_in(new: Found, bank: tuple[Found, ...]) -> bool:
    """Return True when the bank has the same seed, kinds and options, whatever the descriptions say."""
    return any((each.entry.seed, each.kinds, each.options) == (new.entry.seed, new.kinds, new.options) for each in bank)


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
    for name in options:
        if name not in selection.suite.options:
            raise UsageError(
                f'{selection.suite.name} has no option "{printable(name, 40)}"; '
                f"{suggestion(name, [*selection.suite.options])}"
            )
    rest = " ".join(words[1 + len(written) :])
    return Found(Entry(int(seed), words[0], options, rest), selection.suite, selection.kinds)


def _options(words: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the options that words begin with."""
    for word in words:
        option = _OPTION.fullmatch(word)
        if option is None:
            return
        yield option[1], option[2]
