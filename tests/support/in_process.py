"""The command in the test's own process: for tests of a command line, a file or an answer.

Starting an interpreter and its libraries takes longer than most such tests. Tests of signals, closed streams and
deaths need a process and use `command`.
"""

from __future__ import annotations

import sys
import tempfile

import psutil
from command import Finished, check_accounts, short

from loadgen.cli.main import main


def invoked(*arguments: str) -> Finished:
    """Runs the command to its end; standard output and error are files, as in `loadgen … > out 2> err`."""
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as stdout,
        tempfile.TemporaryFile("w+", encoding="utf-8") as stderr,
    ):
        before = sys.stdout, sys.stderr
        others = children()
        sys.stdout, sys.stderr = stdout, stderr
        try:
            status = main(list(arguments))
        finally:
            sys.stdout, sys.stderr = before
        assert children() <= others, "it left a process behind"
        texts = []
        for stream in (stdout, stderr):
            stream.flush()
            stream.seek(0)
            texts.append(stream.read())
    finished = Finished(status, *texts)
    for text in texts:
        assert "Traceback" not in text, text
        assert "Exception ignored" not in text, text
    if finished.stdout.startswith('{"type"'):
        check_accounts(finished.records)
    return finished


def children() -> set[psutil.Process]:
    """Every process that this one has started, directly or not, and that still runs."""
    return set(psutil.Process().children(recursive=True))


def invoked_load(port: int | None, *arguments: str, host: str = "127.0.0.1") -> Finished:
    """A short load on a server, as JSON, in this process; `arguments` win over what is here."""
    return invoked(*short(port, host), *arguments)
