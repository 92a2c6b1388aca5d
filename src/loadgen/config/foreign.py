"""Files of cachecannon and of crucible's benchmark: recognised by their keys, and read as those tools read them.

The files of both tools and of loadgen have one shape. A file is taken for loadgen's unless a key in it is only theirs.
"""

from __future__ import annotations

from loadgen.config.document.document import Document
from loadgen.config.document.problem import Problem
from loadgen.config.tables.refused import ProblemCode
from loadgen.config.tables.schema import Config
from loadgen.config.tables.table import Path
from loadgen.protocol import PROTOCOLS

THEIRS: tuple[Path, ...] = (
    ("general", "io_engine"),
    ("timestamps",),
    ("admin", "listen"),
    ("admin", "parquet"),
    ("admin", "parquet_interval"),
    ("momento",),
)
"""Keys and tables that only those tools act on."""

OLDER_SPELLINGS = ("pool_size", "set_on_miss")
"""Spellings of keys that only files of those tools have."""

OURS: tuple[Path, ...] = (
    ("general", "seed"),
    ("general", "interval"),
    ("general", "requests"),
    ("target", "username"),
    ("target", "password"),
    ("target", "password_env"),
    ("target", "password_file"),
    ("target", "precheck"),
    ("target", "memcache"),
    ("target", "tls_ca_file"),
    ("target", "tls_ca_dir"),
    ("target", "tls_cert"),
    ("target", "tls_key"),
    ("target", "tls_key_password_env"),
    ("target", "tls_min_version"),
    ("target", "tls_max_version"),
    ("target", "tls_ciphers"),
    ("target", "tls_ciphersuites"),
    ("target", "tls_resume"),
    ("target", "server"),
    ("target", "tracking"),
    ("target", "tracking_noloop"),
    ("connection", "refill"),
    ("connection", "connect_rate"),
    ("connection", "nodelay"),
    ("connection", "keepalive"),
    ("connection", "source_addresses"),
    ("connection", "reconnect_every"),
    ("connection", "reconnect_by"),
    ("connection", "idle"),
    ("workload", "arrival"),
    ("workload", "phase"),
    ("workload", "spin"),
    ("workload", "keyspace", "prefix"),
    ("workload", "keyspace", "zipf_exponent"),
    ("workload", "values", "ttl"),
    ("fault",),
    ("monitor",),
    ("check",),
    ("slo",),
    ("verdict",),
    ("smoke",),
    ("compare",),
    ("gate",),
)
"""Keys and tables that those tools do not have: a file with one of these was written for loadgen."""

_REFILL = ("connection", "refill")

_BOTH = (
    "cachecannon refills a pipeline when it has drained; crucible's benchmark had one request in flight on a "
    "connection, whatever pipeline_depth"
)


def as_theirs(config: Config, document: Document) -> tuple[Config, list[Problem]]:
    """Return the configuration, with the refill of those tools if the file is theirs, and the caution that says so.

    Only a closed loop with a pipeline is changed. A file whose batch size is not the pipeline's depth gets the caution
    alone. A refill that is given in any layer stays, without a caution.
    """
    connection = config.connection
    key = _key_of_theirs(document)
    if key is None or config.workload.scheduled or document.given(_REFILL):
        return config, []
    if connection.pipeline_depth == 1 or not PROTOCOLS[config.target.protocol].has_keys:
        # In those tools PING has one request in flight.
        return config, []
    if connection.batch_size != connection.pipeline_depth:
        sentence = (
            f"is a key of cachecannon's, which sends {connection.batch_size} (batch_size) as soon as so many replies "
            'have made room; here connection.refill is "slot", which sends as soon as one has, or "drained"'
        )
        return config, [Problem((key,), ProblemCode.CAUTION, sentence)]
    sentence = (
        "is a key of cachecannon's and crucible's, so connection.refill = \"drained\" is used, unless it is given: "
        f"{_BOTH}"
    )
    drained = connection.model_copy(update={"refill": "drained"})
    return config.model_copy(update={"connection": drained}), [Problem((key,), ProblemCode.CAUTION, sentence)]


def _key_of_theirs(document: Document) -> Path | None:
    """Return the first key of the file that only those tools have; None for none, and for a file of loadgen's."""
    found = sorted((origin, path) for path, origin in document.origins.items() if not origin.typed)
    if any(_one_of(OURS, path) for _, path in found):
        return None
    theirs = (path for origin, path in found if _one_of(THEIRS, path) or origin.key.endswith(OLDER_SPELLINGS))
    return next(theirs, None)


def _one_of(keys: tuple[Path, ...], path: Path) -> bool:
    return any(path[: len(key)] == key for key in keys)
