"""The built-in server, from a program: `serve`."""

from __future__ import annotations

from loadgen.library.server import Server
from loadgen.server_plan import builtin


def serve(protocol: str = "resp", *options: str) -> Server:
    """Return loadgen's own server, for a process of its own: `with loadgen.serve() as server:`, or a Plan's target.

    The server speaks `resp` or `memcache`. `options` are further arguments of `loadgen serve`, such as
    `"--max-memory", "64MiB"`.
    """
    return Server(builtin(protocol, *options, name="built-in server"), is_builtin=True)
