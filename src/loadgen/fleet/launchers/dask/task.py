"""The task of a Dask worker: it starts one agent as a child process, and passes bytes between it and its leader.

Bytes go up as events of the scheduler, and come down by a queue on it, so that only the scheduler need be reachable.
A scheduler may run a task again whose worker has died, even one that had finished. Each attempt therefore asks the
leader first, who welcomes one attempt ever.
"""

from __future__ import annotations

import sys
import threading
import uuid
from collections.abc import Callable

from distributed import Queue, get_client, get_worker
from distributed import __version__ as distributed_version

from loadgen.errors import WorkerError
from loadgen.fleet.channel import Channel
from loadgen.fleet.launchers.child import Child, own_command
from loadgen.fleet.launchers.dask.messages import BEGAN, BYTES, END, ENDED, KILL, READ_BYTES, WELCOME, Versions
from loadgen.version import __version__

ANSWER_S = 10.0
"""How long an attempt waits for its leader's welcome."""

POLL_S = 0.5


def versions() -> Versions:
    return Versions(__version__, f"{sys.version_info.major}.{sys.version_info.minor}", distributed_version)


def relay(topic: str) -> None:
    """Run one agent until it ends, or until its leader or the scheduler is gone. Returns nothing that is worth
    computing again."""
    attempt = uuid.uuid4().hex
    worker = get_worker()
    downward = Queue(f"{topic}-{attempt}", client=get_client())

    def say(kind: str, body: bytes | str) -> None:
        worker.log_event(topic, {"attempt": attempt, "kind": kind, "body": body})

    say(BEGAN, "")
    if heard(downward, ANSWER_S) != WELCOME:
        downward.close()
        return
    try:
        agent = Child("of this worker", own_command(), "free some memory.", keeps_words=True).channel
    except WorkerError as error:
        say(ENDED, f"could not start it: {error}")
        downward.close()
        return
    above = threading.Thread(target=pass_up, args=(agent, say), daemon=True)
    above.start()
    try:
        pass_down(downward, agent, above.is_alive)
    finally:
        agent.end()
        # Not before: the other thread may be reading.
        above.join()
        agent.socket.close()
        downward.close()


def pass_up(agent: Channel, say: Callable[[str, bytes | str], None]) -> None:
    try:
        while data := agent.socket.recv(READ_BYTES):
            say(BYTES, data)
    except OSError:
        pass
    say(ENDED, agent.ending())


def pass_down(downward: Queue, agent: Channel, is_alive: Callable[[], bool]) -> None:
    """Pass bytes to the agent until it has ended, or the leader says that it is to end."""
    while is_alive():
        try:
            message = heard(downward, POLL_S)
        except OSError:
            return  # The scheduler is gone, and with it the leader.
        if message == KILL:
            agent.give_up()
        if message in (END, KILL):
            return
        if isinstance(message, bytes):
            try:
                agent.socket.sendall(message)
            except OSError:
                return


def heard(downward: Queue, timeout_s: float) -> bytes | str | None:
    """Return the next message of the leader; None when there is none in time. Raises OSError without a scheduler."""
    try:
        return downward.get(timeout=timeout_s)  # type: ignore[no-any-return]
    except TimeoutError:
        return None
