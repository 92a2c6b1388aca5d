"""Results that cannot be written: one sentence, exit status 3, and no load without a reader."""

from __future__ import annotations

import os
import resource
import signal
from pathlib import Path

import pytest
from command import Running, load, loadgen, short
from faulty_server import FaultyServer, polite
from in_process import invoked_load
from real_servers import free_port

from loadgen.verify.history.file import read

LONG = ("--duration", "300s", "--set", "general.interval=50ms")

needs_dev_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")


@needs_dev_full
@pytest.mark.parametrize("format", ["verbose", "json"])
def test_a_full_stdout_ends_the_run_before_any_load(format: str) -> None:
    with FaultyServer(polite()) as server, Path("/dev/full").open("w") as full:
        finished = load(server.port, *LONG, "--format", format, stdout=full)
    assert finished.status == 3
    assert "results could not be written to standard output: No space left on device" in finished.complaint
    # The only connection was to ask which server it is.
    assert server.accepted == 1


@needs_dev_full
def test_the_quiet_line_that_cannot_be_written_is_missed() -> None:
    with FaultyServer(polite()) as server, Path("/dev/full").open("w") as full:
        finished = load(server.port, "--format", "quiet", stdout=full)
    assert finished.status == 3
    assert "results could not be written to standard output: No space left on device" in finished.complaint


@pytest.mark.parametrize("format", ["clean", "quiet"])
def test_a_closed_stdout_is_told_before_anything_is_asked(format: str) -> None:
    with FaultyServer(polite()) as server:
        finished = load(server.port, *LONG, "--format", format, preexec_fn=lambda: os.close(1))
    assert finished.status == 3
    assert "results could not be written to standard output: it is closed" in finished.complaint
    assert server.accepted == 0


def test_a_reader_that_goes_ends_the_run() -> None:
    reader, writer = os.pipe()
    with FaultyServer(polite()) as server:
        with Running(*short(server.port), *LONG, stdout=writer) as running:
            os.close(writer)
            assert os.read(reader, 10)
            os.close(reader)
            finished = running.finish()
    assert finished.status == 3
    # As with `head`, there is nobody to be told.
    assert finished.stderr == ""


def test_a_disk_that_fills_up_ends_the_run(tmp_path: Path) -> None:
    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))

    path = tmp_path / "results.json"
    with FaultyServer(polite()) as server:
        finished = load(server.port, *LONG, "--output", str(path), preexec_fn=limit)
    assert finished.status == 3
    assert f"results could not be written to {path}: File too large" in finished.complaint
    # Whatever had been measured until then is there, in whole.
    assert path.stat().st_size == 5000


def test_a_disk_that_the_history_fills_ends_the_run_and_leaves_whole_blocks(tmp_path: Path) -> None:
    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))

    path = tmp_path / "history"
    with FaultyServer(polite()) as server:
        finished = load(server.port, *LONG, "--history", str(path), preexec_fn=limit)
    assert finished.status == 3
    assert f"the history {path} can no longer be written (" in finished.complaint
    assert "Traceback" not in finished.complaint
    recorded = read(path)
    assert recorded.torn_bytes == 0
    assert len(recorded.operations) == 2048 * recorded.blocks > 0


@pytest.mark.parametrize(("path", "reason"), [("/", "Is a directory"), ("/no/such/folder/x", "No such file")])
def test_a_file_that_cannot_be_opened_is_named(path: str, reason: str) -> None:
    finished = invoked_load(free_port(), "--output", path)
    assert finished.status == 3
    assert f"results could not be written to {path}: {reason}" in finished.complaint
    assert finished.stdout == ""


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["--version"], ["config", "--example"]])
@pytest.mark.parametrize("kind", ["full", "closed"])
def test_every_other_word_of_the_command_may_find_stdout_unfit(arguments: list[str], kind: str) -> None:
    if kind == "full" and not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    if kind == "full":
        with Path("/dev/full").open("w") as full:
            finished = loadgen(*arguments, stdout=full)
    else:
        finished = loadgen(*arguments, preexec_fn=lambda: os.close(1))
    assert finished.status == 3
    assert "standard output" in finished.complaint


@pytest.mark.parametrize("kind", ["full", "closed"])
def test_a_stderr_that_takes_nothing_changes_nothing(kind: str) -> None:
    """Warnings, progress and stalls are then not seen by anyone; the results are as they would be."""
    if kind == "full" and not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    given = ["--protocol", "ping"]  # warns that keys are not acted on

    def spoil() -> None:
        if kind == "closed":
            os.close(2)
        else:
            os.dup2(os.open("/dev/full", os.O_WRONLY), 2)

    with FaultyServer(polite()) as server:
        finished = load(server.port, *given, preexec_fn=spoil)
    assert finished.status == 0
    assert finished.counts["ok"] == finished.counts["planned"] > 0
    assert finished.records[0]["warnings"]


def test_a_refusal_that_nobody_hears_keeps_its_exit_status() -> None:
    assert loadgen("run", "/no/such/file", preexec_fn=lambda: os.close(2)).status == 2
    assert load(free_port(), preexec_fn=lambda: os.close(2)).status == 3
