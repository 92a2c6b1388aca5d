"""Keep the seeds of failures in a file, and run them again: list, add or test.

The file has a line for each seed: SEED TEST_TYPE [OPTION=VALUE …] DESCRIPTION. The shrunk case of an artifact is kept
in a folder beside it. `test` runs every seed and every shrunk case; the exit status is 1 when one fails.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from loadgen import output
from loadgen.cli import specification, verification
from loadgen.cli.options import Given, Option, OptionGroup, Positional, Syntax
from loadgen.cli.options.kind import FILE_NAME, TEXT
from loadgen.cli.options.verification import ARTIFACT, RESULTS, SEED, of_suites
from loadgen.cli.verification import Job, Planned, Run, Shrunk
from loadgen.errors import ExitCode, OutputError, UsageError
from loadgen.escape import printable
from loadgen.verify import artifact, bank, kinds, whole_file
from loadgen.verify.artifact import Artifact
from loadgen.verify.bank import Found
from loadgen.verify.kinds import Suite, suggestion

LARGEST = 16 << 20
"""Bytes of the largest bank."""

LONGEST = 200
"""Characters of a step of a shrunk case that `list` prints."""


def syntax(suites: Mapping[str, Suite]) -> Syntax:
    return Syntax(
        (
            OptionGroup(
                "the bank",
                (
                    Option(("--bank",), f"the file (default: {bank.FILE})", FILE_NAME, default=bank.FILE),
                    Option(("--test",), "with list and test, only the seeds of this test type; with add, the type "
                           "(default: properties)", TEXT, "TEST"),
                ),
            ),
            OptionGroup(
                "for add",
                (
                    Option(("--seed",), "the seed", SEED),
                    Option(("--description",), "what the seed once found", TEXT, default=""),
                ),
            ),
            of_suites(suites.values()),
            OptionGroup("for test", (ARTIFACT,)),
            RESULTS,
        ),
        (
            Positional("action", "list|add|test", "print the seeds, add one, or run them all", least=1),
            Positional("file", "FILE", "with add, the artifact of a failure, which has seed, test and options"),
        ),
    )  # fmt: skip


SYNTAX = syntax(kinds.SUITES)


def run(given: Given) -> ExitCode:
    """Do what the action says. Raises LoadgenError; ConfigError with every problem of the file."""
    if (act := _ACTIONS.get(given.action)) is None:
        raise UsageError(f'there is no action "{printable(given.action, 40)}"; {suggestion(given.action, [*_ACTIONS])}')
    return act(given)


def _list(given: Given) -> ExitCode:
    _refuse(given, "list", "seed", "description", *_options(), *_REPORT)
    lines = [f"{line}\n".encode() for each in _wanted(given) for line in _lines(given, each)]
    output.write_lines(sys.stdout, lines)
    return ExitCode.YES


def _lines(given: Given, found: Found) -> list[str]:
    """Return the line of an entry, and as comments its shrunk case."""
    if (case := found.shrunk) is None:
        return [str(found.entry)]
    steps = [*(f"fault: {each}" for each in case.faults), *case.operations]
    head = f"#   {printable(_path(given, found.entry.shrunk))}, of loadgen {printable(case.origin.version)}:"
    return [str(found.entry), head, *(f"#     {printable(step, LONGEST)}" for step in steps)]


def _add(given: Given) -> ExitCode:
    text = _text(given.bank, new=True)
    recorded = None
    _refuse(given, "add", *_REPORT)
    if given.file is not None:
        _refuse(given, "add FILE", "seed", "test", *_options())
        recorded = artifact.read(Path(given.file))
    spec = given.get("spec") or (recorded.options.get("spec") if recorded is not None else None)
    suites = specification.suites_of(specification.spec_of(spec))
    present = bank.read(text, printable(given.bank), suites, partial(_shrunk, given))
    new = _recorded(given, recorded, suites) if recorded is not None else _named(given, suites)
    done = bank.addition(text, present, new)
    try:
        if done.case is not None:
            artifact.written(replace(done.case, tape=None), _folder(given), done.entry.shrunk)
        if done.text != text:
            _write(Path(given.bank), done.text, text)
    except OSError as error:
        raise OutputError(
            f"the seed could not be added to {printable(given.bank)}: {error.strerror or error}"
        ) from error
    if done.remark:
        output.remark(f"loadgen: {given.bank} {done.remark}: {done.entry}")
    else:
        output.write_lines(sys.stdout, [f"{done.entry}\n".encode()])
    return ExitCode.YES


def _write(path: Path, new: str, old: str) -> None:
    """Write a bank: what is new at its end is added, and with any other change it is replaced whole.

    Raises OSError; the bank is then as it was, but for a part of what is new at its end.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if new.startswith(old):
        with path.open("a", encoding="utf-8") as file:
            file.write(new[len(old) :])
    else:
        whole_file.write(path, new)


def _test(given: Given) -> ExitCode:
    _refuse(given, "test", "seed", "description", *_options())
    found = _wanted(given)
    if not found:
        raise UsageError(f"{printable(given.bank)} has no seed{' of this test' * bool(given.test)} to run.")
    return verification.run(given, Planned("seeds", jobs_of(found, partial(_path, given))))


_ACTIONS: dict[str, Callable[[Given], ExitCode]] = {"list": _list, "add": _add, "test": _test}


def jobs_of(found: tuple[Found, ...], path: Callable[[str], str]) -> list[Job]:
    """Return the entries as jobs: those with the same suite and options share their subjects.

    `path` returns the path of a shrunk case.
    """
    shared: dict[tuple[str, tuple[tuple[str, str], ...]], list[Found]] = {}
    for each in found:
        shared.setdefault((each.suite.name, tuple(sorted(each.options.items()))), []).append(each)
    return [
        Job(entries[0].suite, entries[0].options, tuple(_run(each, path) for each in entries))
        for entries in shared.values()
    ]


def _run(found: Found, path: Callable[[str], str]) -> Run:
    entry, case = found.entry, found.shrunk
    if case is None:
        return Run(found.kinds, [entry.seed])
    again = verification.case_command(case.kind, entry.seed, found.options)
    renewal = (
        f"shrink the failure anew by `{again}` on a server that still has it and add that artifact, or take "
        f"{bank.SHRUNK}={entry.shrunk} out of its line"
    )
    return Run(found.kinds, [entry.seed], Shrunk(case, path(entry.shrunk), renewal))


def _recorded(given: Given, recorded: Artifact, suites: Mapping[str, Suite]) -> Found:
    """Return the entry of an artifact, with its shrunk case if there is one. Raises UsageError."""
    suite = verification.suite_of(given.file, recorded, suites)
    told = given.description or recorded.fingerprint
    new = bank.entry(
        recorded.seed, recorded.kind, verification.options_of(given, suite, recorded.options), told, suites
    )
    # A written case has no draws, and what did not fail a second time was not shrunk: the seed is all there is.
    return replace(new, shrunk=recorded) if recorded.reproduced and recorded.shrunk.draws else new


def _named(given: Given, suites: Mapping[str, Suite]) -> Found:
    """Return the entry that the options name. Raises UsageError."""
    if given.seed is None:
        raise UsageError("add takes the artifact of a failure, or --seed and --test.")
    test = given.test or "properties"
    suite = kinds.selected(test, suites).suite
    verification.check_options(given, suites, suite)
    return bank.entry(given.seed, test, verification.options_of(given, suite), given.description, suites)


def _wanted(given: Given) -> tuple[Found, ...]:
    """Return the entries of the bank, or those of --test. Raises UsageError or ConfigError."""
    if given.file is not None:
        raise UsageError(f"{given.action} takes no FILE; name the bank by --bank.")
    suites = specification.suites_of(specification.spec_of(given.get("spec")))
    found = bank.read(_text(given.bank), printable(given.bank), suites, partial(_shrunk, given))
    if given.test is None:
        return found
    wanted = set(kinds.selected(given.test, suites).kinds)
    return tuple(each for each in found if wanted & set(each.kinds))


def _text(path: str, *, new: bool = False) -> str:
    """Return the text of a bank; with `new`, empty where there is no file. Raises UsageError."""
    name = printable(path)
    try:
        with Path(path).open("rb") as file:
            data = file.read(LARGEST + 1)
    except FileNotFoundError:
        if new:
            return ""
        raise UsageError(f"there is no {name}; `loadgen seeds add` makes it, and --bank names another file.") from None
    except OSError as error:
        raise UsageError(f"{name}: cannot be read: {error.strerror or error}.") from None
    if len(data) > LARGEST:
        raise UsageError(f"{name}: is larger than {LARGEST >> 20} MiB, so it is no seed bank.")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"{name}: is no seed bank, as it is not UTF-8.") from None


_REPORT = ("artifacts", *(option.name for option in RESULTS.options if option.name != "color"))
"""The names of the options that say what becomes of a campaign's results."""


def _options() -> list[str]:
    """Return the names of the options of all suites, as a `Given` has them, but for the spec file's."""
    names = dict.fromkeys(name for suite in kinds.SUITES.values() for name in suite.options if name != "spec")
    return [name.replace("-", "_") for name in names]


def _folder(given: Given) -> Path:
    """Return the folder of the bank's shrunk cases, which is beside it."""
    path = Path(given.bank)
    return path.with_suffix("") if path.suffix else path.with_name(f"{path.name}.shrunk")


def _path(given: Given, name: str) -> str:
    """Return the path of a shrunk case."""
    return str(_folder(given) / name)


def _shrunk(given: Given, name: str) -> Artifact:
    """Read a shrunk case. Raises UsageError."""
    return artifact.read(_folder(given) / name)


def _refuse(given: Given, action: str, *names: str) -> None:
    """Raise UsageError for an option that an action does not act on."""
    for name in names:
        if (word := given.word(name)) is not None:
            raise UsageError(f"{word.spelling} is not acted on by seeds {action}: leave it out.")
