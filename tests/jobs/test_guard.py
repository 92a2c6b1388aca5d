"""The guard of workers that are not ours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from loadgen.jobs.leader import guard

# As workers that fork do: told to end, it lets its child finish. The child says that both are ready.
WORKER = """
import os, signal, sys
finish, told = os.pipe()
child = os.fork()
if child == 0:
    os.close(told)
    os.read(finish, 1)
    os._exit(5)
os.close(finish)
def end(*_):
    os.close(told)
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) % 256)
signal.signal(signal.SIGTERM, end)
print("ready", file=sys.stderr, flush=True)
while True:
    signal.pause()
"""


def guarded() -> subprocess.Popen[bytes]:
    command = [sys.executable, "-I", "-S", guard.__file__, sys.executable, "-c", WORKER]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_term_is_for_the_worker_alone_which_ends_its_children_in_its_own_way() -> None:
    with guarded() as process:
        assert process.stdin is not None
        assert process.stderr is not None
        assert process.stderr.readline() == b"ready\n"
        process.stdin.write(b"term\n")
        process.stdin.flush()
        assert process.wait(30) == 5


def test_group_is_killed_when_the_leader_has_gone() -> None:
    with guarded() as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        worker = int(process.stdout.readline())
        assert process.stderr.readline() == b"ready\n"
        process.stdin.close()
        assert process.wait(30) == 128 + 9
        # Its child has the other end of this pipe until it is killed, too.
        assert process.stderr.read() == b""
        assert not Path(f"/proc/{worker}").exists()
