"""The syntax of a verb's command line, as frozen values: options in groups, and words without a flag."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from loadgen.cli.options.kind import ValueKind


@dataclass(frozen=True, slots=True)
class Option:
    """One row of a table of flags."""

    spellings: tuple[str, ...]
    """The flags as typed, such as `-c` and `--connections`; messages recommend the last."""
    what: str
    """The explanation in the help text; empty keeps the option out of the text."""
    kind: ValueKind | None = None
    """The kind of the value; None for a switch."""
    metavar: str = ""
    """The value's name in the help text; empty takes the kind's."""
    key: str = ""
    """The configuration key that the option sets, such as `connection.connections`; empty if it does anything else."""
    sets: object = True
    """The value that a switch sets, and that of an option whose value is left out."""
    bare: bool = False
    """True when the value may be left out."""
    many: bool = False
    """True when the option may be repeated; the value is then a list."""
    default: object = None
    """The value when the option is not given; a list for `many`."""
    also: tuple[str, ...] = ()
    """Other tools' spellings of the option, accepted but not listed in the help text."""
    only: str = ""
    """The tool that the option comes from, when loadgen has another name for it; these options have a section of their
    own."""
    betrays: Callable[[str], str] | None = None
    """Recognises a value that belongs to another tool's flag of this spelling: returns the sentence to refuse it with,
    or an empty one."""
    refusal: str = ""
    """The reason why the option is refused, and what to do instead; empty for an option that is acted on."""
    harmless: tuple[str, ...] = ()
    """Values of a refused option that are accepted, as they ask for what is done anyway; `""` is a switch's."""
    required: bool = False

    @property
    def name(self) -> str:
        """The name of the value in a `Given`: `max_memory` for `--max-memory`, or the key."""
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
    """The most words; None for any number. The value is a word or None when this is 1, and else a list."""


@dataclass(frozen=True, slots=True)
class OptionGroup:
    """Options that stand together in the help text."""

    title: str
    options: tuple[Option, ...]
    about: str = ""

    def without(self, *spellings: str) -> OptionGroup:
        """Return the group without these options."""
        kept = tuple(each for each in self.options if not set(spellings) & set(each.spellings))
        return OptionGroup(self.title, kept, self.about)


@dataclass(frozen=True, slots=True)
class Syntax:
    """The options and words that a verb takes."""

    groups: tuple[OptionGroup, ...]
    positionals: tuple[Positional, ...] = ()
    refused: tuple[Option, ...] = ()
    """Options of other tools, or of other verbs, that are known and refused by name."""
    stray: str = ""
    """What a word too many may have been meant for: "a server is named by --subject"."""
    without_file: Mapping[str, object] | None = None
    """By key, the verb's own defaults where no CONFIG is given; None: those of `run`."""
    own_defaults: tuple[str, ...] = ()
    """Those of these keys that hold beside a CONFIG without them, too."""

    def options(self) -> Iterator[Option]:
        """Yield the options that are acted on."""
        for group in self.groups:
            yield from group.options
