"""One agent on a Dask worker, as its leader sees it: a channel whose bytes the scheduler carries."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from queue import SimpleQueue
from typing import Any

from distributed import Client, Future, Queue

from loadgen.errors import WorkerError
from loadgen.fleet.channel import Channel
from loadgen.fleet.launchers.dask.messages import BEGAN, BYTES, END, KILL, READ_BYTES, RESOURCE, WELCOME
from loadgen.fleet.launchers.dask.task import relay

BEGIN_S = 8.0
"""How long a worker may take until its task begins. Agents on other workers wait for it, and they wait for 10 s."""

END_S = 2.0
LOST_S = 0.5
"""How long a task is waited for whose agent is lost: its worker may be, too."""


class Relay:
    """One agent's channel: a task on a worker, its events upward, and queues downward.

    Two threads carry the bytes, as Dask's own thread must not wait for a slow reader.
    """

    def __init__(self, client: Client, topic: str, worker: str, has_resource: bool) -> None:
        self.client = client
        self.topic = f"loadgen-{topic}"
        self.worker = worker
        self.attempt = ""
        """The one attempt at the task that was welcomed; empty before. A second one is never."""
        self.turned_away = 0
        self.is_lost = False
        self.words = ""
        """How the agent ended, once that is known."""
        self.begun = threading.Event()
        self.is_over = threading.Event()
        self.is_released = threading.Event()
        self._events: SimpleQueue[dict[str, Any] | None] = SimpleQueue()
        ours, self._theirs = socket.socketpair()
        self.channel = Channel(worker, ours, self.ending, self.end, self.give_up)
        self._threads = [threading.Thread(target=self._up, daemon=True)]
        self._threads[0].start()
        client.subscribe_topic(self.topic, self.on_event)
        self.future = self._submit(has_resource)
        self.future.add_done_callback(self._on_done)

    def _submit(self, has_resource: bool) -> Future:
        return self.client.submit(
            relay,
            self.topic,
            key=self.topic,
            workers=[self.worker],
            allow_other_workers=False,
            resources={RESOURCE: 1} if has_resource else None,
            retries=0,
            pure=False,
        )

    def await_beginning(self, until_s: float) -> None:
        """Wait until the agent's process is started. Raises WorkerError at this time of the monotonic clock."""
        while not self.begun.wait(max(0.0, min(0.1, until_s - time.monotonic()))):
            if self.is_over.is_set():
                raise WorkerError(f"Dask worker {self.worker} {self.words}.")
            if time.monotonic() >= until_s:
                raise WorkerError(
                    f"Dask worker {self.worker} has not begun its task in {BEGIN_S:g} s: it is busy, or it lacks the "
                    "resource that it was started with; wait for its tasks, or give loadgen workers of its own."
                )

    def ending(self) -> str:
        self.is_over.wait(1)
        return self.words or "is no longer heard of through Dask"

    def give_up(self) -> None:
        """Have the agent killed, by an `end` that follows."""
        self.is_lost = True

    def end(self) -> None:
        """Close the stream, at which the relay ends the agent; cancel a task that does not end. Twice does nothing."""
        with contextlib.suppress(OSError):
            self.channel.socket.shutdown(socket.SHUT_RDWR)
        self.channel.socket.close()
        if not self.begun.is_set() or not self.is_released.wait(LOST_S if self.is_lost else END_S):
            self._over("was ended")
            # A scheduler that is gone has nothing left to cancel.
            with contextlib.suppress(Exception):
                self.future.cancel()
        self._events.put(None)
        for thread in self._threads:
            thread.join(LOST_S if self.is_lost else END_S)
        self._theirs.close()
        self.client.unsubscribe_topic(self.topic)

    def on_event(self, event: tuple[float, dict[str, Any]]) -> None:
        """Take an event of the relay's task; called on Dask's thread."""
        self._events.put(event[1])

    def _up(self) -> None:
        while (message := self._events.get()) is not None:
            attempt, kind, body = message["attempt"], message["kind"], message["body"]
            if kind == BEGAN:
                self._answer(attempt)
            elif attempt != self.attempt:
                continue
            elif kind == BYTES:
                with contextlib.suppress(OSError):
                    self._theirs.sendall(body)
            else:
                self._over(body)

    def _answer(self, attempt: str) -> None:
        """Welcome the first attempt at the task; turn away any other, as its load may have been sent already."""
        downward = Queue(f"{self.topic}-{attempt}", client=self.client)
        if self.attempt:
            self.turned_away += 1
            downward.put(END)
            downward.close()
            return
        self.attempt = attempt
        downward.put(WELCOME)
        self._threads.append(threading.Thread(target=self._down, args=(downward,), daemon=True))
        self._threads[-1].start()
        self.begun.set()

    def _down(self, downward: Queue) -> None:
        # Whatever Dask raises once its scheduler is gone, the relay's task ends by itself then.
        with contextlib.suppress(Exception):
            while data := self._theirs.recv(READ_BYTES):
                downward.put(data)
            downward.put(KILL if self.is_lost else END)
            downward.close()

    def _on_done(self, future: Future) -> None:
        """Release the task once it is over, so that no scheduler computes it again."""
        if future.status == "error":
            error = type(future.exception()).__name__
            gone = "its process died" if error == "KilledWorker" else error
            self._over(f"ended the agent's task ({gone})")
        elif future.status != "finished":
            self._over(f"lost the agent's task ({future.status})")
        future.release()
        self.is_released.set()

    def _over(self, words: str) -> None:
        self.words = self.words or words
        self.is_over.set()
        with contextlib.suppress(OSError):
            self._theirs.shutdown(socket.SHUT_RDWR)
