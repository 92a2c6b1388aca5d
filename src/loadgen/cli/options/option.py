"""What a verb takes on its command line, as frozen values: options in groups, and words that have no flag."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from loadgen.cli.options.kind import ValueKind


@dataclass(frozen=True, slots=True)
class Option:
    """One row of a table of flags."""

    spellings: tuple[str, ...]
    """As they are typed, such as `-c` and `--connections`; the last is the one that messages recommend."""
    what: str
    """What it does, for the help text; empty keeps it out of there."""
    kind: ValueKind | None = None
    """Of its value; None for a switch."""
    metavar: str = ""
    """The value's name in the help text; empty takes the kind's."""
    key: str = ""
    """The configuration's key that it sets, such as `connection.connections`, if it is no more than that."""
    sets: object = True
    """What a switch sets; of an option whose value may be left out, what it then is."""
    bare: bool = False
    """Whether its value may be left out."""
    many: bool = False
    """Whether it may be repeated: then its value is a list."""
    default: object = None
    """What the verb sees when it is not given; a list for `many`."""
    also: tuple[str, ...] = ()
    """Other tools' spellings of the same, accepted and not listed in the help text."""
    only: str = ""
    """The tool that it is taken from, where loadgen has another name for it; such options have a section of their
    own."""
    betrays: Callable[[str], str] | None = None
    """Recognises a value that belongs to another tool's flag of this spelling: the sentence to refuse it with, or
    nothing."""
    refusal: str = ""
    """Why it is refused, and what to do instead, where loadgen does not have it yet."""
    harmless: tuple[str, ...] = ()
    """Values of a refused option that ask for nothing that is not done anyway; `""` is that of a switch."""
    required: bool = False

    @property
    def name(self) -> str:
        """By which the verb asks for its value: `max_memory` for `--max-memory`."""
        return self.key or self.spellings[-1].lstrip("-").replace("-", "_")

    @property
    def all_spellings(self) -> tuple[str, ...]:
        return (*self.spellings, *self.also)

    @property
    def shown_value(self) -> str:
        """The value's name in the help text; empty for a switch."""
        return self.metavar or (self.kind.metavar if self.kind is not None else "")


@dataclass(frozen=True, slots=True)
class Positional:
    """A word without a flag."""

    name: str
    metavar: str
    what: str
    least: int = 0
    most: int | None = 1
    """None: any number. With 1, the verb sees a word or None, and else a list."""


@dataclass(frozen=True, slots=True)
class OptionGroup:
    """Options that stand together in the help text."""

    title: str
    options: tuple[Option, ...]
    about: str = ""

    def without(self, *spellings: str) -> OptionGroup:
        """The same, but for these options."""
        kept = tuple(each for each in self.options if not set(spellings) & set(each.spellings))
        return OptionGroup(self.title, kept, self.about)


@dataclass(frozen=True, slots=True)
class Syntax:
    """All that a verb takes."""

    groups: tuple[OptionGroup, ...]
    positionals: tuple[Positional, ...] = ()
    refused: tuple[Option, ...] = ()
    """Options of other tools, or of other verbs, that are known and turned down by name."""

    def options(self) -> Iterator[Option]:
        """Those that are acted on."""
        for group in self.groups:
            yield from group.options
