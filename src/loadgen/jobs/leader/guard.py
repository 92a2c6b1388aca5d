"""The parent of a worker that is not ours: it ends the worker when loadgen has gone. It imports nothing of ours.

The arguments are the worker's command. Standard output has the worker's process id. Standard input has orders, a line
each: kill, pause and resume are signals to the worker's group, and term is one to the worker alone, whose way it is to
end its children after their jobs. Where standard input ends, the group is killed. The exit status is the worker's own,
or 128 and the signal that ended it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading

ORDERS = {"term": signal.SIGTERM, "kill": signal.SIGKILL, "pause": signal.SIGSTOP, "resume": signal.SIGCONT}


def main() -> None:
    """Start the worker, carry out orders, and end with it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # Unlike SIG_IGN, a handler is not inherited by the worker; nor may the mask of blocked signals be.
        signal.signal(number, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    try:
        worker = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, start_new_session=True)
    except OSError as error:
        print(f"{sys.argv[1]} cannot be started: {error.strerror}", file=sys.stderr, flush=True)
        sys.exit(127)
    print(worker.pid, flush=True)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    threading.Thread(target=obey, args=(worker,), daemon=True).start()
    status = worker.wait()
    # Children that the worker has left behind are in its group.
    with contextlib.suppress(OSError):
        os.killpg(worker.pid, signal.SIGKILL)
    os._exit(status if status >= 0 else 128 - status)


def obey(worker: subprocess.Popen[bytes]) -> None:
    """Carry out orders until there are no more."""
    for line in sys.stdin:
        with contextlib.suppress(OSError, KeyError):
            # The worker has not been waited for while this process lives, so that its number is its own.
            number = ORDERS[line.strip()]
            (os.kill if number is signal.SIGTERM else os.killpg)(worker.pid, number)
    with contextlib.suppress(OSError):
        os.killpg(worker.pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
