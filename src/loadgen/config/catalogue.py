"""The catalogue of scenarios that come with loadgen, by name, and the text of each for users to copy.

A file whose name has an N stands for several scenarios that differ in one number: its key `variants` lists the numbers,
and `{N}` in its text stands for the number. A scenario may have a second name, which the key `aliases` gives: a name,
or in a file with an N a table of names by number. A scenario that runs by its second name is reported by it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from loadgen.config import scenario_file
from loadgen.config.document.toml_file import parsed
from loadgen.config.presets import is_there
from loadgen.errors import UsageError
from loadgen.escape import printable
from loadgen.trial.scenario import Scenario

FOLDER = Path(__file__).parents[1] / "trial" / "scenarios"

_OURS = re.compile(r"^(variants|aliases) = .*\n", re.MULTILINE)
"""The keys that only the catalogue reads: a scenario that is copied has none of them."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One scenario of the catalogue."""

    name: str
    file: Path
    number: str = ""
    """What `{N}` stands for; empty where the file is one scenario."""
    same_as: str = ""
    """The first name of the same scenario; empty for the first name itself."""

    @property
    def text(self) -> str:
        """The scenario's own text, with its number filled in."""
        text = self.file.read_text(encoding="utf-8")
        text = _OURS.sub("", text)
        return text.replace("{N}", self.number) if self.number else text


@cache
def entries() -> Mapping[str, Entry]:
    """Return every scenario that comes with loadgen, by name: files by their names, numbers as the files list them."""
    return {entry.name: entry for file in sorted(FOLDER.glob("*.toml")) for entry in _of(file)}


def scenarios() -> Iterator[str]:
    """Yield the name of each scenario once: the first of its names."""
    return (name for name, entry in entries().items() if not entry.same_as)


def _of(file: Path) -> Iterator[Entry]:
    """Yield the scenarios of a file."""
    tree: Mapping[str, Any] = parsed(file.read_text(encoding="utf-8"), str(file)).tree
    aliases = tree.get("aliases", {})
    if "N" not in file.stem:
        yield Entry(file.stem, file)
        if aliases:
            yield Entry(str(aliases), file, same_as=file.stem)
        return
    for number in map(str, tree["variants"]):
        name = file.stem.replace("N", number)
        yield Entry(name, file, number)
        if number in aliases:
            yield Entry(str(aliases[number]), file, number, same_as=name)


def entry(word: str) -> Entry:
    """Return the scenario of a name, in which hyphen and underscore are one. Raises UsageError for an unknown name."""
    name = word.replace("_", "-").lower().removesuffix(".toml")
    known = entries()
    if name in known:
        return known[name]
    near = get_close_matches(name[:60], [*known], n=1)
    hint = f"did you mean {near[0]}?" if near else "`loadgen chaos --list` names the scenarios."
    raise UsageError(f'there is no scenario and no file "{printable(word, 60)}"; {hint}')


def scenario(word: str, overrides: Sequence[str] = ()) -> Scenario:
    """Return the scenario that a word names: a file that is there, or else one of the catalogue.

    Raises UsageError for an unknown name, ConfigError with every problem of a file or of `overrides`.
    """
    if (word.endswith(".toml") or "/" in word) and (is_there(word) or (word.endswith(".toml") and "/" in word)):
        return scenario_file.read(Path(word), overrides)
    if word.endswith(".toml") and word.removesuffix(".toml").replace("_", "-") not in entries():
        return scenario_file.read(Path(word), overrides)
    found = entry(word)
    return scenario_file.scenario_of(found.text, found.name, found.file.name, overrides)
