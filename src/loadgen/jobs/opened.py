"""Storages by their URLs."""

from __future__ import annotations

from dataclasses import dataclass

from loadgen.errors import UsageError
from loadgen.jobs.job import DEFAULT_QUEUE
from loadgen.jobs.storage import Storage
from loadgen.jobs.url import SqliteUrl, StorageUrl, parse
from loadgen.units import NS_PER_S

STREAMS = "streams"
LISTS = "lists"
LAYOUTS = (STREAMS, LISTS)
"""How a queue is laid out in Redis."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How a queue is kept."""

    name: str = DEFAULT_QUEUE
    lease_ns: int = 5 * NS_PER_S
    max_deliveries: int = 5
    """How often a job is claimed without an end until it is a dead letter."""
    result_ttl_ns: int = 3_600 * NS_PER_S
    """How long results are kept; 0: not at all."""
    layout: str = STREAMS
    durability: str = ""
    """Of SQLite: full, or normal, with which a power cut may lose what was acknowledged; empty: full."""


def storage_of(url: StorageUrl | str, terms: Terms) -> Storage:
    """Return the storage of a URL, which is not open yet. Raises UsageError."""
    where = parse(url) if isinstance(url, str) else url
    if terms.layout not in LAYOUTS:
        raise UsageError(f"{terms.layout} is no layout of a queue in Redis; those are {' and '.join(LAYOUTS)}.")
    ttl_s = terms.result_ttl_ns / NS_PER_S
    if isinstance(where, SqliteUrl):
        from loadgen.jobs.sqlite.storage import Sqlite

        return Sqlite(
            where,
            terms.name,
            lease_ns=terms.lease_ns,
            max_deliveries=terms.max_deliveries,
            result_ttl_s=ttl_s,
            durability=terms.durability or "full",
        )
    from loadgen.jobs.redis.lists import Lists
    from loadgen.jobs.redis.streams import Streams

    kept = Streams if terms.layout == STREAMS else Lists
    return kept(where, terms.name, lease_ns=terms.lease_ns, max_deliveries=terms.max_deliveries, result_ttl_s=ttl_s)
