"""Keep the seeds of failures in a file, and run them again: list, add or test.

The file has a line for each seed: SEED TEST_TYPE [OPTION=VALUE …] DESCRIPTION. `test` runs every one of them; the exit
status is 1 when a case fails.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from loadgen import output
from loadgen.cli import specification, verification
from loadgen.cli.options import Given, Option, OptionGroup, Positional, Syntax
from loadgen.cli.options.kind import FILE_NAME, TEXT
from loadgen.cli.options.verification import ARTIFACT, RESULTS, SEED, of_suites
from loadgen.cli.verification import Job, Run
from loadgen.errors import ExitCode, OutputError, UsageError
from loadgen.escape import printable
from loadgen.verify import artifact, bank, kinds
from loadgen.verify.bank import Found
from loadgen.verify.kinds import Suite, suggestion

LARGEST = 16 << 20
"""Bytes of the largest bank."""


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
    _refuse(given, "list", "seed", "description", *_options())
    lines = [f"{each.entry}\n".encode() for each in _wanted(given)]
    output.write_lines(sys.stdout, lines)
    return ExitCode.YES


def _add(given: Given) -> ExitCode:
    text = _text(given.bank, new=True)
    suites = _suites(given)
    present = bank.read(text, printable(given.bank), suites)
    new = _new(given, suites)
    if bank.is_in(new, present):
        output.remark(f"loadgen: {given.bank} has it already: {new.entry}")
        return ExitCode.YES
    try:
        Path(given.bank).parent.mkdir(parents=True, exist_ok=True)
        with Path(given.bank).open("a", encoding="utf-8") as file:
            file.write(bank.added(text, new)[len(text) :])
    except OSError as error:
        raise OutputError(
            f"the seed could not be added to {printable(given.bank)}: {error.strerror or error}"
        ) from error
    output.write_lines(sys.stdout, [f"{new.entry}\n".encode()])
    return ExitCode.YES


def _test(given: Given) -> ExitCode:
    _refuse(given, "test", "seed", "description", *_options())
    found = _wanted(given)
    if not found:
        raise UsageError(f"{printable(given.bank)} has no seed{' of this test' * bool(given.test)} to run.")
    return verification.run(given, "seeds", jobs_of(found))


_ACTIONS: dict[str, Callable[[Given], ExitCode]] = {"list": _list, "add": _add, "test": _test}


def jobs_of(found: tuple[Found, ...]) -> list[Job]:
    """Return the entries as jobs: those with the same suite and options share their subjects."""
    shared: dict[tuple[str, tuple[tuple[str, str], ...]], list[Found]] = {}
    for each in found:
        shared.setdefault((each.suite.name, tuple(sorted(each.options.items()))), []).append(each)
    return [
        Job(entries[0].suite, entries[0].options, tuple(Run(each.kinds, [each.entry.seed]) for each in entries))
        for entries in shared.values()
    ]


def _new(given: Given, suites: Mapping[str, Suite]) -> Found:
    """Return the entry that the options or an artifact name. Raises UsageError."""
    seed, test, told = given.seed, given.test or "properties", given.description
    base: Mapping[str, str] = {}
    if given.file is not None:
        _refuse(given, "add FILE", "seed", "test", *_options())
        recorded = artifact.read(Path(given.file))
        seed, test, base = recorded.seed, recorded.kind, recorded.options
        told = told or recorded.fingerprint
    if seed is None:
        raise UsageError("add takes the artifact of a failure, or --seed and --test.")
    suite = kinds.selected(test, suites).suite
    verification.check_options(given, suites, suite)
    return bank.entry(seed, test, verification.options_of(given, suite, base), told, suites)


def _wanted(given: Given) -> tuple[Found, ...]:
    """Return the entries of the bank, or those of --test. Raises UsageError or ConfigError."""
    if given.file is not None:
        raise UsageError(f"{given.action} takes no FILE; name the bank by --bank.")
    suites = _suites(given)
    found = bank.read(_text(given.bank), printable(given.bank), suites)
    if given.test is None:
        return found
    wanted = set(kinds.selected(given.test, suites).kinds)
    return tuple(each for each in found if wanted & set(each.kinds))


def _text(path: str, *, new: bool = False) -> str:
    """Return the text of a bank; with `new`, empty where there is no file. Raises UsageError."""
    name = printable(path)
    try:
        data = Path(path).read_bytes()
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


def _options() -> list[str]:
    """Return the names of the options of all suites, as a `Given` has them, but for the spec file's."""
    names = dict.fromkeys(name for suite in kinds.SUITES.values() for name in suite.options if name != "spec")
    return [name.replace("-", "_") for name in names]


def _suites(given: Given) -> dict[str, Suite]:
    """Return all suites, with the cases of the spec file."""
    return specification.suites_of(specification.spec_of(given.get("spec")))


def _refuse(given: Given, action: str, *names: str) -> None:
    """Raise UsageError for an option that an action does not act on."""
    for name in names:
        if (word := given.word(name)) is not None:
            raise UsageError(f"{word.spelling} is not acted on by seeds {action}: leave it out.")
