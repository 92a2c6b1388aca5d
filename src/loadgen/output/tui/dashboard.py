"""The dashboard that a command asks for, and the actions of its keys. A value."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass


def interrupt() -> None:
    """Send SIGINT to the main thread, as Ctrl-C does: the command stops as gracefully as it does for Ctrl-C."""
    main = threading.main_thread().ident
    if main is not None:
        signal.pthread_kill(main, signal.SIGINT)


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A dashboard on the command's terminal. The actions are called in the dashboard's thread."""

    skip: Callable[[], None] | None = None
    """The action of the key `n`: end the trial under way, and go on with the next; None: there is no such key."""
    quit: Callable[[], None] = interrupt
    """The action of the key `q`: end the command gracefully."""
    asked: bool = True
    """False when the command shows a dashboard by default: it says nothing then where there is no terminal."""
