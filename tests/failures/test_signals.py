"""Ctrl-C and SIGTERM in every phase: the first drains and prints the results (exit status 130), the second aborts."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
from random import Random

import pytest
from command import TIMEOUT_S, Finished, Running, settings, short
from faulty_server import FaultyServer, Peer, answers, never_answers, polite
from real_servers import RealServer

from loadgen.cli.main import main

LONG = ("--duration", "300s", "--set", "general.interval=100ms")
PATIENT = settings(connect_timeout="300s", request_timeout="300s")


def interrupted(finished: Finished) -> Finished:
    assert finished.status == 130
    assert finished.stderr == ""
    assert finished.result["interrupted"]
    assert finished.records[-2] == {**finished.records[-2], "type": "phase", "phase": "drain"}
    return finished


def ends_within(running: Running, seconds: float) -> bool:
    try:
        running.process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


@pytest.mark.parametrize(
    ("number", "rate"), [(signal.SIGHUP, []), (signal.SIGTERM, ["--rate", "5000", "--arrival", "constant"])]
)
def test_an_interrupted_run_drains_and_prints_what_there_is(number: signal.Signals, rate: list[str]) -> None:
    with RealServer.redis() as server:
        with Running(*short(server.port), *LONG, *rate, "--threads", "2") as running:
            running.wait_for("sample", 2)
            running.process.send_signal(number)
            finished = interrupted(running.finish())
        calls = server.client().info("commandstats")
    assert finished.counts["ok"] == finished.counts["planned"] > 0
    assert 0 < finished.result["duration_secs"] < 300
    assert calls["cmdstat_get"]["calls"] == finished.result["totals"]["commands"]["get"]["sent"]
    assert calls["cmdstat_set"]["calls"] == finished.result["totals"]["commands"]["set"]["sent"]


@pytest.mark.parametrize("rate", [[], ["--rate", "1000", "--arrival", "constant"]])
def test_an_interrupt_while_connections_are_made_ends_the_run(rate: list[str]) -> None:
    with FaultyServer(answers(b"", to=b"PING")) as server:
        with Running(*short(server.port), *PATIENT, *rate) as running:
            running.wait_for("phase", phase="connect")
            running.workers()
            running.interrupt()
            finished = interrupted(running.finish())
    assert finished.counts["planned"] == 0
    assert finished.result["duration_secs"] == 0


def test_an_interrupt_while_a_server_is_loading_ends_the_wait() -> None:
    with FaultyServer(answers(b"-LOADING Redis is loading\r\n")) as server:
        with Running(*short(server.port), *PATIENT) as running:
            running.wait_for("phase", phase="precheck")
            running.interrupt()
            finished = running.finish()
    assert finished.status == 130
    assert finished.result["interrupted"]


def test_an_interrupt_during_the_prefill_ends_it() -> None:
    with FaultyServer(answers(b"", to=b"SET")) as server:
        with Running(*short(server.port), *PATIENT, "--rate", "1000", "--arrival", "constant", "--prefill") as running:
            running.wait_for("phase", phase="prefill")
            running.interrupt()
            finished = interrupted(running.finish())
    # What the prefill had in flight is no part of what is measured.
    assert finished.counts["planned"] == 0


def test_an_interrupt_during_the_warm_up_measures_nothing() -> None:
    with RealServer.redis() as server:
        with Running(*short(server.port), *LONG, "--warmup", "300s") as running:
            running.wait_for("phase", phase="warmup")
            running.interrupt()
            finished = interrupted(running.finish())
    assert finished.counts["planned"] == 0
    assert finished.result["duration_secs"] == 0
    totals = finished.result["totals"]
    assert totals["sent"] == totals["received"]


@pytest.mark.parametrize("rate", [[], ["--rate", "5000", "--arrival", "constant"]])
def test_a_second_interrupt_does_not_wait_for_what_is_open(rate: list[str]) -> None:
    silent = threading.Semaphore(0)

    def falls_silent(peer: Peer) -> None:
        silent.release()
        never_answers(peer)

    with FaultyServer(polite(after=falls_silent, requests=50)) as server:
        with Running(*short(server.port), *LONG, *PATIENT, *rate) as running:
            for _ in range(2):
                assert silent.acquire(timeout=TIMEOUT_S)
            # A report that is complete has all replies of both connections in it.
            running.wait_for("sample", 3 + sum(b'"sample"' in line for line in running.lines))
            running.interrupt()
            running.wait_for("phase", phase="drain")
            # Two signals less than 100 ms apart would count as one.
            assert not ends_within(running, 0.2)
            running.interrupt()
            finished = interrupted(running.finish())
    # What was open when the worker last spoke is lost.
    assert finished.counts["ok"] == 100
    assert finished.counts["lost"] == finished.counts["planned"] - 100 == 8


def test_a_signal_to_the_whole_process_group_counts_once_and_kills_no_worker() -> None:
    """`timeout` sends it to the process and then to its group, and so do some supervisors."""
    with RealServer.redis() as server:
        with Running(*short(server.port), *LONG, "--threads", "2", start_new_session=True) as running:
            running.wait_for("sample", 2)
            running.process.send_signal(signal.SIGTERM)
            os.killpg(running.process.pid, signal.SIGTERM)
            finished = interrupted(running.finish())
    assert finished.counts["ok"] == finished.counts["planned"] > 0


def test_an_interrupt_of_an_embedded_run_still_drains() -> None:
    with Running(*short(None), *LONG, start_new_session=True) as running:
        running.wait_for("sample", 2)
        os.killpg(running.process.pid, signal.SIGINT)
        finished = interrupted(running.finish())
    assert finished.counts["ok"] == finished.counts["planned"] > 0


def test_an_interrupt_before_the_run_says_so_and_nothing_else() -> None:
    with FaultyServer(never_answers) as server:
        with Running(*short(server.port)) as running:
            # It asks which server it is, and waits for the answer.
            running.wait_until(lambda: server.accepted > 0)
            running.interrupt()
            finished = running.finish()
    assert (finished.status, finished.stdout, finished.stderr) == (130, "", "loadgen: interrupted.\n")


def test_interrupts_end_even_a_run_whose_reader_has_stopped_reading() -> None:
    reader, writer = os.pipe()
    with RealServer.redis() as server:
        arguments = [*short(server.port), "--duration", "300s", "--set", "general.interval=1ms"]
        with Running(*arguments, stdout=writer) as running:
            # The load is not held up; only its results wait.
            running.wait_until(lambda: not has_room(writer))
            os.close(writer)
            while not ends_within(running, 0.3):
                running.interrupt()
            finished = running.finish()
    os.close(reader)
    assert finished.status == 130


def has_room(pipe: int) -> bool:
    return bool(select.select([], [pipe], [], 0)[1])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_whatever_asks_to_stop_before_the_load_ends_as_interrupted(number: signal.Signals) -> None:
    with FaultyServer(never_answers) as server:
        with Running(*short(server.port)) as running:
            running.wait_until(lambda: server.accepted > 0)
            running.process.send_signal(number)
            finished = running.finish()
    assert (finished.status, finished.stdout, finished.stderr) == (130, "", "loadgen: interrupted.\n")


def test_three_signals_in_a_row_at_any_time_end_as_interrupted_or_with_a_result() -> None:
    """A few of the times that there are; the seed is the test's own, so that it is always the same few."""
    random = Random(9)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        delay_s = random.uniform(0.3, 1.0)
        with Running(*short(None)) as running:
            # Not a wait for something: any time is as good as another.
            ends_within(running, delay_s)
            for _ in range(3):
                if running.process.poll() is None:
                    running.process.send_signal(number)
                ends_within(running, 0.11)
            finished = running.finish()
        assert finished.status in (0, 130), (number, delay_s, finished.stderr)
        assert "Traceback" not in finished.stderr


def test_an_import_that_turns_a_signal_into_its_own_error_is_interrupted_all_the_same() -> None:
    script = """
import os, signal, sys, types
from loadgen import entry
class Panic(BaseException): pass
def main(imported):
    try:
        os.kill(os.getpid(), signal.SIGHUP)
    except KeyboardInterrupt:
        raise Panic from None
sys.modules["loadgen.cli.main"] = types.ModuleType("loadgen.cli.main")
sys.modules["loadgen.cli.main"].main = main
sys.exit(entry.main())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (130, "loadgen: interrupted.\n")


@pytest.mark.parametrize("late", [False, True], ids=["the command line", "the verb"])
def test_a_signal_that_an_import_swallows_ends_the_command_all_the_same(late: bool) -> None:
    script = """
import os, signal, sys
from loadgen import entry
class Swallows:
    def find_spec(self, name, path=None, target=None):
        if name == NAME:
            sys.meta_path.remove(self)
            try:
                os.kill(os.getpid(), signal.SIGTERM)
            except KeyboardInterrupt:
                pass
sys.meta_path.insert(0, Swallows())
sys.argv = ["loadgen", "config", "--list"]
sys.exit(entry.main())
""".replace("NAME", repr("loadgen.cli.verbs.config" if late else "loadgen.cli.main"))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "loadgen: interrupted.\n")


@pytest.mark.parametrize("cause", ["None", "interruption"], ids=["a compiled module", "the making of a class"])
def test_an_import_of_the_verb_that_turns_a_signal_into_its_own_error_is_interrupted_too(cause: str) -> None:
    """The error is an Exception, which would be an internal error without the signal."""
    script = """
import os, signal, sys
from loadgen import entry
class Turns:
    def find_spec(self, name, path=None, target=None):
        if name == "loadgen.cli.verbs.config":
            try:
                os.kill(os.getpid(), signal.SIGTERM)
            except KeyboardInterrupt as interruption:
                raise RuntimeError("of its own") from CAUSE
sys.meta_path.insert(0, Turns())
sys.argv = ["loadgen", "config", "--list"]
sys.exit(entry.main())
""".replace("CAUSE", cause)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "loadgen: interrupted.\n")


def test_a_signal_in_the_making_of_a_class_while_the_verb_runs_is_interrupted_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Interrupted:
        def __set_name__(self, owner: type, name: str) -> None:
            raise KeyboardInterrupt

    def act(arguments: list[str], imported: object) -> int:
        type("Made", (), {"field": Interrupted()})
        return 0

    monkeypatch.setattr("loadgen.cli.main.act", act)
    assert main(["config", "--list"]) == 130
    assert capsys.readouterr() == ("", "loadgen: interrupted.\n")


def test_a_worker_cannot_be_lost_by_what_asks_to_stop() -> None:
    with RealServer.redis() as server:
        with Running(*short(server.port), *LONG, "--threads", "2") as running:
            running.wait_for("sample", 1)
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                running.workers()[0].send_signal(number)
            running.wait_for("sample", 3)
            running.interrupt()
            finished = interrupted(running.finish())
    assert len(finished.result["signs"]["workers"]) == 2
    assert finished.counts["ok"] == finished.counts["planned"] > 0
