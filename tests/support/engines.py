"""An engine in the test's own process, on the kernel's sockets and clocks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from loadgen.engine._engine import Engine
from loadgen.engine._history import History
from loadgen.engine._reactor import create
from loadgen.engine._time import Monotonic
from loadgen.plan import Plan


def engine_of(
    told: Plan,
    notify: Callable[[str], object],
    *,
    loop: asyncio.AbstractEventLoop | None = None,
    reactor: str = "auto",
    history: History | None = None,
) -> Engine:
    """The only worker of a plan, on the running loop or another."""
    return Engine(told, 0, notify, create(loop or asyncio.get_running_loop(), Monotonic(), reactor), history=history)
