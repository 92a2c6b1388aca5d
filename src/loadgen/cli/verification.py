"""What the verbs of verification share: a campaign with its subjects up, its outputs open and its artifacts kept."""

from __future__ import annotations

import contextlib
import shlex
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from loadgen import output
from loadgen.cli import interrupts
from loadgen.cli.options import Given
from loadgen.cli.options.verification import FORMATS
from loadgen.errors import ExitCode, LoadgenError, OutputError, UsageError
from loadgen.escape import printable
from loadgen.events import Event
from loadgen.host import machine
from loadgen.verify import artifact, replay
from loadgen.verify.artifact import Artifact, Origin
from loadgen.verify.campaign import LIMITS, Batch, Campaign, Limits
from loadgen.verify.case import Kind
from loadgen.verify.ended import CampaignBegan
from loadgen.verify.kinds import Opened, Suite, scenarios, suggestion
from loadgen.verify.kinds.described import Described
from loadgen.verify.spec import FaultKind, Spec
from loadgen.verify.tape import MOST
from loadgen.version import __version__

GIT_PATIENCE_S = 5.0


@dataclass(frozen=True, slots=True)
class Shrunk:
    """The shrunk case of a seed, from a seed bank."""

    artifact: Artifact
    path: str
    renewal: str
    """What is to be done when this version reads its tape as another case, as the rest of a sentence."""


@dataclass(frozen=True, slots=True)
class Run:
    """Some kinds of a job, and the seeds to run each with."""

    kinds: tuple[str, ...]
    seeds: Sequence[int]
    shrunk: Shrunk | None = None
    """A shrunk case of one of the kinds, which is run first: a seed that fails alike need not be shrunk again."""


@dataclass(frozen=True, slots=True)
class Job:
    """What is run with the same subjects."""

    suite: Suite
    options: Mapping[str, str]
    runs: tuple[Run, ...]
    spec: Spec | None = None
    """The spec file that says what is run; None where a replay or a seed bank does."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of all runs."""
        return tuple(dict.fromkeys(kind for run in self.runs for kind in run.kinds))


@dataclass(frozen=True, slots=True)
class Planned:
    """A campaign that a verb's options ask for."""

    name: str
    jobs: Sequence[Job]
    limits: Limits = LIMITS


Act = Callable[[Campaign, Job, Opened], None]
"""Runs a job whose subjects are up."""


def seeds_from(first: int, count: int) -> range:
    """Return so many seeds. Raises UsageError where the last of them would be larger than the largest seed."""
    if first + count > MOST:
        raise UsageError(
            f"--seed {first}: no seed is larger than {MOST - 1}, and {count:,} begin with this one; name a smaller "
            "seed, or fewer seeds."
        )
    return range(first, first + count)


def options_of(given: Given, suite: Suite, defaults: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return all options of a suite: those that were given, as text, and defaults. A switch is "true" when given."""
    found = {**suite.options, **(defaults or {})}
    for name in suite.options:
        value = given.get(name.replace("-", "_"))
        if value is not None and value is not False:
            found[name] = "true" if value is True else str(value)
    return found


def check_options(given: Given, suites: Mapping[str, Suite], suite: Suite) -> None:
    """Raise UsageError for an option that was given and is another suite's only."""
    others = {name for each in suites.values() for name in each.options} - set(suite.options)
    for word in given.words:
        if word.option.spellings[-1].removeprefix("--") in others:
            raise UsageError(f"{word.spelling} is no option of {suite.name}; leave it out, or name another test.")


def run(given: Given, planned: Planned, act: Act | None = None) -> ExitCode:
    """Run the jobs of a campaign, print the results, and return the exit code.

    A job whose subjects cannot be brought up does not keep the others from running; of a single job the error is
    raised. Artifacts are written to the folder of `--artifacts`.
    """
    deferred = interrupts.Deferred()
    name, jobs, limits = planned.name, planned.jobs, planned.limits
    with output.opened(wanted(given)) as outputs, deferred.caught():
        leader = Campaign(
            name,
            Origin(__version__, commit()),
            sum(len(each.seeds) for job in jobs for each in job.runs),
            emit=outputs.emit,
            clock_ns=time.monotonic_ns,
            replay=replay_command,
            keep=lambda found: str(artifact.written(found, Path(given.artifacts))),
            limits=limits,
            host=machine.fingerprint(),
            interruptible=deferred,
        )
        _Jobs(name, jobs, leader, outputs.emit, act or _act, deferred, limits.duration_ns).carry_out()
        ended = leader.ended()
        outputs.emit(ended)
    return ended.exit_code


class _Jobs:
    """The jobs of a campaign, one after the other."""

    def __init__(
        self,
        name: str,
        jobs: Sequence[Job],
        leader: Campaign,
        emit: Callable[[Event], None],
        act: Act,
        deferred: interrupts.Deferred,
        duration_ns: int,
    ) -> None:
        self._name = name
        self._jobs = jobs
        self._leader = leader
        self._emit = emit
        self._act = act
        self._deferred = deferred
        self._duration_ns = duration_ns
        self._began = False

    def carry_out(self) -> None:
        for job in self._jobs:
            try:
                with contextlib.ExitStack() as stack:
                    with self._deferred:
                        opened = stack.enter_context(job.suite.opened(job.kinds, job.options, self._emit))
                    self._begin(job, opened)
                    for words in opened.notes:
                        self._leader.note(words)
                    self._act(self._leader, job, opened)
            except KeyboardInterrupt:
                if not self._began:
                    raise
                self._leader.interrupt()
            except OutputError:
                raise
            except LoadgenError as error:
                if len(self._jobs) == 1 and not self._began:
                    raise
                self._leader.could_not_run(str(error))
            if self._leader.interrupted:
                return

    def _begin(self, job: Job, opened: Opened) -> None:
        """Say once that the campaign has begun: its first subjects are up."""
        if self._began:
            return
        self._began = True
        seeds: dict[str, list[Sequence[int]]] = {}
        for run in (run for job in self._jobs for run in job.runs):
            for kind in run.kinds:
                seeds.setdefault(kind, []).append(run.seeds)
        first, *others = seeds.values()
        alike = not self._duration_ns and all(each == first for each in others)
        self._emit(
            CampaignBegan(
                self._name,
                tuple(seeds),
                sum(map(len, first)) if alike else 0,
                __version__,
                opened.identity,
                job.options if len(self._jobs) == 1 else {},
                duration_ns=self._duration_ns,
            )
        )


def _act(leader: Campaign, job: Job, opened: Opened) -> None:
    """Run every seed of a job with the kinds that it is for."""
    for each in job.runs:
        kinds = [kind for kind in opened.kinds if kind.name in each.kinds]
        if each.shrunk is not None and not _run_shrunk(leader, job, opened, each.shrunk):
            return
        if not leader.run(batch(job, opened, kinds, each.seeds)):
            return


def _run_shrunk(leader: Campaign, job: Job, opened: Opened, of: Shrunk) -> bool:
    """Run a shrunk case; False when the job cannot go on. A server that its kind is not for is told by its seed."""
    kept = of.artifact
    for kind in opened.kinds:
        if kind.name == kept.kind:
            one = batch(job, opened, [kind], [kept.seed])
            run = partial(replay.kept, kept, one.kinds[0], of.renewal)
            return leader.shrunk(one, kept, of.path, run, artifact_command(of, job.options))
    return True


def batch(job: Job, opened: Opened, kinds: Sequence[Kind], seeds: Sequence[int]) -> Batch:
    """Return some kinds of a job, with their subjects up, as a campaign takes them."""
    return Batch(job.suite.name, _described(kinds, job), seeds, job.options, opened.identity, opened.spec_hash)


def _described(kinds: Sequence[Kind], job: Job) -> list[Kind]:
    """Return kinds that say what was broken as the spec file does: an invariant, or what a fault asks of a server."""
    if job.spec is None:
        return [*kinds]
    words: dict[str, Callable[[str], str]] = {}
    for each in job.spec.invariants:
        words[each.name] = partial(_instead, each.description)
    for fault in job.spec.faults:
        if fault.recovery:
            words |= dict.fromkeys(job.suite.names.get(fault.name, ()), partial(_beside, fault))
    return [Described(kind, words[kind.name]) if kind.name in words else kind for kind in kinds]


def _instead(description: str, invariant: str) -> str:
    return description


def _beside(fault: FaultKind, invariant: str) -> str:
    return f"{invariant} ({fault.description}: {fault.recovery})"


def replay_command(batch: Batch, kind: str, seed: int) -> str:
    """Return the command that runs a kind with a seed again, with every option, on any machine."""
    return case_command(kind, seed, batch.options)


def case_command(kind: str, seed: int, options: Mapping[str, str]) -> str:
    """Return the command that runs the case of a kind and a seed."""
    return shlex.join(["loadgen", "replay", "--seed", str(seed), "--test", kind, *_words(options)])


def artifact_command(of: Shrunk, options: Mapping[str, str]) -> str:
    """Return the command that runs a shrunk case of a seed bank again."""
    forced = ["--force"] * bool(of.artifact.refusal(__version__))
    return shlex.join(["loadgen", "replay", of.path, *forced, *_words(options)])


def _words(options: Mapping[str, str]) -> list[str]:
    return [word for name, value in options.items() if value for word in (f"--{name}", value)]


def suite_of(file: str, recorded: Artifact, suites: Mapping[str, Suite]) -> Suite:
    """Return the suite of an artifact. Raises UsageError when this loadgen lacks its suite, its kind or an option."""
    name = printable(file)
    if scenarios.is_scenario(recorded.kind):
        return scenarios.suite([recorded.kind])
    if (suite := suites.get(recorded.suite)) is None:
        raise UsageError(f"{name}: there is no {printable(recorded.suite)}; {suggestion(recorded.suite, [*suites])}")
    if recorded.kind not in suite.kinds:
        raise UsageError(
            f"{name}: {suite.name} has no test {printable(recorded.kind)}; {suggestion(recorded.kind, suite.kinds)}"
        )
    for option in recorded.options:
        if option not in suite.options:
            raise UsageError(
                f"{name}: {suite.name} has no option {printable(option)}; {suggestion(option, [*suite.options])}"
            )
    return suite


def wanted(given: Given, windows: str | None = None) -> output.Wanted:
    """Return the outputs that the options name, with a picture of a history's violations where one is wanted.

    Raises UsageError where they name several formats.
    """
    named = [word for flag in ("format", "verbose", "quiet") if (word := given.word(flag)) is not None]
    if len(named) > 1:
        raise UsageError(f"{' and '.join(word.spelling for word in named)} each name a format: keep one of them.")
    format = "verbose" if given.verbose else "quiet" if given.quiet else given.format
    return output.Wanted(FORMATS[format], given.color, file=given.output, windows=windows, junit=given.junit)


def commit() -> str:
    """Return the commit of loadgen's own checkout; empty where it does not run from one, or git does not say."""
    folder = Path(__file__).resolve().parents[3]
    if not (folder / ".git").exists():
        return ""
    try:
        said = subprocess.run(
            ["git", "-C", str(folder), "rev-parse", "HEAD"], capture_output=True, text=True, timeout=GIT_PATIENCE_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return said.stdout.strip() if said.returncode == 0 else ""
