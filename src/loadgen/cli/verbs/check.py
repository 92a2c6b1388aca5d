"""Judge a recorded history: was each reply possible, given all others?

HISTORY is a file that --history of another verb wrote, or lines of JSON in Jepsen's words. A violation is shown with
the fewest operations that were found to prove it. The exit status is 0 where the history is legal, 1 where it is not, 4
where it cannot be told: nothing was read, or a key's values are not unique and the search for a legal order is too
long.
"""

from __future__ import annotations

import time
from pathlib import Path

from loadgen import output
from loadgen.cli import verification
from loadgen.cli.options import Given, Option, OptionGroup, Positional, Syntax
from loadgen.cli.options.kind import FILE_NAME, choice
from loadgen.cli.options.verification import RESULTS
from loadgen.errors import ExitCode, UsageError
from loadgen.escape import printable
from loadgen.output.paper.sink import write_file
from loadgen.verify.checked import HistoryChecked
from loadgen.verify.checkers import models, register
from loadgen.verify.checkers.answer import Answer
from loadgen.verify.history import file, ndjson
from loadgen.verify.history.file import Metadata, Recorded
from loadgen.verify.history.missing import add_missing_writes
from loadgen.verify.history.told import operations_of
from loadgen.version import __version__

SYNTAX = Syntax(
    (
        OptionGroup(
            "what is right",
            (
                Option(
                    ("--model",),
                    f"what the history is of: {', '.join(models.MODELS)}; a binary history is of registers",
                    choice(tuple(models.MODELS)),
                    default=models.REGISTER,
                ),
                Option(
                    ("--no-eviction",),
                    "of registers: nothing was evicted or expired, so a key is absent only before its first write and "
                    "after a delete",
                ),
            ),
        ),
        OptionGroup(
            "pictures",
            (Option(("--svg",), "draw the violations that are shown, a lane for each process", FILE_NAME),),
        ),
        OptionGroup(
            "lines",
            (Option(("--lines",), "write a binary history as lines of JSON, for other checkers", FILE_NAME),),
        ),
        RESULTS,
    ),
    (Positional("history", "HISTORY", "the history", least=1),),
)


def run(given: Given) -> ExitCode:
    """Judge the history, print what was found, and return the exit code. Raises LoadgenError."""
    strict = bool(given.no_eviction)
    if strict and given.model != models.REGISTER:
        raise UsageError(f"--no-eviction is for registers: leave it out, or leave out --model {given.model}.")
    with output.opened(verification.wanted(given, windows=given.svg)) as outputs:
        began = time.monotonic_ns()
        path = Path(given.history)
        metadata, lacks = Metadata(clock=""), {}
        if file.is_history(path):
            if given.model != models.REGISTER:
                raise UsageError(f"{printable(given.history)} is a binary history, and these are of registers only.")
            recorded = file.read(path)
            if given.lines is not None:
                write_file(given.lines, "".join(ndjson.write(operations_of(recorded.operations))))
            metadata, lacks = recorded.metadata, _lacks(recorded)
            answer = register.check(recorded.operations, strict=strict)
        elif given.lines is not None:
            raise UsageError(f"--lines is for binary histories, and {printable(given.history)} has lines already.")
        else:
            answer = _of_lines(path, given.model, strict=strict)
        ended = HistoryChecked(
            given.history,
            answer,
            __version__,
            time.monotonic_ns() - began,
            {"origin": metadata.origin, "clock": metadata.clock, "sampling": _share(metadata.sampling)},
            **lacks,
        )
        outputs.emit(ended)
    return ended.exit_code


def _of_lines(path: Path, model: str, *, strict: bool) -> Answer:
    history = ndjson.read(path)
    return models.strict_register(history) if strict else models.MODELS[model](history)


def _lacks(recorded: Recorded) -> dict[str, int]:
    """Return what a history lacks, and add the writes whose records are missing."""
    missing = add_missing_writes(recorded.operations, recorded.unclosed) if recorded.unclosed else 0
    return {
        "torn_bytes": recorded.torn_bytes,
        "torn_blocks": recorded.torn_blocks,
        "unclosed_workers": len(recorded.unclosed),
        "missing_writes": missing,
    }


def _share(sampling: float) -> str:
    """Return the share of keys that are in a history; empty for all."""
    return "" if sampling >= 1 else f"{sampling:.3g} of the keys"
