"""What is said between a crew and its workers, beside the plan."""

from __future__ import annotations

import asyncio
import socket
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
        pipe.send(replace(messages.Hello(plan(1), 0), version=messages.VERSION + 1))
        uvloop.run(asyncio.wait_for(work(theirs), 10))
        said = pipe.recv()
    assert isinstance(said, messages.Failed)
    assert f"messages of version {messages.VERSION + 1}, and knows {messages.VERSION}" in said.words
