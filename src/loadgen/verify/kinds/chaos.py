"""Faults of servers: what a server acknowledged is looked for after the fault and a restart. A kind for each fault and
each way of keeping data in files: an append-only file with appendfsync everysec or always, and RDB files.

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
from loadgen.verify.durability.persistence import PERSISTENCES, Persistence
from loadgen.verify.kinds.chaos_case import ChaosKind
from loadgen.verify.kinds.scene import Scene
from loadgen.verify.kinds.scene_rows import NAMES, SCENES
from loadgen.verify.kinds.suite import Emit, Opened, Suite
from loadgen.verify.kinds.wanted import Wanted
from loadgen.verify.subject import named
from loadgen.verify.subject.durable import DurableServer

SIGKILL = (
    "a crash is a SIGKILL, which does not test fsync: what a killed process has written is the kernel's, and is there "
    "after the restart, durable or not; a power_cut tests that"
)


KINDS = {
    f"{scene.name}_{persistence.name}": (scene, persistence)
    for scene in SCENES.values()
    for persistence in PERSISTENCES.values()
    if scene.judges(persistence)
}
"""By name, each kind: a fault, and how the server keeps its data."""


LEAST_SAVED_WRITES = 20
"""The least bound on the writes of a case that saves RDB files. With 3, nothing was acknowledged before the fault in 4
of 6 cases; with 20, in 2 of 160."""


def kinds_of(name: str) -> tuple[str, ...]:
    """Return the kinds of a fault, by a name that a command line may have; of the name of one kind, that kind."""
    name = name.replace("-", "_")
    if name in KINDS:
        return (name,)
    scene = NAMES[name]
    return tuple(kind for kind, (of, _) in KINDS.items() if of is scene)


@contextlib.contextmanager
def _opened(kinds: Sequence[str], options: Mapping[str, str], emit: Emit) -> Iterator[Opened]:
    wanted = Wanted.of(options)
    asked = [KINDS[kind] for kind in kinds]
    lacks = {scene.name: _lack(scene) for scene, _ in asked}
    faults = sorted({scene.fault for scene, _ in asked if not lacks[scene.name]})
    with contextlib.ExitStack() as stack:
        servers: dict[Persistence | None, DurableServer] = {}
        plans = _plans(options["server"], dict.fromkeys(each for scene, each in asked if not lacks[scene.name]))
        for plan in plans:
            managed = ManagedServer(replace(plan, surroundings=surroundings_for(faults)), emit)
            server = DurableServer(stack.enter_context(managed))
            servers[server.persistence] = server
        made = [
            ChaosKind(
                scene, each, servers.get(each), wanted, lacks[scene.name] or _other(each, servers) or _few(each, wanted)
            )
            for scene, each in asked
        ]
        identity = ", ".join(dict.fromkeys(server.identity for server in servers.values()))
        yield Opened(made, identity, notes=_notes([scene.name for scene, _ in asked]))


def _lack(scene: Scene) -> str:
    """Return what this machine lacks for a fault, in words; empty for nothing."""
    lacks = "; ".join(map(str, missing(needs_of([scene.fault]))))
    return f"this machine lacks what the fault needs: {lacks}" if lacks else ""


def _other(persistence: Persistence, servers: Mapping[Persistence | None, DurableServer]) -> str:
    """Return why there is no server that keeps its data so; empty when there is one."""
    if persistence in servers:
        return ""
    [having] = servers or [None]
    return f"the server has {having.words}" if having is not None else "the server keeps its data in another way"


def _few(persistence: Persistence, wanted: Wanted) -> str:
    """Return why a case of so few writes shows nothing; empty where it does."""
    if wanted.most is None or wanted.most >= LEAST_SAVED_WRITES or not persistence.saves:
        return ""
    return (
        f"a case with RDB files needs {LEAST_SAVED_WRITES} writes at least, so that a dump has some, and {wanted.most} "
        "are wanted (--operations)"
    )


def _notes(scenes: Iterable[str]) -> tuple[str, ...]:
    names = set(scenes)
    return (SIGKILL,) if "crash" in names and "power_cut" not in names else ()


# ── The servers ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _plans(word: str, persistences: Iterable[Persistence]) -> list[ServerPlan]:
    """Return the servers to start: one for each persistence, or the one that a server file describes."""
    if word not in (named.AUTO, *named.PERSISTENT):
        return [_of_file(word)]
    if word == named.AUTO:
        word = next((each for each in named.PERSISTENT if shutil.which(named.PROGRAMS[each])), "redis")
    program = named.PROGRAMS[word]
    if shutil.which(program) is None:
        raise TargetError(f"{program} is not in PATH: install it, or name a server file by --server.")
    return [
        ServerPlan(word, (program, *named.REDIS, *persistence.arguments), loopback("resp"))
        for persistence in persistences
    ]


def _of_file(word: str) -> ServerPlan:
    """Return the server of a server file. Raises ConfigError, and UsageError for one that cannot be judged."""
    file = presets.SERVERS.named(word)
    plan = config.server_plan(config.load(None, server=file), file.stem if file is not None else "")
    if plan is None or plan.target.speaks.wire is not Wire.RESP or plan.target.password or plan.cluster:
        raise UsageError(
            f"--server {printable(word, 60)}: faults judge one server that is started, speaks RESP and asks for no "
            "password; name the file of one, such as redis-aof."
        )
    return plan


SUITE = Suite(
    "chaos",
    (*KINDS,),
    _opened,
    {"server": named.AUTO, "operations": "", "expect": ""},
    {alias: kinds_of(alias) for alias in NAMES},
)
