"""The keeper, the parent process of a managed server: starts the server, reports its end, and leaves nothing behind.

A keeper is a script in a process of its own, which imports nothing of loadgen and knows neither ports nor protocols.
Standard input is a pipe whose other end only loadgen holds. The first line is the task, in JSON; later lines are
orders:

    pause, resume   SIGSTOP and SIGCONT to every process of the server
    kill            SIGKILL to every process of the server, done when none is left; such an end is not reported
    start           starts the server again, when none of its processes is left
    empty           removes what the server has written into its folder, and writes the task's files again

When the pipe ends, because a run is over or because loadgen was killed, the keeper ends the server and removes its
folder. Standard output has one line of JSON for each event, and one for each order that was carried out.

The namespaces of a server are the keeper's own, without names: they end with the last process in them, and with them
end interfaces, packet filters and mounts. Control groups have to be removed, which the keeper does.

A keeper signals only its own children, whose process ids cannot be those of others: the system does not reuse the id of
a child that has not been waited for. On Linux a keeper adopts the processes that the server leaves behind, so that
daemons are ended too; elsewhere a process that leaves the server's group is lost.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import json
import os
import select
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

# Signals to the keeper that end the server.
_ENDING = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}

# The time until the children of a killed process have become the keeper's own, to be killed next.
_ORPHANED_S = 0.02
_LONGEST_SLEEP_S = 1.0

MARK = ".loadgen"
"""A file in the server's folder, locked as long as the keeper lives: a folder without a lock is abandoned."""

# From prctl(2).
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

# From sched.h and mount(2).
_CLONE_NEWNS = 0x00020000
_CLONE_NEWNET = 0x40000000
_MNT_DETACH = 2

OWNER = "LOADGEN_KEEPER"
"""A variable in the environment of a server with surroundings of its own: the process id of its keeper."""


class Keeper:
    """The keeper of one server. `task` has the fields of `keeper_process.Task`."""

    def __init__(self, task: dict[str, Any]) -> None:
        self.task = task
        self.apart: dict[str, Any] = task["apart"] or {}
        """The fields of `keeper_process.Apart`, for a server that has surroundings of its own."""
        self.groups = self._filled(self.apart.get("cgroups", []))
        self.pid = 0
        """The server's process id until the server has been waited for, which is also the id of its group; then 0."""
        self.paused = self.killing = False
        self.asked_to_end = False
        self.partial_line = b""
        self.alarm, self.bell = os.pipe()

    def run(self) -> None:
        self._catch_signals()
        folder = Path(self.task["folder"])
        try:
            folder.mkdir()
        except OSError as error:
            tell(failed="folder", errno=error.errno)
            return
        try:
            # A server that gives up root must still be able to read its folder.
            folder.chmod(0o755)
            if self._prepare(folder) and self._start():
                self._wait()
                self._end()
        finally:
            self._leave()
            shutil.rmtree(folder, ignore_errors=True)

    def _catch_signals(self) -> None:
        for end in (self.alarm, self.bell):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self.bell, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, *_ENDING):
            # Unlike SIG_IGN, a handler is not inherited by the server.
            signal.signal(number, lambda *_: None)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    # ── The start ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _prepare(self, folder: Path) -> bool:
        """Mark the folder as in use, set up the surroundings, and write the server's files. On failure, report it and
        return False."""
        step, said = "files", ""
        try:
            mark(folder)
            Path(self.task["data"]).mkdir(exist_ok=True)
            if self.apart:
                step = "apart"
                said = self._set_apart()
                step = "files"
            if not said:
                self._write_files()
                return True
        except OSError as error:
            tell(failed=step, errno=error.errno, said=error.strerror)
            return False
        tell(failed="apart", errno=errno.EPERM, said=said)
        return False

    def _write_files(self) -> None:
        data = Path(self.task["data"])
        for name, text in self.task["files"].items():
            # O_EXCL neither follows a link nor overwrites a file: the folder is new, and only ours.
            file = os.open(data / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
            with os.fdopen(file, "w", encoding="utf-8", newline="") as written:
                written.write(text)
        if self.apart and self.apart["user"]:
            for path in (data, *(data / name for name in self.task["files"])):
                os.chown(path, *self.apart["user"])

    def _set_apart(self) -> str:
        """Set up the surroundings; return the words of the command that failed, or nothing."""
        apart = self.apart
        assert _LIBC is not None
        kinds = (_CLONE_NEWNET if apart["net"] else 0) | (_CLONE_NEWNS if apart["mount"] else 0)
        if _LIBC.unshare(kinds):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        for command, told in apart["commands"]:
            status, said = self._command(self._filled(command), self._filled([told])[0])
            if status:
                return f"{' '.join(command[:2])}: {said.strip() or f'exit status {status}'}"
        for group in self.groups:
            Path(group).mkdir()
        for path in apart["shared"]:
            Path(path).touch()
            if apart["user"]:
                os.chown(path, *apart["user"])
        return ""

    def _filled(self, words: list[str]) -> list[str]:
        return [w.replace("{keeper}", str(os.getpid())).replace("{loadgen}", str(os.getppid())) for w in words]

    def _command(self, command: list[str], told: str) -> tuple[int, str]:
        """Run a command in the namespaces, which reads `told`; return its exit status and the start of its output."""
        theirs, ours = os.pipe()
        said, saying = os.pipe()
        os.write(ours, told.encode())
        os.close(ours)
        files = [(os.POSIX_SPAWN_DUP2, theirs, 0), (os.POSIX_SPAWN_DUP2, saying, 1), (os.POSIX_SPAWN_DUP2, saying, 2)]
        try:
            pid = os.posix_spawn(command[0], command, os.environ, file_actions=files)
        finally:
            os.close(theirs)
            os.close(saying)
        words = os.read(said, 1000).decode(errors="replace")
        os.close(said)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), words

    def _leave(self) -> None:
        """Remove those of the surroundings that would outlive this process."""
        if self.apart:
            if self.apart["mount"] and _LIBC is not None:
                _LIBC.umount2(self.task["data"].encode(), _MNT_DETACH)
            for group in self.groups:
                with contextlib.suppress(OSError):
                    Path(group).rmdir()

    def _start(self) -> bool:
        """Start the server's program. On failure, report it and return False."""
        step = "log"
        try:
            log = os.open(self.task["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            step = "fork"
            # exec closes Python's pipes: the end of this pipe means that the server's program runs.
            failure, own_failure = os.pipe()
            me, pid = os.getpid(), os.fork()
        except OSError as error:
            tell(failed=step, errno=error.errno)
            return False
        if pid == 0:
            self._exec(me, log, own_failure)
        self.pid = pid
        os.close(log)
        os.close(own_failure)
        words = os.read(failure, 100).split()
        os.close(failure)
        if words:
            os.waitpid(pid, 0)
            self.pid = 0
            tell(failed=words[0].decode(), errno=int(words[1]))
            return False
        tell(pid=pid)
        return True

    def _exec(self, keeper: int, log: int, failure: int) -> NoReturn:
        """Become the server, in the child; on failure, write the step and the errno into `failure`."""
        step, task = "group", self.task
        try:
            os.setpgid(0, 0)
            if _LIBC is not None:
                _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
                if os.getppid() != keeper:
                    os._exit(1)
            for ignored in (signal.SIGPIPE, signal.SIGXFSZ):
                # Python ignores these signals, and exec keeps ignored signals ignored.
                signal.signal(ignored, signal.SIG_DFL)
            step = "cpus"
            if task["cpus"]:
                os.sched_setaffinity(0, task["cpus"])
                if os.sched_getaffinity(0) != set(task["cpus"]):
                    # The kernel silently leaves out CPUs that do not exist.
                    raise OSError(errno.EINVAL, "no such CPU")
            if self.apart:
                step = "apart"
                self._become_apart(keeper)
            step = "cwd"
            os.chdir(task["cwd"])
            nothing = os.open(os.devnull, os.O_RDONLY)
            for theirs, number in ((nothing, 0), (log, 1), (log, 2)):
                os.dup2(theirs, number)
            step = "program"
            os.execve(task["program"], [task["program"], *task["arguments"]], os.environ | task["env"])
        except OSError as error:
            os.write(failure, f"{step} {error.errno}".encode())
        finally:
            os._exit(1)

    def _become_apart(self, keeper: int) -> None:
        """Enter the control groups, and give up root, in the child."""
        for group in self.groups:
            Path(group, "cgroup.procs").write_text("0")
        os.environ[OWNER] = str(keeper)
        if self.apart["user"]:
            uid, gid = self.apart["user"]
            os.setgroups([])
            os.setgid(gid)
            os.setuid(uid)
            # A change of the user clears the order to die with the parent.
            assert _LIBC is not None
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != keeper:
                os._exit(1)

    # ── While it runs ───────────────────────────────────────────────────────────────────────────────────────────────

    def _wait(self) -> None:
        """Wait for the end of standard input or an ending signal, and follow orders and children's ends meanwhile."""
        while True:
            ready = select.select([0, self.alarm], [], [])[0]
            if self.alarm in ready:
                self._hear_signals()
                self._reap()
            if self.asked_to_end:
                return
            if 0 in ready:
                received = os.read(0, 4096)
                if not received:
                    return
                *words, self.partial_line = (self.partial_line + received).split(b"\n")
                for word in words:
                    self._carry_out(word)

    def _carry_out(self, word: bytes) -> None:
        if word == b"pause" and not self.paused:
            self.paused = True
            self._signal(signal.SIGSTOP)
            if self.pid:
                # SIGSTOP takes effect a moment later: wait until the system reports the stop.
                status = os.waitpid(self.pid, os.WUNTRACED)[1]
                if not os.WIFSTOPPED(status):
                    self._on_end(status)
        elif word == b"resume" and self.paused:
            self.paused = False
            self._signal(signal.SIGCONT)
        elif word == b"kill":
            self.killing = True
            self._kill()
            self.killing = self.paused = False
        elif word == b"start" and not self._reap():
            self._start()
        elif word == b"empty":
            self._empty()
        tell(done=word.decode())

    def _empty(self) -> None:
        data = Path(self.task["data"])
        for path in data.iterdir():
            if path.name == MARK or str(path) == self.task["log"]:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        try:
            self._write_files()
        except OSError as error:
            tell(failed="files", errno=error.errno)

    def _on_end(self, status: int) -> None:
        self.pid = 0
        others = self._reap()
        if not self.killing:
            tell(ended=os.waitstatus_to_exitcode(status), others=others)

    def _reap(self) -> bool:
        """Reap the children that have ended, without blocking. Return True when other children remain."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self.pid:
                self._on_end(status)

    def _hear_signals(self) -> None:
        """Take note of the signals that have come since the last call."""
        with contextlib.suppress(BlockingIOError):
            self.asked_to_end |= bool(set(os.read(self.alarm, 4096)) & _ENDING)

    def _signal(self, number: int) -> None:
        """Send a signal to the server's group and to adopted processes."""
        if self.pid:
            with contextlib.suppress(OSError):
                os.killpg(self.pid, number)
        for child in children():
            # A child that is in the group has already received the signal.
            with contextlib.suppress(OSError):
                if not self.pid or os.getpgid(child) != self.pid:
                    os.kill(child, number)

    # ── The end ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _end(self) -> None:
        """Send SIGTERM to the remaining processes of the server, wait for `stop_timeout_s`, then kill them."""
        deadline = time.monotonic() + self.task["stop_timeout_s"]
        self._signal(signal.SIGTERM)
        # A stopped process receives SIGTERM only after SIGCONT.
        self._signal(signal.SIGCONT)
        while self._reap() and (patience := deadline - time.monotonic()) > 0:
            self._sleep(patience)
        self._kill()

    def _kill(self) -> None:
        """Kill the remaining processes of the server, and return when none is left."""
        pause_s = _ORPHANED_S
        while self._reap():
            self._signal(signal.SIGKILL)
            self._sleep(pause_s)
            # Keep waiting for processes that we may not kill, or that do not end before their disk has answered.
            pause_s = min(2 * pause_s, _LONGEST_SLEEP_S)

    def _sleep(self, most_s: float) -> None:
        """Wait for a signal, such as that of a child's end, for `most_s` at most."""
        select.select([self.alarm], [], [], most_s)
        self._hear_signals()


def mark(folder: Path) -> None:
    """Mark the folder as in use until this process ends, however it ends. The server does not inherit the lock."""
    new = folder / f"{MARK}-new"
    fcntl.flock(os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), fcntl.LOCK_EX)
    # The rename makes the mark appear already locked.
    new.rename(folder / MARK)


def children() -> list[int]:
    """Return this process's children by proc(5) on Linux; elsewhere none."""
    found, me = [], os.getpid()
    for entry in Path("/proc").glob("[0-9]*/stat") if sys.platform == "linux" else ():
        with contextlib.suppress(OSError):
            # State and parent follow the name in brackets, which may have brackets of its own.
            if int(entry.read_bytes().rpartition(b")")[2].split()[1]) == me:
                found.append(int(entry.parent.name))
    return found


def tell(**words: object) -> None:
    """Write one line of JSON to loadgen; ignore that loadgen has gone."""
    with contextlib.suppress(OSError):
        os.write(1, json.dumps(words).encode() + b"\n")


def main() -> None:
    line = b""
    while not line.endswith(b"\n"):
        if not (received := os.read(0, 65536)):
            # loadgen ended before it sent the task.
            return
        line += received
    Keeper(json.loads(line)).run()


if __name__ == "__main__":
    main()
