"""The catalogue of scenarios that come with loadgen, by name, and the text of each for users to copy.

A file whose name has an N stands for several scenarios that differ in one number: its key `variants` lists the numbers,
and `{N}` in its text stands for the number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from loadgen.config import scenario_file
from loadgen.config.document.toml_file import parsed
from loadgen.config.presets import is_there
from loadgen.errors import UsageError
from loadgen.escape import printable
from loadgen.trial.scenario import Scenario

FOLDER = Path(__file__).parents[1] / "trial" / "scenarios"

_VARIANTS = re.compile(r"^variants = \[.*?\].*\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Entry:
    """One scenario of the catalogue."""

    name: str
    file: Path
    number: str = ""
    """What `{N}` stands for; empty where the file is one scenario."""

    @property
    def text(self) -> str:
        """The scenario's own text, with its number filled in."""
        text = self.file.read_text(encoding="utf-8")
        return _VARIANTS.sub("", text).replace("{N}", self.number) if self.number else text


@cache
def entries() -> Mapping[str, Entry]:
    """Return every scenario that comes with loadgen, by name: files by their names, numbers as the files list them."""
    return {entry.name: entry for file in sorted(FOLDER.glob("*.toml")) for entry in _of(file)}


def _of(file: Path) -> Iterator[Entry]:
    """Yield the scenarios of a file."""
    if "N" not in file.stem:
        yield Entry(file.stem, file)
        return
    tree = parsed(file.read_text(encoding="utf-8"), str(file)).tree
    numbers = tree["variants"]
    assert isinstance(numbers, list)
    for number in map(str, numbers):
        yield Entry(file.stem.replace("N", number), file, number)


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
