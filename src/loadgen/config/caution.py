"""What was given and is not acted on as it stands: no key is ever silently ignored. Defaults need no caution."""

from __future__ import annotations

import os
from collections.abc import Iterator

from loadgen.config.document import Document
from loadgen.config.positions import Path
from loadgen.config.problem import Problem
from loadgen.config.schema import Config, Keyspace
from loadgen.config.split import worker_count
from loadgen.config.tree import inert, tables


def cautions(config: Config, document: Document) -> Iterator[Problem]:
    """One caution for each key or table that the document gives in vain; `config` is what it was validated to."""
    yield from document.cautions
    yield from _never_acted_on(config, document)
    for path, sentence in _not_acted_on_here(config, document):
        if document.given(path):
            yield Problem((path,), sentence)


def _never_acted_on(config: Config, document: Document) -> Iterator[Problem]:
    for table_path, table in tables():
        for name, field in table.model_fields.items():
            path = (*table_path, name)
            if (mark := inert(field)) and document.given(path) and (value := _value(config, path)) != mark.unless:
                assert value is not None, "TOML has no null, so what was given has a value"
                yield Problem((path,), mark.reason)


def _not_acted_on_here(config: Config, document: Document) -> Iterator[tuple[Path, str]]:
    """Keys that are acted on, but not in this configuration."""
    general, connection, workload = config.general, config.connection, config.workload
    workers = worker_count(config)
    if general.threads > workers:
        reach = "reach every endpoint" if len(config.target.endpoints) > 1 else "have a connection"
        yield (
            ("general", "threads"),
            f"{general.threads} workers are too many for {connection.connections} connections, as each must {reach}; "
            f"the number used is {workers}",
        )
    if general.cpu_list is not None and not hasattr(os, "sched_setaffinity"):
        yield ("general", "cpu_list"), "is not acted on: this system cannot pin a process to a CPU"
    requested = _raw_int(document, ("connection", "batch_size"))
    if requested is not None and requested != connection.batch_size:
        yield (
            ("connection", "batch_size"),
            f"{requested} is outside 1 … pipeline_depth ({connection.pipeline_depth}); {connection.batch_size} is used",
        )
    if connection.request_distribution == "greedy" and workload.rate_limit == 0:
        yield (
            ("connection", "request_distribution"),
            "is not acted on without a rate_limit: in a closed loop every connection's pipeline is kept full",
        )
    if config.target.protocol == "ping":
        for name in ("keyspace", "commands", "values"):
            yield ("workload", name), 'is not acted on: the protocol "ping" sends PING only'
        return
    if workload.keyspace.distribution == "uniform" and workload.keyspace.zipf_exponent != Keyspace().zipf_exponent:
        yield ("workload", "keyspace", "zipf_exponent"), 'is not acted on: the distribution is "uniform"'
    if workload.backfill_on_miss and workload.commands.get == 0:
        yield ("workload", "backfill_on_miss"), "is not acted on: with get = 0 nothing is read, and so nothing missed"


def _value(config: Config, path: Path) -> object:
    value: object = config
    for part in path:
        value = getattr(value, str(part))
    return value


def _raw_int(document: Document, path: Path) -> int | None:
    for known, value in document.values():
        if known == path and isinstance(value, int):
            return value
    return None
