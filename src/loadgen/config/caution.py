"""Cautions: one for each given key that is not acted on as it stands. No key is silently ignored."""

from __future__ import annotations

import os
from collections.abc import Iterator

from loadgen.command import MIXED, READING
from loadgen.config.document.document import Document
from loadgen.config.document.problem import Problem
from loadgen.config.tables.objectives import Percentiles
from loadgen.config.tables.refused import ProblemCode
from loadgen.config.tables.schema import Config, General, Keyspace
from loadgen.config.tables.table import Path
from loadgen.config.tables.tree import inert, tables
from loadgen.config.told.split import worker_count
from loadgen.protocol import PROTOCOLS
from loadgen.units import format_duration, parse_count, parse_duration


def cautions(config: Config, document: Document) -> Iterator[Problem]:
    """Yield a caution for each key or table of the document without effect; `config` is the validated document."""
    yield from document.cautions
    yield from _never_acted_on(config, document)
    for path, sentence in _not_acted_on_here(config, document):
        if document.given(path):
            yield Problem((path,), ProblemCode.CAUTION, sentence)


def _never_acted_on(config: Config, document: Document) -> Iterator[Problem]:
    for table_path, table in tables():
        for name, field in table.model_fields.items():
            path = (*table_path, name)
            if (mark := inert(field)) and document.given(path) and (value := _value(config, path)) != mark.unless:
                assert value is not None, "TOML has no null, so what was given has a value"
                yield Problem((path,), ProblemCode.CAUTION, mark.reason)


def _not_acted_on_here(config: Config, document: Document) -> Iterator[tuple[Path, str]]:
    """Yield keys that are acted on, but not in this configuration, each with the reason."""
    general, connection, workload = config.general, config.connection, config.workload
    workers = worker_count(general.threads, config)
    if general.threads > workers:
        least = general.threads * max(1, config.target.servers)
        yield (
            ("general", "threads"),
            f"using {workers} {'worker' if workers == 1 else 'workers'}: {general.threads} would need at least {least} "
            "connections",
        )
    if not hasattr(os, "sched_setaffinity"):
        for table in ("general",), ("target", "server"):
            yield (*table, "cpu_list"), "is not acted on: this system cannot pin a process to a CPU"
    requested = _raw(document, ("connection", "batch_size"))
    requested = parse_count(requested) if isinstance(requested, str) else requested
    if isinstance(requested, int) and requested != connection.batch_size:
        yield (
            ("connection", "batch_size"),
            f"{requested} is outside 1 … pipeline_depth ({connection.pipeline_depth}); {connection.batch_size} is used",
        )
    if connection.refill != "slot" and workload.scheduled:
        yield (
            ("connection", "refill"),
            "is not acted on with a rate_limit, phases or a search: a schedule says when requests are sent",
        )
    if connection.request_distribution != "roundrobin" and not workload.scheduled:
        yield (
            ("connection", "request_distribution"),
            "is not acted on without a rate_limit or phases: in a closed loop every connection's pipeline is kept full",
        )
    if workload.spin:
        yield (
            ("workload", "spin"),
            f"true takes a whole core for {'its worker' if workers == 1 else f'each of {workers} workers'}; "
            "leave the server cores of its own",
        )
    yield from _of_the_schedule(config, document)
    for name, rounds in (("compare", config.compare), ("gate", config.gate)):
        if rounds.rate:
            yield (name, "load_share"), f"is not acted on: {name}.rate says what is offered"
    yield from _of_tls(config)
    if not PROTOCOLS[config.target.protocol].has_keys:
        for name in ("keyspace", "commands", "values"):
            yield ("workload", name), 'is not acted on: the protocol "ping" sends PING only'
        return
    if workload.keyspace.distribution == "uniform" and workload.keyspace.zipf_exponent != Keyspace().zipf_exponent:
        yield ("workload", "keyspace", "zipf_exponent"), 'is not acted on: the distribution is "uniform"'
    if workload.history is not None and not workload.prefill and config.target.server is None:
        yield (
            ("workload", "history"),
            "takes the server for empty: a value that was there before this load is one that nobody wrote to "
            "loadgen check; write every key first, by prefill",
        )
    if workload.backfill_on_miss and not any(workload.commands.weights[name] for name in READING):
        yield ("workload", "backfill_on_miss"), "is not acted on: with get = 0 nothing is read, and so nothing missed"


def _of_tls(config: Config) -> Iterator[tuple[Path, str]]:
    target = config.target
    given = {name: getattr(target, name) for name in type(target).model_fields if name.startswith("tls_")}
    if not target.tls:
        for name, value in given.items():
            if value != type(target).model_fields[name].default:
                yield ("target", name), "is not acted on, as tls is false"
    elif not target.tls_verify:
        for name in ("tls_ca_file", "tls_ca_dir"):
            if given[name] is not None:
                yield ("target", name), "is not acted on: with tls_verify = false any certificate is taken"


def _of_the_schedule(config: Config, document: Document) -> Iterator[tuple[Path, str]]:
    """Yield such keys that say when requests are due, and for how long."""
    general, workload = config.general, config.workload
    if not workload.scheduled:
        yield (
            ("workload", "arrival"),
            "is not acted on without a rate_limit or phases: in a closed loop a reply triggers the next request",
        )
    if workload.saturation_search is not None:
        yield from _of_the_search(config)
    elif workload.phase:
        given = _raw(document, ("general", "duration"))
        if isinstance(given, str | int | float) and parse_duration(given) != general.duration:
            yield (
                ("general", "duration"),
                f"is not acted on: the phases of workload.phase last {format_duration(general.duration)} in all",
            )
        if general.warmup and workload.phase[0].rates[0] == 0:
            yield (
                ("general", "warmup"),
                "sends nothing: the warm-up has the rate at which workload.phase begins, and that is 0",
            )


def _of_the_search(config: Config) -> Iterator[tuple[Path, str]]:
    search, slo = config.workload.saturation_search, config.slo
    if config.workload.rate_limit:
        yield ("workload", "rate_limit"), "is not acted on: the search sets the rate"
    if config.workload.phase:
        yield ("workload", "phase"), "is not acted on: the search sets the rate"
    if config.general.duration != General().duration:
        yield ("general", "duration"), "is not acted on: the search says how long each rate is measured"
    if config.general.requests:
        yield ("general", "requests"), "is not acted on: the search says how long each rate is measured"
    if config.general.interval != General().interval:
        yield ("general", "interval"), "is not acted on: a search shows a line for each rate"
    if search is None or slo is None:
        return
    if search.slo is not None:
        yield ("slo",), "is not acted on: the search has limits of its own, in workload.saturation_search.slo"
        return
    for command, table in slo.by_command():
        for name in type(table).model_fields.keys() - Percentiles.model_fields.keys() - set(MIXED):
            yield ("slo", *([command] if command else []), name), "is not acted on: a search keeps to percentiles only"


def _value(config: Config, path: Path) -> object:
    value: object = config
    for part in path:
        value = getattr(value, str(part))
    return value


def _raw(document: Document, path: Path) -> object:
    """Return the value that the user wrote for this key; None when there is none."""
    return next((value for known, value in document.values() if known == path), None)
