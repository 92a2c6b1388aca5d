"""The messages between a crew and its workers, other than the plan."""

from __future__ import annotations

import asyncio
import pickle
import pickletools
import socket
import subprocess
import sys
from dataclasses import replace
from multiprocessing.connection import Connection

import uvloop
from runs import plan

from loadgen.engine._pool import OPENED_AT_A_TIME
from loadgen.worker import messages
from loadgen.worker.main import work


def test_as_many_connections_are_opened_at_a_time_as_the_crew_reckons_with() -> None:
    assert messages.OPENED_AT_A_TIME == OPENED_AT_A_TIME


def test_a_worker_that_is_told_messages_of_another_version_says_so_and_ends() -> None:
    ours, theirs = socket.socketpair()
    with Connection(ours.detach()) as pipe:
        pipe.send(replace(messages.Hello(plan(1), (0,)), version=messages.VERSION + 1))
        uvloop.run(asyncio.wait_for(work(theirs), 10))
        said = pipe.recv()
    assert isinstance(said, messages.Failed)
    assert f"messages of version {messages.VERSION + 1}, and knows {messages.VERSION}" in said.words


def test_a_worker_knows_nothing_of_who_judges_its_numbers() -> None:
    """Nor of anything else of the front end: each worker process loads what its module imports."""
    source = "import sys, loadgen.worker.main; print(*(name for name in sys.modules if name.startswith('loadgen.')))"
    loaded = subprocess.run([sys.executable, "-c", source], check=True, capture_output=True, text=True).stdout.split()
    rooms = {name.split(".")[1] for name in loaded}
    assert {"worker", "engine", "plan"} <= rooms
    assert rooms.isdisjoint(
        {"judge", "slo", "stats", "events", "config", "record", "output", "runner", "target", "cli"}
    )


def test_what_a_worker_is_sent_first_is_the_plan_and_nothing_beside_it() -> None:
    limits = ("slo.p99=1ms", "slo.get.hit_rate_min=0.5", "verdict.lag=1ms")
    asked, unasked = (pickle.dumps(messages.Hello(plan(1, "general.seed=1", *more), (0,))) for more in (limits, ()))
    assert asked == unasked
    words = {text for opcode, text, _ in pickletools.genops(asked) if "UNICODE" in opcode.name}
    assert {word for word in words if word.startswith("loadgen.")} == {"loadgen.plan", "loadgen.worker.messages"}
