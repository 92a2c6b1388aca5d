"""Faults of servers: what a server acknowledged is looked for after the fault and a restart. A kind for each fault and
each appendfsync.

A case writes on several connections, lets a fault come, starts the server again, and holds what is there against the
log of what was answered.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from loadgen import config
from loadgen.config import presets
from loadgen.errors import TargetError, UsageError
from loadgen.escape import printable
from loadgen.faults.kinds import needs_of
from loadgen.faults.needs import missing
from loadgen.faults.surroundings import surroundings_for
from loadgen.protocol import Wire
from loadgen.server_plan import ServerPlan, loopback
from loadgen.target.server import ManagedServer
from loadgen.verify.kinds.chaos_case import ChaosKind
from loadgen.verify.kinds.scene import WINDOWS_NS, Scene
from loadgen.verify.kinds.scene_rows import NAMES, SCENES
from loadgen.verify.kinds.suite import Emit, Opened, Suite
from loadgen.verify.subject import named
from loadgen.verify.subject.durable import DurableServer

SIGKILL = (
    "a crash is a SIGKILL, which does not test fsync: what a killed process has written is the kernel's, and is there "
    "after the restart, durable or not; a power_cut tests that"
)


def kinds_of(name: str) -> tuple[str, ...]:
    """Return the kinds of a fault, one for each appendfsync, by a name that a command line may have."""
    scene = NAMES[name.replace("-", "_")]
    return tuple(f"{scene.name}_{fsync}" for fsync in WINDOWS_NS)


def _parts(kind: str) -> tuple[Scene, str]:
    name, _, fsync = kind.rpartition("_")
    return SCENES[name], fsync


@contextlib.contextmanager
def _opened(kinds: Sequence[str], options: Mapping[str, str], emit: Emit) -> Iterator[Opened]:
    wanted = [_parts(kind) for kind in kinds]
    lacks = {scene.name: _lack(scene) for scene, _ in wanted}
    faults = sorted({scene.fault for scene, _ in wanted if not lacks[scene.name]})
    with contextlib.ExitStack() as stack:
        servers: dict[str, DurableServer] = {}
        plans = _plans(options["server"], dict.fromkeys(fsync for scene, fsync in wanted if not lacks[scene.name]))
        for plan in plans:
            managed = ManagedServer(replace(plan, surroundings=surroundings_for(faults)), emit)
            server = DurableServer(stack.enter_context(managed))
            servers[server.fsync] = server
        made = [
            ChaosKind(scene, fsync, servers.get(fsync), lacks[scene.name] or _other(fsync, servers))
            for scene, fsync in wanted
        ]
        identity = ", ".join(dict.fromkeys(server.identity for server in servers.values()))
        yield Opened(made, identity, notes=_notes([scene.name for scene, _ in wanted]))


def _lack(scene: Scene) -> str:
    """Return what this machine lacks for a fault, in words; empty for nothing."""
    lacks = "; ".join(map(str, missing(needs_of([scene.fault]))))
    return f"this machine lacks what the fault needs: {lacks}" if lacks else ""


def _other(fsync: str, servers: Mapping[str, DurableServer]) -> str:
    """Return why there is no server with this appendfsync; empty when there is one."""
    if fsync in servers:
        return ""
    [having] = servers or [""]
    return f"the server has appendfsync {having}" if having else "the server keeps no append-only file"


def _notes(scenes: Iterable[str]) -> tuple[str, ...]:
    names = set(scenes)
    return (SIGKILL,) if "crash" in names and "power_cut" not in names else ()


# ── The servers ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _plans(word: str, fsyncs: Iterable[str]) -> list[ServerPlan]:
    """Return the servers to start: one for each appendfsync, or the one that a server file describes."""
    if word not in (named.AUTO, *named.PERSISTENT):
        return [_of_file(word)]
    if word == named.AUTO:
        word = next((each for each in named.PERSISTENT if shutil.which(named.PROGRAMS[each])), "redis")
    program = named.PROGRAMS[word]
    if shutil.which(program) is None:
        raise TargetError(f"{program} is not in PATH: install it, or name a server file by --server.")
    return [
        ServerPlan(word, (program, *named.REDIS, "--appendonly", "yes", "--appendfsync", fsync), loopback("resp"))
        for fsync in fsyncs
    ]


def _of_file(word: str) -> ServerPlan:
    """Return the server of a server file. Raises ConfigError, and UsageError for one that cannot be judged."""
    file = presets.SERVERS.named(word)
    plan = config.server_plan(config.load(None, server=file), file.stem if file is not None else "")
    if plan is None or plan.target.speaks.wire is not Wire.RESP or plan.target.password:
        raise UsageError(
            f"--server {printable(word, 60)}: faults judge a server that is started, speaks RESP and asks for no "
            "password; name the file of one, such as redis-aof."
        )
    return plan


SUITE = Suite(
    "chaos",
    tuple(f"{name}_{fsync}" for name in SCENES for fsync in WINDOWS_NS),
    _opened,
    {"server": named.AUTO},
    {alias: kinds_of(alias) for alias in NAMES},
)
