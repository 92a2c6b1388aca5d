"""What a soak is held against: an earlier soak, by its run folder, or another server under the same load."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from loadgen import config
from loadgen.cli import soaks
from loadgen.cli.emitted import Emitted
from loadgen.config import Flag, presets
from loadgen.errors import UsageError
from loadgen.escape import printable
from loadgen.events import Event, Progress
from loadgen.judge.judging import Judging
from loadgen.monitors import board as boards
from loadgen.monitors.monitor import UnderLoad
from loadgen.monitors.plan import MonitorPlan
from loadgen.output.words import soak as words
from loadgen.plan import Plan
from loadgen.reason import Code, Reason
from loadgen.runner.discovery import placed
from loadgen.runner.stop import Stop
from loadgen.server_plan import ServerPlan
from loadgen.soak import folder
from loadgen.soak.asked import Asked
from loadgen.soak.ended import Noted, SoakCheckpoint, SoakNoted
from loadgen.soak.folder import RunFolder
from loadgen.soak.journal import Journal
from loadgen.soak.replay import Replay
from loadgen.soak.side import Peer
from loadgen.target.servers import servers_of
from loadgen.target.talk.identity import identify
from loadgen.version import __version__

FOLDER = "against"
"""The other server's run folder, in that of the soak."""

_OWN_NOTES = (Noted.GAP, Noted.RESTART, Noted.WARN, Noted.BREACH, Noted.EVIDENCE)
"""What happens to one server; the rest happens to both, and is said once."""


@dataclass(frozen=True, slots=True)
class Other:
    """Another server, before it is up."""

    plan: Plan
    """The soak's own load, on that server."""
    server: ServerPlan | None
    """The server that is started; None for one that runs."""


def named(word: str, plan: Plan) -> Other | None:
    """Return the other server that a word names; None for a run folder.

    A folder with a run in it is a run folder, `host:port` an address, and anything else the name or the file of a
    server, as for --server. Raises UsageError and ConfigError.
    """
    path, (host, colon, port) = Path(word), word.rpartition(":")
    if (path / folder.RUN).exists():
        return None
    if colon and host and port.isdecimal():
        keys = {"target.protocol": plan.target.protocol, "target.endpoints": [word]}
        flags = {key: Flag("--against", value) for key, value in keys.items()}
        other = plan.at(*config.resolve(config.load(None, (), flags)).target.endpoints)
        if other.target.endpoints == plan.target.endpoints:
            raise UsageError(f"--against {printable(word)} is the server that is soaked: name another one.")
        return Other(other, None)
    if presets.SERVERS.path(word) or path.suffix == ".toml":
        settings = config.load(None, (), {}, server=presets.SERVERS.file(word))
        server = config.server_plan(settings, path.stem)
        assert server is not None, "a server's file has a [target.server]"
        if server.target.speaks.wire is not plan.target.speaks.wire:
            raise UsageError(
                f"--against {printable(word)} speaks {server.target.protocol}, and the load {plan.target.protocol}."
            )
        return Other(plan, server)
    if path.is_dir():
        return None
    near = presets.SERVERS.near(word)
    hint = f"; did you mean {near}?" if near else "."
    raise UsageError(
        f'--against "{printable(word, 60)}" is no run folder of a soak, no address such as 127.0.0.1:6380, and no '
        f"server that loadgen knows{hint}"
    )


def earlier(path: str) -> tuple[Journal, tuple[Reason, ...]]:
    """Return the journal of the soak in a run folder, and the remark on it. Raises UsageError."""
    remark = Reason(Code.STORED, f"growth is what this soak has beyond {path}")
    return Replay(folder.read(path)).journal, (remark,)


@contextlib.contextmanager
def up(
    other: Other,
    own: soaks.Soaked,
    asked: Asked,
    emit: Callable[[Event], None],
    *,
    judging: Judging,
    stop: Stop,
    host: str,
) -> Iterator[Peer]:
    """Bring another server up, and yield the side of a soak that puts the load on that server. Raises TargetError."""
    with contextlib.ExitStack() as stack:
        servers = stack.enter_context(servers_of(other.plan.target, other.server).up(emit))
        plan, server = placed(other.plan.at(*servers.endpoints)), servers.server
        under = UnderLoad(plan.target, (lambda: server.pid) if server is not None else None)
        board = stack.enter_context(boards.opened(_monitors(own.monitors, plan, server is not None), under))
        soaks.first_look(board)
        columns = soaks.columns_of(board.series)
        load = {column: known for column, known in asked.series.items() if asked.of_load(column)}
        theirs = replace(asked, series={**load, **columns}, kinds=dict(board.kinds), checks=())
        target = ", ".join(filter(None, [identify(plan.target), " ".join(map(str, plan.target.endpoints))]))
        emitted = Emitted(lambda event: _told(event, target, emit))
        stack.callback(emitted.close)

        def open_folder(started_s: float) -> RunFolder:
            known = {"version": __version__, "host": host, "target": target}
            load = soaks.load_in_words(plan, plan.load.rate_per_s)
            run = soaks.run_of(own.settings, theirs, started_s, load=load, **known)
            kept = RunFolder(str(Path(own.folder) / FOLDER), run)
            emitted.log_to(kept)
            return kept

        yield Peer(
            plan,
            theirs,
            emitted.emit,
            board=board,
            open_folder=open_folder,
            judging=judging,
            version=__version__,
            host=host,
            target=target,
            server=server,
            stop=stop,
        )


def remark(soaked: str, other: str) -> Reason:
    """Return the remark on a soak beside another server."""
    words = f"growth is what {soaked} has beyond {other}, which had the same load at the same time"
    return Reason(Code.STORED, words)


def _monitors(of: tuple[MonitorPlan, ...], plan: Plan, managed: bool) -> tuple[MonitorPlan, ...]:
    """Return the monitors that read the server under load, whichever that is."""
    own = [each for each in of if each.kind in ("proc", "redis", "memcached") and _follows(each)]
    readable = managed or bool(soaks.listener(plan.target))
    return tuple(each for each in own if each.kind != "proc" or readable)


def _follows(plan: MonitorPlan) -> bool:
    return not (plan.pid or plan.process or plan.server)


def _told(event: Event, target: str, emit: Callable[[Event], None]) -> None:
    """Emit what the outputs show of the other server's events: as notes, with its name."""
    match event:
        case SoakCheckpoint(asked, at):
            emit(SoakNoted(Noted.PEER, at.t_s, f"{target}: {words.values(asked, at)}"))
        case SoakNoted(kind, t_s, said) if kind in _OWN_NOTES:
            emit(SoakNoted(Noted.PEER, t_s, f"{target}: {said}"))
        case Progress():
            if event.phase not in ("warmup", "measure", "drain"):
                emit(event)
