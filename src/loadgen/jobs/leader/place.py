"""Where the queue of a test is kept: a file or a server of our own, or what a URL names; with the faults over it."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from loadgen.errors import UsageError
from loadgen.events import Progress
from loadgen.faults.bench import Bench, BenchUp
from loadgen.faults.disk.shared import SharedDisk, files_of_sqlite
from loadgen.faults.fault import Fault
from loadgen.jobs.load.plan import JobsPlan
from loadgen.jobs.url import RedisUrl, SqliteUrl, StorageUrl, parse
from loadgen.plan import Endpoint, Target
from loadgen.server_plan import ServerPlan, loopback
from loadgen.target.talk import memory
from loadgen.target.talk.clients import Connected, connected
from loadgen.target.talk.identity import identify
from loadgen.usage import Usage, WatchedServer

SERVERS = ("redis-server", "valkey-server")
"""The programs that can be started for a queue in Redis, the first that is there."""

_DURABLE = {
    "": ("--appendonly", "no"),
    "none": ("--appendonly", "no"),
    "everysec": ("--appendonly", "yes", "--appendfsync", "everysec"),
    "always": ("--appendonly", "yes", "--appendfsync", "always"),
}


@dataclass(frozen=True, slots=True)
class Place:
    """A place that is there."""

    url: str
    """For the processes of the test, with the password: through a proxy, where a fault wants one."""
    name: str
    """In words, such as "redis 7.0.15, AOF everysec"."""
    is_ours: bool
    """True where it is made for this test, and goes with it."""
    used_bytes: Callable[[], int | None]
    """What it takes now: memory of Redis, or the size of the file and its log."""
    connected: Callable[[], Connected | None]
    """The connections of its server now; None where there is no server, or where it does not say."""
    target: Target | None = None
    """Its server, past any proxy; None for a file."""
    server: WatchedServer | None = None
    """Its server where loadgen started that; else None."""
    bench: BenchUp | None = None
    """The server with its faults; None for a file."""
    disk: SharedDisk | None = None
    """The disk of a file on which faults come; else None."""
    files: tuple[Path, ...] = ()
    """The files of the queue; none where it is in a server."""

    def usage(self) -> Usage | None:
        """Return what its server has used; None where there is none of ours."""
        return self.server.usage() if self.server is not None else None


@contextlib.contextmanager
def made(plan: JobsPlan, folder: Path, emit: Callable[[Progress], None]) -> Iterator[Place]:
    """Have the place of a plan there while the context lasts.

    Raises UsageError for a storage that does not go with the adapter, ServerError, FaultError.
    """
    faults = tuple(each.fault for each in plan.faults if not each.on_workers)
    url = parse(plan.storage) if plan.storage else None
    if plan.adapter == "sqlite":
        if url is not None and not isinstance(url, SqliteUrl):
            raise UsageError(f"the adapter sqlite keeps its queue in a file, and {url} is none: write sqlite:///FILE.")
        yield _file(plan, url or SqliteUrl(str(folder / "jobs.db")), SharedDisk(folder) if faults else None)
        return
    if url is not None and not isinstance(url, RedisUrl):
        raise UsageError(f"the adapter {plan.adapter} keeps its queue in Redis, and {url} is a file: write redis://….")
    bench = _bench(plan, url, faults)
    with bench.up(emit) as up:
        yield _server(plan, url, up)


def _file(plan: JobsPlan, url: SqliteUrl, disk: SharedDisk | None) -> Place:
    path = Path(url.path).absolute()

    def used_bytes() -> int | None:
        sizes = []
        for each in (path, path.with_name(f"{path.name}-wal")):
            with contextlib.suppress(OSError):
                sizes.append(each.stat().st_size)
        return sum(sizes) if sizes else None

    durability = (plan.queue.durability or "full").upper()
    name = f"SQLite {sqlite3.sqlite_version}, WAL, synchronous {durability}"
    files = tuple(files_of_sqlite(path))
    return Place(
        str(SqliteUrl(str(path))),
        name,
        not plan.storage,
        used_bytes,
        lambda: None,
        disk=disk,
        files=files,
    )


def _bench(plan: JobsPlan, url: RedisUrl | None, faults: tuple[Fault, ...]) -> Bench:
    if url is not None:
        return Bench(given=(Endpoint(url.host, url.port, url.host),), faults=faults)
    program = next((name for name in SERVERS if shutil.which(name)), SERVERS[0])
    command = (
        program, "--bind", "{host}", "--protected-mode", "no", "--port", "{port}", "--dir", "{dir}",
        "--daemonize", "no", "--save", "", *_DURABLE[plan.queue.durability],
    )  # fmt: skip
    return Bench(managed=(ServerPlan(program.removesuffix("-server"), command, loopback("resp")),), faults=faults)


def _server(plan: JobsPlan, url: RedisUrl | None, up: BenchUp) -> Place:
    endpoint = up.endpoints[0]
    past_proxies = up.proxies.nodes[0]
    given = url or RedisUrl(endpoint.address, endpoint.port)
    through = RedisUrl(endpoint.address, endpoint.port, given.database, given.user, given.password)
    target = Target("resp", (past_proxies,), username=given.user, password=given.password)
    durability = plan.queue.durability or "none"
    words = identify(target) or "redis"
    name = f"{words}, AOF {durability}" if url is None and durability != "none" else words
    return Place(
        with_password(through),
        name,
        url is None,
        lambda: memory.used_bytes(target),
        lambda: connected(target),
        target,
        up.server,
        up,
    )


def with_password(url: StorageUrl) -> str:
    """Return a URL for a process of ours."""
    if isinstance(url, SqliteUrl) or not (url.user or url.password):
        return str(url)
    from urllib.parse import quote

    host = f"[{url.host}]" if ":" in url.host else url.host
    return f"redis://{quote(url.user, safe='')}:{quote(url.password, safe='')}@{host}:{url.port}/{url.database}"


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """Have a fresh folder for a test's ledger, logs and file while the context lasts."""
    with tempfile.TemporaryDirectory(prefix="loadgen-jobs-") as name:
        yield Path(name)
