"""A campaign of seeds on several machines: agents launched, told, heard and ended, and its outputs open."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from loadgen import output
from loadgen.cli import campaigns, interrupts, machines, verification
from loadgen.cli.options import Given
from loadgen.cli.verification import Planned
from loadgen.errors import ExitCode, UsageError, WorkerError
from loadgen.escape import printable
from loadgen.fleet import source_files
from loadgen.fleet.fleet import Fleet
from loadgen.fleet.launchers import Launcher
from loadgen.fleet.seed_crew import Joined, SeedCrew
from loadgen.fleet.study import Part, Study
from loadgen.host import machine
from loadgen.runner.kernel import THIS_MACHINE
from loadgen.units import NS_PER_MS, NS_PER_S, span
from loadgen.verify import artifact
from loadgen.version import __version__

LOST_NS = 10 * NS_PER_S
"""The silence after which an agent is lost: longer than of load, as its seeds can be run again and nothing hurries."""

TURN_NS = 50 * NS_PER_MS
"""The longest wait for a message before the crew is told the time."""

ON_THIS_MACHINE = ("local:", "dask:local:")
"""How the words of a launcher begin whose agents share this machine."""


def run(given: Given, verb: str, words: Sequence[str]) -> ExitCode:
    """Run a verb's campaign on machines, print the results, and return the exit code. Raises LoadgenError.

    `words` is the verb's own command line, without the options of its results.
    """
    planned = campaigns.planned_by(verb, words)
    launcher = machines.launcher(given)
    if launcher is None:
        raise UsageError("cloud needs machines: --machines 2 for agents on this one, or --on ssh:HOST,… for others.")
    _refuse_address(given)
    study = study_of(given, planned, verb, words)
    deferred = interrupts.Deferred()
    if given.dry_run:
        with machines.agents(given, launcher, LOST_NS) as fleet:
            output.write_lines(sys.stdout, [f"{line}\n".encode() for line in _preflight(study, fleet, launcher)])
        return ExitCode.YES
    with output.opened(verification.wanted(given)) as outputs, deferred.caught(), contextlib.ExitStack() as stack:
        with deferred:
            fleet = stack.enter_context(machines.agents(given, launcher, LOST_NS))
        crew = SeedCrew(
            study,
            joined(fleet, launcher),
            time.monotonic_ns(),
            emit=outputs.emit,
            keep=lambda found: str(artifact.written(found, Path(given.artifacts))),
            replay=replay_command,
        )
        try:
            _lead(crew, fleet, deferred)
        except KeyboardInterrupt:
            if not crew.has_begun:
                raise
            crew.interrupt()
        took_ns = time.monotonic_ns()
        if not crew.has_begun:
            raise WorkerError(crew.why)
        ended = crew.ended(took_ns)
        outputs.emit(ended)
    return ended.exit_code


def _lead(crew: SeedCrew, fleet: Fleet, deferred: interrupts.Deferred) -> None:
    """Pass on orders and messages until the campaign is over. Raises KeyboardInterrupt at a stop signal."""
    board, names = fleet.exchange, [each.name for each in fleet.machines]
    ranks = {name: rank for rank, name in enumerate(names)}
    files = {board.fileno(rank): rank for rank in range(len(names))}
    while not crew.is_over:
        for name, order in crew.orders():
            board.tell(ranks[name], order)
        with deferred:
            ready = THIS_MACHINE.wait(files, TURN_NS)
        for file in ready:
            name = names[files[file]]
            try:
                answer = board.hear(files[file])
            except EOFError as ended:
                del files[file]
                crew.lost(name, str(ended), time.monotonic_ns())
            else:
                crew.said(name, answer, time.monotonic_ns())
        crew.tick(time.monotonic_ns())


def joined(fleet: Fleet, launcher: Launcher) -> list[Joined]:
    """Return the machines of a fleet, with their CPUs: agents on this machine share those that it has."""
    on_one = len(fleet.machines) if launcher.words.startswith(ON_THIS_MACHINE) else 1
    return [Joined(each.name, each.said.host, each.said.cpus / on_one) for each in fleet.machines]


def study_of(given: Given, planned: Planned, verb: str, words: Sequence[str]) -> Study:
    """Return what the machines are to run. Raises UsageError for a file that cannot be read."""
    parts = campaigns.parts_of(planned)
    options = {part.options for part in parts}
    return Study(
        planned.name,
        verb,
        tuple(words),
        parts,
        __version__,
        source_files.found(_files(given)),
        machine.fingerprint(),
        processes=given.processes or 0,
        keep_going=given.keep_going,
        duration_ns=planned.limits.duration_ns,
        judges_states=planned.limits.judges_states,
        options=dict(options.pop()) if len(options) == 1 else {},
    )


def replay_command(part: Part, seed: int) -> str:
    """Return the command that runs a seed of a part here: its only kind, or all kinds of the suite."""
    test = part.kinds[0] if len(part.kinds) == 1 else part.suite
    return verification.case_command(test, seed, dict(part.options))


def _files(given: Given) -> Iterator[str]:
    """Yield the paths of files that the command line names: a spec, a server's file, and scenarios."""
    for name in ("spec", "server"):
        if value := given.get(name):
            yield value
    for scenario in given.get("scenario") or ():
        yield scenario.partition(":")[0]


def _refuse_address(given: Given) -> None:
    """Raise UsageError for a server that runs already: cases of several processes would undo each other's keys."""
    if (word := given.word("subject")) is not None and ":" in word.value:
        raise UsageError(
            f"{word.spelling} {printable(word.value, 60)} is one server, and the cases of several machines would undo "
            "each other's keys there: name a server that each machine starts, such as redis."
        )


def _preflight(study: Study, fleet: Fleet, launcher: Launcher) -> Iterator[str]:
    """Yield the lines of a dry run: what would be run, and on which machines."""
    cases = ", ".join(
        dict.fromkeys(
            f"{_plural(len(part.kinds), 'test')} × {_plural(len(part.seeds), 'seed')}" for part in study.parts
        )
    )
    yield f"{study.suite}: {f'for {span(study.duration_ns)}' if study.duration_ns else cases}"
    for each in joined(fleet, launcher):
        said = next(found.said for found in fleet.machines if found.name == each.name)
        processes = study.processes or max(1, round(each.cpus))
        yield (
            f"{each.name}: loadgen {said.version}, Python {said.python}, {_plural(said.cpus, 'CPU')}, "
            + _plural(processes, "process", "processes")
        )
    for file in study.files:
        yield f"each reads {file.path}"
    yield "nothing was run (--dry-run)"


def _plural(count: int, noun: str, many: str = "") -> str:
    return f"{count:,} {noun if count == 1 else many or f'{noun}s'}"
