"""A server that loadgen starts and ends: described by a file, a preset or a command, or the built-in one."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from loadgen import config
from loadgen.config import presets
from loadgen.errors import UsageError
from loadgen.server_plan import ServerPlan
from loadgen.target.server import ManagedServer
from loadgen.usage import Usage


class Server:
    """A server of our own. Make one by `file` or `command`, or, of the built-in server, by `loadgen.serve`.

    As the target of a Plan, each run starts a server of its own and ends it. Within `with`, one server is started,
    which all runs meanwhile share; `host`, `port` and `pid` say where it is. One thread at a time may use it. No server
    stays behind, however this process ends.
    """

    def __init__(self, plan: ServerPlan, *, is_builtin: bool = False) -> None:
        """`plan` says how the server is started; `is_builtin`, that it is loadgen's own."""
        self.plan = plan
        self.is_builtin = is_builtin
        """Whether it is loadgen's own server, whose figures say little of others."""
        self._running: ManagedServer | None = None

    @classmethod
    def file(cls, name: str | Path) -> Self:
        """The server of a server file, or of the server preset of that name, such as `redis`. Raises ConfigError."""
        path = presets.SERVERS.file(str(name))
        return cls._of(config.load(None, server=path), path.stem)

    @classmethod
    def command(cls, command: str, *, protocol: str = "resp", name: str = "") -> Self:
        """The server that a command starts; `{port}` in it is the port that it is to listen on. Raises ConfigError."""
        flags = {
            "target.server": config.Flag("command", {"command": shlex.split(command)}),
            "target.protocol": config.Flag("protocol", protocol),
        }
        return cls._of(config.load(None, (), flags), name)

    @classmethod
    def _of(cls, settings: config.Config, name: str) -> Self:
        plan = config.server_plan(settings, name)
        assert plan is not None, "a server file has [target.server]"
        return cls(plan)

    @property
    def protocol(self) -> str:
        """How the server is spoken to, unless a Plan says otherwise: `resp`, `resp3`, `memcache` or `ping`."""
        return self.plan.protocol

    # ── While it runs ───────────────────────────────────────────────────────────────────────────────────────────────

    def __enter__(self) -> Self:
        """Starts the server, and returns when it answers. Raises TargetError where it does not."""
        if self._running is not None:
            raise UsageError("the server runs already: one `with` at a time.")
        self._running = ManagedServer(self.plan).__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        running, self._running = self._running, None
        if running is not None:
            running.__exit__(kind, error, traceback)

    @contextlib.contextmanager
    def up(self) -> Iterator[ManagedServer]:
        """The server that runs within `with`; where none does, one that is started now and ended at last."""
        if self._running is not None:
            yield self._running
        else:
            with ManagedServer(self.plan) as own:
                yield own

    @property
    def _started(self) -> ManagedServer:
        if self._running is None:
            raise UsageError("the server does not run: ask this within `with server:`.")
        return self._running

    @property
    def is_running(self) -> bool:
        """Whether it was started by `with`."""
        return self._running is not None

    @property
    def endpoint(self) -> str:
        """Its address, as a Plan takes it."""
        return self._started.endpoint

    @property
    def host(self) -> str:
        return self._started.host

    @property
    def port(self) -> int:
        return self._started.port

    @property
    def pid(self) -> int:
        """Of the process that was started, which may have others."""
        return self._started.pid

    def pause(self) -> None:
        """Stops all its processes by SIGSTOP: it answers nothing until `resume`."""
        self._started.pause()

    def resume(self) -> None:
        """Lets a paused server go on."""
        self._started.resume()

    def usage(self) -> Usage | None:
        """What its processes have used until now; None when they are gone or the system does not say."""
        return self._started.usage()
