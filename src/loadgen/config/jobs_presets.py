"""The tests of jobs that come with loadgen, by name, and the text of each for users to copy."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from pathlib import Path

from loadgen.config import jobs_file
from loadgen.config.jobs_file import JobsCase, Overrides
from loadgen.config.presets import is_there
from loadgen.errors import UsageError
from loadgen.escape import printable

FOLDER = Path(__file__).parents[1] / "jobs" / "presets"

UPSTREAM = (
    "throughput",
    "multi-worker",
    "retry-storm",
    "idempotency",
    "long-running",
    "bursts",
    "chains",
    "schedules",
    "triggering",
    "schedule-idempotency",
    "schedule-updates",
    "mixed",
)
"""Upstream's twelve load tests, in upstream's order."""


@cache
def names() -> tuple[str, ...]:
    """Return the name of each preset: upstream's tests in upstream's order, and the others after them."""
    found = sorted(path.stem for path in FOLDER.glob("*.toml"))
    return (*UPSTREAM, *(name for name in found if name not in UPSTREAM))


def name_of(word: str) -> str:
    """Return the preset that a word names, in which hyphen and underscore are one. Raises UsageError for none."""
    name = _as_name(word)
    if name in names():
        return name
    near = get_close_matches(name[:60], names(), n=1)
    hint = f"did you mean {near[0]}?" if near else "`loadgen jobs list` names the presets."
    raise UsageError(f'there is no test and no file "{printable(word, 60)}"; {hint}')


def _as_name(word: str) -> str:
    return word.replace("_", "-").lower().removesuffix(".toml")


def text_of(name: str) -> str:
    return (FOLDER / f"{name}.toml").read_text(encoding="utf-8")


def case(word: str, overrides: Overrides | None = None) -> JobsCase:
    """Return the test that a word names: a file that is there, or else a preset.

    Raises UsageError for an unknown name, ConfigError with every problem of a file or of what overrides it.
    """
    is_file = word.endswith(".toml") or "/" in word
    if is_file and (is_there(word) or _as_name(word) not in names()):
        return jobs_file.read(Path(word), overrides)
    name = name_of(word)
    return jobs_file.case_of(text_of(name), name, f"{name}.toml", overrides)
