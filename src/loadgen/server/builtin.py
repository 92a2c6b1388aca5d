"""The built-in server, run in this process until a signal or a client stops it, as `loadgen serve` does."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import signal
import sys
from dataclasses import dataclass

import uvloop

from loadgen.errors import TargetError
from loadgen.protocol import PROTOCOLS, Wire
from loadgen.server._server import DEFAULT_MAX_MEMORY_BYTES, EVICTION_POLICIES, MEMCACHE_MAX_ITEM_BYTES, Faults, Server
from loadgen.units import format_duration
from loadgen.version import __version__

LOOPS = ("uvloop", "asyncio")

# More open files than any server here needs; some systems accept no more even where they report no limit.
MOST_FILES = 10_240 if sys.platform == "darwin" else 1_048_576

__all__ = ["EVICTION_POLICIES", "LOOPS", "BuiltinServer", "Faults"]


@dataclass(frozen=True, slots=True)
class BuiltinServer:
    """A built-in server before its start; `run` runs the server."""

    protocol: str = "resp"
    host: str = "127.0.0.1"
    port: int | None = None
    """0 takes a free port, None the protocol's usual port."""
    max_memory_bytes: int = DEFAULT_MAX_MEMORY_BYTES
    eviction: str = "lru"
    max_item_bytes: int = MEMCACHE_MAX_ITEM_BYTES
    """For memcache only: a RESP value may be as large as the memory allows."""
    loop: str = "uvloop"
    stop_at_eof: bool = False
    """Stop when standard input, a pipe, ends."""
    null: bool = False
    """Answer the data commands without a store."""
    faults: Faults | None = None
    """The planted faults; a `Faults` object serves one run."""

    def run(self) -> None:
        """Print a line when the server listens; return after SIGINT, SIGTERM, SIGHUP, SHUTDOWN. Raises TargetError."""
        raise_file_limit()
        # Objects made so far stay to the end, and later ones are freed by reference counts: a collection only pauses.
        gc.freeze()
        gc.disable()
        runner = uvloop.run if self.loop == "uvloop" else asyncio.run
        runner(self._serve())

    async def _serve(self) -> None:
        port = PROTOCOLS[self.protocol].port if self.port is None else self.port
        server = Server(
            self.host,
            port,
            self.protocol,
            max_memory_bytes=self.max_memory_bytes,
            eviction=self.eviction,
            max_item_bytes=self.max_item_bytes if self.protocol == Wire.MEMCACHE else None,
            version=__version__,
            null=self.null,
            faults=self.faults,
        )
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number == signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
                continue  # nohup: the server outlives its terminal.
            loop.add_signal_handler(number, server.ask_to_stop)
        try:
            await server.start()
        except OSError as error:
            raise TargetError(
                f"The built-in server cannot listen on {self.host}:{port}: {error.strerror or error}. "
                "Give another --port, or 0 for a free one."
            ) from None
        if self.stop_at_eof:
            _stop_at_eof(loop, server)
        address = f"[{server.host}]" if ":" in server.host else server.host
        print(
            f"loadgen built-in server ({self.protocol}) listening on {address}:{server.port}, "
            f"{_shown(self.max_memory_bytes)}, {self.eviction}; Ctrl-C stops it"
            f"{'; null: nothing is stored' if self.null else ''}{_planted(self.faults)}",
            flush=True,
        )
        await server.asked_to_stop()
        await server.stop()


def raise_file_limit() -> None:
    """Raise the limit of open files to what this system permits, up to MOST_FILES, as caches do."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _stop_at_eof(loop: asyncio.AbstractEventLoop, server: Server) -> None:
    stdin = sys.__stdin__.fileno() if sys.__stdin__ is not None else -1

    def read() -> None:
        if not os.read(stdin, 4096):
            loop.remove_reader(stdin)
            server.ask_to_stop()

    try:
        loop.add_reader(stdin, read)
    except (OSError, ValueError):
        raise TargetError("--stop-at-eof needs a pipe as standard input.") from None


def _planted(faults: Faults | None) -> str:
    if faults is None:
        return ""
    parts = {
        f"stall {format_duration(faults.stall_ns)} every {format_duration(faults.every_ns)}": faults.stall_ns,
        f"delay {format_duration(faults.delay_ns)}": faults.delay_ns,
        f"jitter {format_duration(faults.jitter_ns)}": faults.jitter_ns,
        "blackhole": faults.blackhole,
        f"errors {faults.error_rate * 100:.6g}%": faults.error_rate,
        f"close after {faults.close_after}": faults.close_after,
        f"slow read {faults.read_bytes_per_s} B/s": faults.read_bytes_per_s,
    }
    return "; planted: " + ", ".join(text for text, amount in parts.items() if amount)


def _shown(size: int) -> str:
    for unit, scale in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size % scale == 0:
            return f"{size // scale} {unit}"
    return f"{size} bytes"
