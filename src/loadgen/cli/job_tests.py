"""Words of the command line → tests of jobs, and the tests put on one after the other."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

from loadgen.cli.options import Given
from loadgen.config import jobs_presets
from loadgen.config.jobs_file import FAIL_P, FLAGS, TOTAL, WORK, JobsCase, Overrides
from loadgen.errors import UsageError
from loadgen.escape import printable
from loadgen.jobs.adapters import catalogue
from loadgen.jobs.leader.test import JobsTest
from loadgen.jobs.load.checks import scaling
from loadgen.jobs.load.ended import Axis, JobsCompared, JobsEnded
from loadgen.jobs.load.plan import LIBRARIES, OURS, JobsPlan
from loadgen.judge.named import Check
from loadgen.output import Outputs
from loadgen.runner.stop import Stop

UPSTREAM = "upstream"
"""The word for upstream's twelve tests, in their order."""

DEFAULT_TEST = "throughput"
"""What adapters are compared by where no test is named."""

ADAPTERS = "--adapter"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a command line asks for."""

    cases: tuple[JobsCase, ...]
    axis: Axis = Axis.TEST
    """In what the tests differ."""
    profile: str = ""
    log_level: str = ""

    @property
    def plans(self) -> list[JobsPlan]:
        """Every test, those that others are compared with before them."""
        return [plan for case in self.cases for plan in (case.baseline, case.plan) if plan is not None]


def asked(given: Given) -> Asked:
    """Return what `jobs run` is to do. Raises UsageError and ConfigError."""
    words = [each for word in given.tests for each in (jobs_presets.UPSTREAM if word == UPSTREAM else [word])]
    if not words:
        raise UsageError("TEST is missing: name a preset of `loadgen jobs list`, or a TOML file.")
    flags = flags_of(given)
    if given.sweep is None:
        found = tuple(jobs_presets.case(word, Overrides(flags, given.set)) for word in words)
        return _checked(given, found, Axis.TEST)
    if len(words) > 1:
        raise UsageError("--sweep is over one test: name one.")
    if "--workers" in flags:
        raise UsageError("--sweep and --workers each say how many workers there are: keep one of them.")
    found = tuple(
        jobs_presets.case(words[0], Overrides({**flags, "--workers": workers}, given.set)) for workers in given.sweep
    )
    if any(case.baseline is not None for case in found):
        raise UsageError(f"{printable(words[0], 60)} has a test before it, by [baseline]; leave out --sweep.")
    return _checked(given, found, Axis.WORKERS)


def compared(given: Given) -> Asked:
    """Return what `jobs compare` is to do. Raises UsageError and ConfigError."""
    flags = flags_of(given)
    names = _names(given.adapters) if given.adapters is not None else [*OURS, *_installed()]
    word = given.test or DEFAULT_TEST
    found = []
    for name in names:
        # The storage of the command line is that of the adapters that it suits: SQLite has a file of its own.
        storage = flags.get("--storage")
        fits = isinstance(storage, str) and storage.startswith("sqlite:") == (name == "sqlite")
        own = {flag: value for flag, value in flags.items() if flag != "--storage" or fits}
        found.append(jobs_presets.case(word, Overrides({**own, ADAPTERS: name}, given.set)))
    if any(case.baseline is not None for case in found):
        raise UsageError(f"{printable(word, 60)} has a test before it, by [baseline]: adapters are compared by others.")
    return _checked(given, tuple(found), Axis.ADAPTER)


def flags_of(given: Given) -> dict[str, object]:
    """Return the values of the flags that override a file, by flag."""
    flags = (*FLAGS, TOTAL, WORK, FAIL_P)
    values = {flag: given.get(flag.lstrip("-").replace("-", "_")) for flag in flags}
    return {flag: value for flag, value in values.items() if value is not None}


def _names(word: str) -> list[str]:
    names = [name.strip() for name in word.split(",") if name.strip()]
    if not names:
        raise UsageError("--adapters names no adapter: write some such as sqlite,streams,rq.")
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UsageError(f"--adapters names {printable(twice, 40)} twice: name it once.")
    return names


def _installed() -> list[str]:
    return [row.name for row in catalogue.ROWS if not row.missing]


def _checked(given: Given, cases: tuple[JobsCase, ...], axis: Axis) -> Asked:
    """Return what was asked for, as long as every library is installed. Raises UsageError."""
    for name in dict.fromkeys(case.plan.adapter for case in cases):
        if name in LIBRARIES:
            catalogue.check_installed(name)
    return Asked(cases, axis, given.profile or "", given.log_level or "")


# ── Tests, one after the other ────────────────────────────────────────────────────────────────────────────────────────


def carried_out(asked: Asked, outputs: Outputs, stop: Stop) -> JobsEnded | JobsCompared:
    """Put on every test, as long as nobody stops that, and return the end: of one test, or of several."""
    ended: list[JobsEnded] = []
    plans = asked.plans

    def put_on(plan: JobsPlan) -> JobsEnded:
        test = JobsTest(
            plan,
            emit=outputs.emit,
            stop=stop,
            number=len(ended) + 1,
            of=len(plans),
            axis=asked.axis if len(plans) > 1 else None,
            profile=asked.profile,
            log_level=asked.log_level,
        )
        ended.append(test.ended())
        return ended[-1]

    for case in asked.cases:
        plan = case.plan
        if case.baseline is not None and not stop.is_set:
            plan = replace(plan, baseline_per_s=put_on(case.baseline).account.jobs_per_s)
        if stop.is_set:
            break
        put_on(plan)
    if len(plans) == 1:
        return ended[0]
    end = JobsCompared(asked.axis, tuple(ended), _over_all(asked.axis, ended), any(each.interrupted for each in ended))
    outputs.emit(end)
    return end


def _over_all(axis: Axis, ended: Sequence[JobsEnded]) -> tuple[Check, ...]:
    return scaling(ended, len(os.sched_getaffinity(0))) if axis is Axis.WORKERS else ()
