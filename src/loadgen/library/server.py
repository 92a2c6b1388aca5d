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
from loadgen.events import Progress
from loadgen.plan import Endpoint
from loadgen.server_plan import ServerPlan
from loadgen.target.servers import Managed, Up
from loadgen.usage import StartedServer, Usage


class Server:
    """A server that loadgen starts. Make one by `file` or `command`, or the built-in server by `loadgen.serve`.

    When a Server is the target of a Plan, each run starts a process of its own and ends it. Within `with`, one process
    is started, which all runs share; `host`, `port` and `pid` are those of that process; where a
    file describes a cluster, of its first node. One thread at a time may use a Server. No process outlives this one,
    however this one ends.
    """

    def __init__(self, plan: ServerPlan, *, is_builtin: bool = False) -> None:
        """Take the plan that the server is started by. `is_builtin` is True for loadgen's own server."""
        self.plan = plan
        self.is_builtin = is_builtin
        """True for loadgen's own server, whose figures say little of other servers."""
        self._running: Up | None = None
        self._end = contextlib.ExitStack()

    @classmethod
    def file(cls, name: str | Path) -> Self:
        """Return the server of a server file, or of the server preset of that name, such as `redis`.

        Raises ConfigError when the file is wrong.
        """
        path = presets.SERVERS.file(str(name))
        return cls._of(config.load(None, server=path), path.stem)

    @classmethod
    def command(cls, command: str, *, protocol: str = "resp", name: str = "") -> Self:
        """Return the server that a command starts, in which `{port}` stands for the port to listen on.

        Raises ConfigError when the command or the protocol is wrong.
        """
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
        """The protocol of the server, unless a Plan has another one: `resp`, `resp3`, `memcache` or `ping`."""
        return self.plan.target.protocol

    # ── While it runs ───────────────────────────────────────────────────────────────────────────────────────────────

    def __enter__(self) -> Self:
        """Start the server, and return when it answers. Raises TargetError when it does not."""
        if self._running is not None:
            raise UsageError("the server runs already: one `with` at a time.")
        self._running = self._end.enter_context(Managed(self.plan).up(_unheard))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._running = None
        self._end.close()

    @contextlib.contextmanager
    def up(self) -> Iterator[Up]:
        """Yield the server that runs within `with`, or else one that is started now and ended afterwards."""
        if self._running is not None:
            yield self._running
        else:
            with Managed(self.plan).up(_unheard) as own:
                yield own

    @property
    def _started(self) -> StartedServer:
        server = self._up.server
        assert server is not None, "a Server is started"
        return server

    @property
    def _up(self) -> Up:
        if self._running is None:
            raise UsageError("the server does not run: ask this within `with server:`.")
        return self._running

    @property
    def _first(self) -> Endpoint:
        return self._up.endpoints[0]

    @property
    def is_running(self) -> bool:
        """True within `with`."""
        return self._running is not None

    @property
    def endpoint(self) -> str:
        """The server's address, in the form that a Plan takes."""
        return str(self._first)

    @property
    def host(self) -> str:
        return self._first.host

    @property
    def port(self) -> int:
        return self._first.port

    @property
    def pid(self) -> int:
        """The id of the process that was started, which may have children."""
        return self._started.pid

    def pause(self) -> None:
        """Stop all the server's processes by SIGSTOP: the server answers nothing until `resume`."""
        self._started.pause()

    def resume(self) -> None:
        """Continue a paused server."""
        self._started.resume()

    def usage(self) -> Usage | None:
        """Return the use of its processes until now; None when they are gone or the system does not report it."""
        return self._started.usage()


def _unheard(progress: Progress) -> None:
    """Take the time spent waiting, which a program is not told."""
