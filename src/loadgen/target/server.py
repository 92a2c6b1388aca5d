"""A server process that loadgen started: its address, resource use, log and exit.

This file knows how a server is configured and how its readiness is found. The keeper's process starts and ends the
server. This file does not know what load the server is for, or what a run concludes from the server's exit.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from loadgen.errors import LoadgenError, TargetError
from loadgen.events import Progress
from loadgen.plan import Endpoint, Target
from loadgen.server_address import LONGEST_PATH
from loadgen.server_plan import HOST, ServerPlan
from loadgen.surroundings import SHARED
from loadgen.target import apart, build, folder, port, program
from loadgen.target.keeper_process import KeeperProcess, StartError, Task
from loadgen.target.log import ServerLog
from loadgen.target.process import ProcessTree
from loadgen.target.talk import ready
from loadgen.units import NS_PER_S, format_duration
from loadgen.usage import Usage

_SOCKET = "server.sock"
"""The name of the Unix socket in a server's folder."""

START_ATTEMPTS = 5
"""Another process may take a free port before the server does: the server is then started again on another port."""

# The time between questions to a server that is not ready; its end is found at once.
_INTERVAL_S = 0.01

# The time after which waiting for a server to be ready is reported.
_LONG_WAIT_S = 2.0

# A command inside a server's namespaces takes milliseconds.
_COMMAND_TIMEOUT_S = 10.0

NOTES = "LOADGEN_NOTES"
"""A variable of a server that is started with a library: the path of the file in which the library takes its notes."""

_IN_USE = re.compile(r"(?i:\b(?:address|port)\b.{0,40}\bin use\b)|EADDRINUSE")


class ServerError(TargetError):
    """A managed server could not be started, in one sentence; `log_tail` holds the last lines of its log."""

    def __init__(self, sentence: str, log_tail: tuple[str, ...] = ()) -> None:
        super().__init__(sentence)
        self.log_tail = log_tail

    def with_log(self) -> str:
        """Return the sentence without its full stop, and the last line of the log where the sentence has it not yet."""
        sentence, said = str(self).removesuffix("."), "".join(self.log_tail[-1:])
        return sentence if not said or said in sentence else f'{sentence}; its log ends with "{said}"'


class _PortTakenError(ServerError):
    """Another process took the port first: the server may start on another port."""


class ManagedServer:
    """A server as a context manager: `__enter__` starts the server and returns when the server answers.

    `host`, `port` and `pid` are known then. The server has a process group of its own, and ends with this process,
    however this process ends. `emit` receives the time spent waiting. Raises ServerError. For use by one thread; but
    the methods under "What faults do" may be called by another thread than those under "While it runs".
    """

    def __init__(self, plan: ServerPlan, emit: Callable[[Progress], None] = lambda progress: None) -> None:
        self.plan = plan
        self._emit = emit
        self.name = plan.name
        self.host = HOST
        self.port = plan.port
        self.socket = ""
        """The path of the server's Unix socket, as loadgen can connect to it; empty for a server on a port."""
        self.pid = 0
        """The process id of the server, which a restart changes."""
        self.data = Path()
        """The server's own folder, as loadgen can open it: also where that folder is in a mount namespace."""
        self.folder = ""
        """The path of `data` in the server's own mount namespace."""
        self.notes = Path()
        """The file in which the library of the server's surroundings takes its notes."""
        self.log_path = Path()
        """The file of the server's log, which may be in `data`."""
        self._kept: KeeperProcess | None = None
        self._tree: ProcessTree | None = None
        self._log: ServerLog | None = None
        self._instance: ready.Instance | None = None
        self._exit_report = ""
        self._began_s = 0.0
        """The start of the server's program, in Unix time."""

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint.at_path(self.socket) if self.socket else Endpoint(self.host, self.port, self.host)

    def __enter__(self) -> Self:
        folder.remove_abandoned()
        self._build_missing_program()
        for attempt in range(1, START_ATTEMPTS + 1):
            self._kept = self._tree = self._log = self._instance = None
            try:
                self._start()
                self._await_ready(self._report_wait)
            except BaseException as error:
                self.stop()
                self._exit_report = ""
                if isinstance(error, _PortTakenError) and not self.plan.port and attempt < START_ATTEMPTS:
                    continue
                if isinstance(error, LoadgenError) and not isinstance(error, ServerError):
                    raise ServerError(str(error)) from None
                raise
            break
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    # ── While it runs ───────────────────────────────────────────────────────────────────────────────────────────────

    def usage(self) -> Usage | None:
        """Return the use of the server's processes until now; None when it has ended or the system does not say."""
        return (
            self._tree.usage() if self._tree is not None and self._kept is not None and not self.exit_report() else None
        )

    def exit_report(self) -> str:
        """Return how the server ended before `stop`, in a sentence without its full stop; empty when it did not."""
        if self._kept is not None and not self._exit_report:
            self._kept.hear()
            self._exit_report = f"{self.name} {self._kept.end}" if self._kept.end is not None else ""
        return self._exit_report

    def log_errors(self) -> tuple[str, ...]:
        """Return the first 20 lines of the log so far that report an error. After `stop`, the log is complete."""
        return self._log.log_errors() if self._log is not None else ()

    def log_tail(self) -> tuple[str, ...]:
        """Return the last lines of the log, 20 at most, made printable."""
        return self._log.log_tail() if self._log is not None else ()

    def log_length(self) -> int:
        """Return the length of the log so far."""
        return self._log.length() if self._log is not None else 0

    def log_from(self, start: int) -> tuple[str, ...]:
        """Return the lines that were logged since the log had this length, made printable: the last 32 KiB of them."""
        return self._log.lines_from(start) if self._log is not None else ()

    def restarted(self) -> bool:
        """True when another process answers than at the start, which also means that data is lost.

        Sends INFO or `stats` on a connection of its own, so not to be called during a load. False when the server does
        not identify itself or does not answer.
        """
        if self._instance is None or self._kept is None:
            return False
        now = ready.instance(self._target())
        return now is not None and now != ready.Instance() and now != self._instance

    def pause(self) -> None:
        """Stop the server's whole process group by SIGSTOP: the group uses no CPU until `resume`."""
        if self._kept is not None:
            self._kept.pause()

    def resume(self) -> None:
        if self._kept is not None:
            self._kept.resume()

    def begin_stop(self) -> None:
        """Have the server ended, and do not wait for that: `stop` does. So several servers end at the same time."""
        if self._kept is not None:
            self.exit_report()
            self._kept.begin_close()

    def stop(self) -> None:
        """End the server and all its processes by SIGTERM, or SIGKILL after the timeout. May be called again."""
        if self._kept is None:
            return
        try:
            self.exit_report()
        finally:
            self._kept.close()
            self._kept = self._tree = None
            if self._log is not None:
                self._log.close()

    # ── What faults do ──────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def keeper_pid(self) -> int:
        """The process id of the server's keeper, in whose namespaces the server runs."""
        return self._running().process.pid

    @property
    def outer_interface(self) -> str:
        """The name of the host's end of the server's veth pair."""
        return f"{apart.PREFIX}{self.keeper_pid}"

    @property
    def cgroups(self) -> tuple[Path, ...]:
        """The control groups of the server, one for each hierarchy; empty when the server has none of its own."""
        return self._running().cgroups

    def namespace_command(self, *command: str) -> list[str]:
        """Return a command, whose first word is the name or the path of a tool, as one in the server's namespaces.

        Raises ApartError when the tool is not installed.
        """
        nsenter = [apart.tool("nsenter"), "-t", str(self.keeper_pid)]
        task = self._running().task
        if task.apart is not None:
            nsenter += ["-n"] * task.apart.net + ["-m"] * task.apart.mount
        return [*nsenter, "--", apart.tool(command[0]), *command[1:]]

    def inside(self, *command: str, told: str = "") -> str:
        """Run a command in the server's namespaces, which reads `told`, and return its output. Raises ServerError."""
        entering = self.namespace_command(*command)
        try:
            ran = subprocess.run(
                entering, input=told, capture_output=True, text=True, errors="replace", timeout=_COMMAND_TIMEOUT_S
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            words = " ".join(command)
            raise ServerError(f"The command {words} could not be run beside {self.name}: {error}.") from None
        if ran.returncode:
            said = (ran.stderr or ran.stdout).strip().splitlines()
            reason = said[0] if said else f"exit status {ran.returncode}"
            raise ServerError(f"The command {' '.join(command)} failed beside {self.name}: {reason}.")
        return ran.stdout

    def kill(self) -> None:
        """Kill the server and all its processes by SIGKILL, and return when none is left. `exit_report` stays empty."""
        self._running().kill()
        self.pid = 0

    def expect_end(self, *, expected: bool = True) -> None:
        """Let the server's next end be an expected one, as when the kernel is made to kill it; or no longer."""
        self._running().expects_end = expected

    def has_ended(self) -> bool:
        """True while the server is down: killed by `kill`, ended as expected, or ended by itself."""
        kept = self._running()
        kept.hear()
        return kept.pid == 0 or kept.expected_end is not None or kept.end is not None

    def restart(self, *, empty: bool = False) -> None:
        """Start the server again, on the same port and with the same folder, and return when it answers.

        The server is killed first if it runs. With `empty`, what it has written is removed. Raises ServerError.
        """
        kept = self._running()
        kept.kill()
        if empty:
            kept.empty()
        self._began_s, self._instance = time.time(), None
        try:
            kept.start()
        except StartError as error:
            raise ServerError(_why_not(self.plan, kept.task, error)) from None
        self.pid = kept.pid
        self._await_ready(lambda waited_s: None)

    def _running(self) -> KeeperProcess:
        if self._kept is None:
            raise ServerError(f"{self.name} has been stopped.")
        return self._kept

    # ── The start ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _build_missing_program(self) -> None:
        """Build the program if it is missing and the plan has a build."""
        plan = self.plan
        if plan.build and program.is_absent(plan.command[0], os.environ | dict(plan.env)):
            try:
                build.run(plan, self._emit)
            except build.BuildError as error:
                raise ServerError(str(error), error.log_tail) from None

    def _start(self) -> None:
        """Start the server's program."""
        plan = self.plan
        netns = plan.surroundings.netns
        wanted = {plan.port, plan.port + plan.bus_distance} if plan.port and not plan.by_socket and not netns else set()
        for taken in sorted(each for each in wanted if port.is_taken(HOST, each)):
            holder = port.listener(taken) or "another process"
            whose = "of [target.server]" if taken == plan.port else f"of the bus of {plan.name}"
            raise ServerError(
                f"Port {taken} {whose} is in use by {holder}: stop that, or leave target.server.port out for a free "
                "one."
            )
        self.port = plan.port or port.free(HOST, plan.bus_distance)
        pair = apart.free_pair() if netns else None
        self.host = pair.server if pair is not None else HOST
        task = self._task(pair)
        end_of_log = Path(task.log).stat().st_size if Path(task.log).is_file() else 0
        self._began_s = time.time()
        try:
            self._kept = KeeperProcess(task)
        except StartError as error:
            raise ServerError(_why_not(plan, task, error)) from None
        self.pid = self._kept.pid
        self.folder, self.log_path = task.data, Path(task.log)
        mount = task.apart is not None and task.apart.mount
        self.data = Path(f"/proc/{self.keeper_pid}/root{task.data}" if mount else task.data)
        self.socket = str(self.data / _SOCKET) if plan.by_socket else ""
        if len(os.fsencode(self.socket)) > LONGEST_PATH:
            raise ServerError(
                f"The path of the Unix socket {self.socket} is longer than {LONGEST_PATH} bytes: set TMPDIR to a "
                "folder with a shorter path."
            )
        # Counting the keeper's descendants includes daemons and ended processes.
        self._tree = ProcessTree(self._kept.process.pid, counts_root=False)
        self._log = ServerLog(os.open(task.log, os.O_RDONLY), end_of_log, plan.log_patterns, plan.target.password)

    def _task(self, pair: apart.Pair | None) -> Task:
        plan, surroundings = self.plan, self.plan.surroundings
        own = folder.fresh(plan.name)
        data = own / "data" if surroundings != SHARED else own
        self.notes = own / "notes"

        values = {
            "{host}": self.host,
            "{port}": str(self.port),
            "{dir}": str(data),
            "{socket}": str(data / _SOCKET),
        }

        def filled(text: str) -> str:
            for placeholder, value in values.items():
                text = text.replace(placeholder, value)
            return text

        env = {name: filled(value) for name, value in plan.env}
        if surroundings.preload:
            env |= {"LD_PRELOAD": surroundings.preload, NOTES: str(self.notes)}
        path, *first = program.found(filled(plan.command[0]), os.environ | env)
        if plan.cwd and not Path(plan.cwd).is_dir():
            raise ServerError(f"The folder {plan.cwd} of target.server.cwd is not there: make it, or correct the path.")
        if plan.cpus and not hasattr(os, "sched_setaffinity"):
            raise ServerError("This system pins no processes to CPUs: leave target.server.cpu_list out.")
        arguments = (*first, *map(filled, plan.command[1:]))
        cwd = str(Path(plan.cwd).absolute()) if plan.cwd else ""
        return Task(
            program=path,
            arguments=arguments,
            env=env,
            cwd=cwd or str(data),
            cpus=plan.cpus,
            log=str(Path(plan.log).absolute()) if plan.log else str(own / "server.log"),
            folder=str(own),
            files={name: filled(text) for name, text in plan.files},
            stop_timeout_s=plan.stop_timeout_ns / NS_PER_S,
            data=str(data),
            apart=apart.task_of(surroundings, pair, str(data), str(self.notes), (path, *arguments), cwd),
        )

    def _target(self) -> Target:
        """Return the server as the target of a load."""
        return replace(self.plan.target, endpoints=(self.endpoint,))

    def _await_ready(self, report: Callable[[float], None]) -> None:
        """Wait until this very server answers by its protocol; `report` is told the time waited, in seconds."""
        assert self._kept is not None
        target, began = self._target(), time.monotonic()
        deadline = began + self.plan.ready_timeout_ns / NS_PER_S
        answer = ready.Readiness(ready.State.SILENT)
        while (left := deadline - time.monotonic()) > 0:
            report(time.monotonic() - began)
            asked = ready.ask(target, min(left, ready.ANSWER_TIMEOUT_S))
            # A question that the deadline cut short is no better than the answer before it.
            if left >= ready.ANSWER_TIMEOUT_S or asked.state is not ready.State.SILENT or not answer.words:
                answer = asked
            if answer.state not in (ready.State.SILENT, ready.State.BUSY):
                # First check which process answers; its answer may not be our server's.
                self._instance = ready.instance(target)
                self._check_is_ours()
            # Our server may have ended while another process answered on the port.
            self._kept.hear(0 if answer.state is ready.State.READY else _INTERVAL_S)
            if self._kept.end is not None:
                raise self._ended_early()
            if answer.state is ready.State.READY:
                return
            if answer.state in (ready.State.LOCKED, ready.State.FOREIGN, ready.State.UNWILLING):
                break
        # A process that began after ours may have taken the port before ours did: only a container listens for another.
        taken = answer.state is ready.State.FOREIGN and not self._listens()
        raise (_PortTakenError if taken else ServerError)(self._not_ready(answer), self.log_tail())

    def _listens(self) -> bool:
        """Return True when a process of ours listens on the port, or the system does not say who does."""
        assert self._tree is not None
        listener = None if self.plan.surroundings.netns or self.socket else port.listener(self.port)
        return listener is None or listener.pid in self._tree.pids()

    def _report_wait(self, waited_s: float) -> None:
        """Emit the time spent waiting, once the wait has been long."""
        if waited_s < _LONG_WAIT_S:
            return
        limit_ns = self.plan.ready_timeout_ns
        words = f"waiting for {self.name} to be ready, {waited_s:.0f} s, limit {limit_ns / NS_PER_S:.3g} s"
        waited_ns = min(limit_ns, int(waited_s * NS_PER_S))
        self._emit(Progress("ready", waited_ns, limit_ns, waited_ns, words))

    def _check_is_ours(self) -> None:
        """Raise ServerError when a process that is not ours answers on our port."""
        assert self._tree is not None
        if self.plan.surroundings.netns or self.socket:
            # No other process listens at an address of the server's own network, or in its own folder.
            return
        ours, said = self._tree.pids(), self._instance.pid if self._instance is not None else 0
        if said in ours:
            return
        # A server in a container reports a process id of its own, and another process listens for the container: a
        # listener that began after our start is taken as ours.
        stranger = port.listener(self.port)
        if stranger is None or stranger.pid in ours or (stranger.pid != said and stranger.began_s >= self._began_s):
            return
        raise _PortTakenError(
            f"Another process than {self.name} answers on {self.endpoint}: {stranger}; stop it, or leave "
            "target.server.port out for a free one.",
            self.log_tail(),
        )

    def _ended_early(self) -> ServerError:
        assert self._kept is not None
        end, said = self._kept.end, self.log_tail()
        assert end is not None
        if end.others and end.status == 0:
            return ServerError(
                f"{self.name} put itself in the background, where it cannot be watched: have it stay in the "
                "foreground, as redis-server does with --daemonize no.",
                said,
            )
        log = f'its log ends with "{said[-1]}"' if said else "its log is empty"
        sentence = f"{self.name} {replace(end, others=False)} before it was ready; {log}."
        return (_PortTakenError if _IN_USE.search("\n".join(said)) else ServerError)(sentence, said)

    def _not_ready(self, answer: ready.Readiness) -> str:
        """Return why the server was given up, in a sentence."""
        patience = format_duration(self.plan.ready_timeout_ns)
        match answer.state:
            case ready.State.LOCKED:
                return (
                    f'{self.name} wants another password than target.password (it answered "{answer.words}"): set '
                    "there, and in target.username, what it is started with."
                )
            case ready.State.FOREIGN:
                return (
                    f"{self.name} answers on {self.endpoint}, but not as the protocol {self.plan.target.protocol} has "
                    f'it ("{answer.words}"): correct target.protocol.'
                )
            case ready.State.UNWILLING:
                return (
                    f'{self.name} answers on {self.endpoint} that it serves no requests ("{answer.words}"): change its '
                    "configuration, or the options that it is started with."
                )
            case ready.State.BUSY:
                return (
                    f'{self.name} was not ready within {patience} (it answers "{answer.words}"): raise '
                    "target.server.ready_timeout."
                )
        return (
            f"{self.name} did not answer on {self.endpoint} within {patience} ({answer.words}): see that its command "
            f"has {'{socket}' if self.socket else '{port}'}, or raise target.server.ready_timeout."
        )


def _why_not(plan: ServerPlan, task: Task, error: StartError) -> str:
    """Return why the server's program could not be started, in a sentence."""
    match error.step:
        case "folder":
            return f"The folder {task.folder} could not be made ({error}): set TMPDIR to one that can be written to."
        case "apart":
            return (
                f"The surroundings of {plan.name} could not be set up ({error}): they take root, and a kernel that has "
                "network namespaces, mount namespaces and control groups."
            )
        case "files":
            return (
                f"The files of [target.server.files] could not be written into {task.folder} ({error}): see that there "
                "is room for them, or set TMPDIR to where there is."
            )
        case "log":
            return f"The log {task.log} could not be written ({error}): correct target.server.log."
        case "cwd":
            return f"The folder {task.cwd} of target.server.cwd could not be entered ({error}): correct the path."
        case "cpus":
            cpus = ",".join(map(str, plan.cpus))
            return f"{plan.name} could not be pinned to the CPUs {cpus} ({error}): correct target.server.cpu_list."
        case "program":
            return (
                f"{task.program} of target.server.command could not be executed ({error}): see that it is a program of "
                "this system, or a script whose first line names its interpreter."
            )
    return f"No process could be started for {plan.name} ({error}): free some memory, or raise ulimit -u."
