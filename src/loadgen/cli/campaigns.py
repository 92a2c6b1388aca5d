"""Campaigns by the words of a command line: what verbs plan whose seeds several machines can run, as parts."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from loadgen.cli.options import Given, Syntax
from loadgen.cli.options.parse import parse
from loadgen.cli.verification import Planned
from loadgen.fleet.study import Part

VERBS = ("properties", "simulate", "chaos", "fuzz")
"""The verbs whose seeds several machines can share: their modules have `planned`."""


def syntax_of(verb: str) -> Syntax:
    """Return the syntax of a verb."""
    found = import_module(f"loadgen.cli.verbs.{verb}").SYNTAX
    assert isinstance(found, Syntax)
    return found


def planned(verb: str, given: Given) -> Planned:
    """Return the campaign that a verb's options ask for. Raises UsageError or ConfigError."""
    found = import_module(f"loadgen.cli.verbs.{verb}").planned(given)
    assert isinstance(found, Planned)
    return found


def planned_by(verb: str, words: Sequence[str]) -> Planned:
    """Return the campaign of a command line. Raises UsageError or ConfigError."""
    return planned(verb, parse(syntax_of(verb), words))


def parts_of(of: Planned) -> tuple[Part, ...]:
    """Return what is leased: the runs of all jobs, each with its seeds."""
    return tuple(
        Part(job.suite.name, run.kinds, _range(run.seeds), tuple(job.options.items()))
        for job in of.jobs
        for run in job.runs
    )


def _range(seeds: Sequence[int]) -> range:
    assert isinstance(seeds, range)
    assert seeds.step == 1
    return seeds
