"""The help text of a verb: its table of flags, aligned, with the default of each."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator

from loadgen.cli.options.option import Option, OptionGroup, Positional, Syntax

WIDTH = 100
COLUMN = 30
"""The column in which explanations begin."""


def help_of(verb: str, about: str, syntax: Syntax, default: Callable[[str], str], width: int = WIDTH) -> str:
    """Return the help text. `default` returns the default of a configuration key as text; empty shows none."""
    words = "".join(f" {_usage(each)}" for each in syntax.positionals)
    lines = [f"usage: loadgen {verb}{words} [options]", "", *_paragraphs(about, width)]
    if syntax.positionals:
        lines += ["", "arguments:"]
        for each in syntax.positionals:
            lines += _entry(each.metavar, each.what, width)
    for group in syntax.groups:
        if any(option.what for option in group.options):
            lines += ["", *_group(group, default, width)]
    if names := [option.spellings[-1] for option in syntax.refused if option.what]:
        lines += ["", "flags of other tools that loadgen does not have yet, refused by name:"]
        lines += textwrap.wrap(", ".join(names), width - 2, initial_indent="  ", subsequent_indent="  ",
                               break_on_hyphens=False)  # fmt: skip
    return "\n".join(lines) + "\n"


def _usage(positional: Positional) -> str:
    name = positional.metavar
    more = "" if positional.most == 1 else " …"
    return f"{name}{more}" if positional.least else f"[{name}{more}]"


def _paragraphs(text: str, width: int) -> Iterator[str]:
    for number, paragraph in enumerate(text.strip().split("\n\n")):
        yield from [""] if number else []
        yield from textwrap.wrap(" ".join(paragraph.split()), width, break_on_hyphens=False)


def _group(group: OptionGroup, default: Callable[[str], str], width: int) -> Iterator[str]:
    yield f"{group.title}:"
    if group.about:
        yield from textwrap.wrap(group.about, width - 2, initial_indent="  ", subsequent_indent="  ")
    for option in group.options:
        if option.what:
            yield from _entry(_flags(option), _explained(option, default), width)


def _flags(option: Option) -> str:
    shorts = [spelling for spelling in option.spellings if not spelling.startswith("--")]
    longs = [spelling for spelling in option.spellings if spelling.startswith("--")]
    value = option.shown_value
    value = f" [{value}]" if option.bare else f" {value}" if value else ""
    return ("" if shorts else "    ") + ", ".join([*shorts, *longs]) + value


def _explained(option: Option, default: Callable[[str], str]) -> str:
    if option.kind is None:
        return option.what
    if option.key:
        known = default(option.key)
    else:
        known = str(option.default) if option.default not in (None, [], 0, 0.0, "") else ""
    return f"{option.what} (default: {known})" if known and "default:" not in option.what else option.what


def _entry(left: str, right: str, width: int) -> Iterator[str]:
    wrapped = textwrap.wrap(right, width - COLUMN, break_on_hyphens=False) or [""]
    if len(left) > COLUMN - 4:
        yield f"  {left}"
    else:
        yield f"  {left}".ljust(COLUMN) + wrapped.pop(0)
    for line in wrapped:
        yield " " * COLUMN + line
