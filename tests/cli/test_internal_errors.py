"""An error of loadgen's own never looks like an answer: exit status 70, one line, and a file with the traceback."""

from __future__ import annotations

import importlib
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from faulty_server import FaultyServer, polite
from in_process import invoked, invoked_load

from loadgen.cli import crash, session
from loadgen.cli.main import VERBS
from loadgen.errors import ExitCode, InternalError
from loadgen.runner.crew import Crew
from loadgen.worker.messages import PutOn

# The package has a function of the same name.
parse_module = importlib.import_module("loadgen.cli.options.parse")

LINE = re.compile(
    r"loadgen: internal error \((?P<words>.+)\)\. This is a bug in loadgen, and says nothing about a server: "
    r"report it with (?P<path>\S+|what --debug prints)\.\n"
)


@pytest.fixture(autouse=True)
def temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def raises(error: BaseException) -> Callable[..., object]:
    def anything(*arguments: object, **named: object) -> object:
        raise error

    return anything


def exhausts(*arguments: object) -> object:
    return exhausts(*arguments)


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ValueError("invalid literal"), "ValueError: invalid literal"),
        (MemoryError(), "MemoryError"),
        (RecursionError("maximum recursion depth exceeded"), "RecursionError: maximum recursion depth exceeded"),
        (AssertionError("\x1b[2J\n::error::pwn"), r"AssertionError: \x1b[2J\n::error::pwn"),
        (OSError(28, "No space left on device"), "OSError: [Errno 28] No space left on device"),
        (InternalError("worker 3 failed: KeyError: 7", "File it.py\n"), "worker 3 failed: KeyError: 7"),
    ],
)
def test_whatever_is_raised_in_any_verb_is_exit_status_70(
    verb: str, error: Exception, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = importlib.import_module(f"loadgen.cli.verbs.{verb}")
    monkeypatch.setattr(parse_module, "parse", lambda syntax, words: None)
    monkeypatch.setattr(module, "run", raises(error))
    finished = invoked(verb)
    assert finished.status == ExitCode.INTERNAL == 70
    assert finished.stdout == ""
    said = LINE.fullmatch(finished.stderr)
    assert said, finished.stderr
    assert said["words"] == words
    kept = Path(said["path"])
    assert kept.stat().st_mode & 0o777 == 0o600
    text = kept.read_text()
    assert text.startswith("loadgen ")
    assert "Traceback (most recent call last)" in text
    assert f'File "{__file__}"' in text
    assert ("File it.py" in text) == isinstance(error, InternalError)


def test_an_error_in_what_reads_the_arguments_is_one_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parse_module, "parse", raises(TypeError("no")))
    assert invoked("run").status == 70


def test_a_recursion_without_end_is_one_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "identify", exhausts)
    with FaultyServer(polite()) as server:
        finished = invoked_load(server.port)
    assert finished.status == 70
    assert "internal error (RecursionError: maximum recursion depth exceeded" in finished.stderr
    assert len(finished.stderr.splitlines()) == 1


def test_debug_prints_the_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from loadgen.cli.main import main

    monkeypatch.setattr(session, "identify", raises(ValueError("a bug")))
    assert main(["run", "--host", "127.0.0.1", "--debug"]) == 70
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-2] == "ValueError: a bug"
    assert lines[-1].startswith("loadgen: internal error (ValueError: a bug)")


def test_an_error_in_a_worker_is_one_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def put_on(crew: Crew, *arguments: object, **named: object) -> None:
        crew.tell_all(PutOn(cast(Any, "no load"), 0))
        crew.hear(time.monotonic_ns() + 60_000_000_000)

    monkeypatch.setattr(Crew, "put_on", put_on)
    with FaultyServer(polite()) as server:
        finished = invoked_load(server.port)
    assert finished.status == 70
    said = LINE.fullmatch(finished.stderr)
    assert said, finished.stderr
    assert said["words"].startswith("worker 0 failed: AttributeError: 'str' object has no attribute")
    text = Path(said["path"]).read_text()
    assert re.search(r'File ".*worker/main\.py", line \d+, in execute', text)
    assert not any(record["type"] == "result" for record in finished.records)


def test_where_no_file_can_be_written_the_line_is_said_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "mkstemp", raises(FileNotFoundError(2, "No usable temporary directory found")))
    monkeypatch.setattr(session, "identify", raises(ValueError("a bug")))
    finished = invoked("run", "--host", "127.0.0.1")
    assert finished.status == 70
    said = LINE.fullmatch(finished.stderr)
    assert said, finished.stderr
    assert said["path"] == "what --debug prints"


def test_a_long_traceback_is_cut_at_its_beginning() -> None:
    text = crash.traceback_of(InternalError("x", "y" * (2 * crash.LONGEST_TRACEBACK)))
    assert len(text) == crash.LONGEST_TRACEBACK
    assert text.endswith("InternalError: x\n")


def test_an_error_that_cannot_be_spelled_is_named() -> None:
    class Odd(Exception):
        def __str__(self) -> str:
            raise MemoryError

    assert "Odd" in crash.traceback_of(Odd())
