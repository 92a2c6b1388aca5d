"""The number of workers of a run. Pure arithmetic."""

from __future__ import annotations

from loadgen.config.tables.schema import Config


def worker_count(threads: int, config: Config) -> int:
    """Return the number of workers: `threads`, but no more than can each have a connection to every endpoint.

    Ketama assigns each key to an endpoint, so a worker without a connection to every endpoint could not send all keys.
    """
    return max(1, min(threads, config.connection.connections // config.target.servers))
