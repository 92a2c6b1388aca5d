"""Plans made from a Config: names looked up, CPUs assigned, the load divided among workers, seeds drawn.

The plan of a server to be started is made here too.
"""

from __future__ import annotations

import os
import socket
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

from loadgen.command import COUNTING, OF_SEVERAL_KEYS
from loadgen.config.tables import schema
from loadgen.config.tables.cpu_list import parse_cpu_list
from loadgen.config.tables.password import password, sentinel_password
from loadgen.config.tables.schema import Config
from loadgen.config.told.profile import phases, profile
from loadgen.config.told.split import worker_count
from loadgen.config.told.tls import tls_plan
from loadgen.errors import TargetError
from loadgen.plan import (
    Discovery,
    Endpoint,
    KeptHistory,
    Keyspace,
    Life,
    Load,
    MemcacheWire,
    Plan,
    Reads,
    Target,
    Wire,
    WorkerPlan,
    Workload,
    worker_plans,
)
from loadgen.server_address import parse_endpoint
from loadgen.server_plan import HOST, ClusterPlan, ServerPlan
from loadgen.units import MAX_DURATION_NS, NS_PER_S, parse_duration

_BACKOFF_NS = 5 * NS_PER_S

# The load has to find out within tenths of a second that a server is back after a fault.
_BACKOFF_UNDER_FAULTS_NS = 100_000_000


def resolve(config: Config, cpus: tuple[int, ...] = ()) -> Plan:
    """Return the plan of a run.

    When the configuration names no CPUs, workers are pinned to `cpus`: one to each, unless the configuration gives the
    number of workers. Reads DNS and, without a seed, the system's entropy.

    The address of a server that is still to be started has the port 0, unless the configuration gives a port; the
    caller that starts the server replaces the address.

    Raises TargetError when a host's name cannot be resolved, and ConfigError when the password cannot be read.
    """
    connection, workload = config.connection, config.workload
    # 53 random bits, so that every seed is equally likely.
    seed = config.general.seed if config.general.seed is not None else int.from_bytes(os.urandom(8)) >> 11
    # What is mirrored is sent whole to each server, and the plan has the numbers of all.
    times = config.target.servers if config.target.sharding == "mirrored" else 1
    return Plan(
        target=_target(config.target),
        wire=Wire(
            connections=connection.connections,
            pipeline_depth=connection.pipeline_depth,
            batch_size=connection.batch_size or connection.pipeline_depth,
            connect_timeout_ns=connection.connect_timeout,
            request_timeout_ns=connection.request_timeout,
            request_distribution=connection.request_distribution,
            refill=connection.refill,
            life=_life(connection),
            spin=workload.spin,
            longest_backoff_ns=_BACKOFF_UNDER_FAULTS_NS if config.fault else _BACKOFF_NS,
        ),
        workload=Workload(
            keyspace=Keyspace(
                count=workload.keyspace.count,
                length=workload.keyspace.length,
                distribution=workload.keyspace.distribution,
                zipf_exponent=workload.keyspace.zipf_exponent,
                prefix=workload.keyspace.prefix,
                counters=_counters(workload),
            ),
            weights=workload.commands.weights.lowest_terms,
            value_bytes=workload.values.length,
            keys_per_request=_keys_per_request(workload),
            ttl_ns=workload.values.ttl,
            prefill=workload.prefill,
            prefill_timeout_ns=workload.prefill_timeout,
            backfill_on_miss=workload.backfill_on_miss,
        ),
        load=Load(
            warmup_ns=config.general.warmup,
            duration_ns=config.general.duration,
            interval_ns=config.general.interval,
            profile=profile(workload, config.general.duration or MAX_DURATION_NS, times),
            arrival=workload.arrival if workload.arrival and workload.scheduled else "constant",
            requests=times * config.general.requests,
            phases=phases(workload, times),
        ),
        seed=seed,
        workers=_workers(config, seed, cpus),
        history=_history(workload),
    )


def _keys_per_request(workload: schema.Workload) -> int:
    """Return the keys of a request of several; 1 where there is no such request."""
    weights = workload.commands.weights
    return workload.keys_per_request if any(weights[name] for name in OF_SEVERAL_KEYS) else 1


def _counters(workload: schema.Workload) -> int:
    """Return the number of counters; 0 where there are none, or one of each key."""
    counters, weights = workload.keyspace.counters, workload.commands.weights
    sends = any(weights[name] for name in COUNTING)
    return counters if sends and counters is not None and counters < workload.keyspace.count else 0


def _life(connection: schema.Connection) -> Life:
    every = connection.reconnect_every
    return Life(
        connect_rate_per_s=connection.connect_rate,
        keepalive_ns=connection.keepalive,
        nodelay=connection.nodelay,
        source_addresses=connection.source_addresses,
        reconnect_requests=every if isinstance(every, int) else 0,
        reconnect_ns=parse_duration(every) if isinstance(every, str) else 0,
        reconnect_by=connection.reconnect_by,
        idle=connection.idle,
    )


def server_plan(config: Config, name: str) -> ServerPlan | None:
    """Return the plan of the server to start; None without a [target.server].

    `name` is the server's name in outputs; empty takes the program's name. Relative paths are resolved against the
    current folder of this process, as the server is started in another one.
    """
    target, server = config.target, config.target.server
    if server is None:
        return None
    program, *arguments = server.command
    return ServerPlan(
        name=name or Path(program).name,
        # A program without a slash is looked up in PATH; one that begins with a placeholder is no relative path.
        command=(_absolute(program) if "/" in program and not program.startswith("{") else program, *arguments),
        target=_target(target),
        env=tuple(server.env.items()),
        files=tuple(server.files.items()),
        build=server.build,
        build_timeout_ns=server.build_timeout,
        cwd=_absolute(server.cwd) if server.cwd else "",
        ready_timeout_ns=server.ready_timeout,
        stop_timeout_ns=server.stop_timeout,
        cpus=parse_cpu_list(server.cpu_list) if server.cpu_list is not None else (),
        log=_absolute(server.log) if server.log else "",
        log_patterns=server.log_patterns,
        cluster=cluster_plan(config),
    )


def cluster_plan(config: Config) -> ClusterPlan | None:
    """Return the plan of the cluster that the started nodes form; None without a [target.server.cluster]."""
    server = config.target.server
    its = server.cluster if server is not None else None
    return ClusterPlan(its.masters, its.replicas_per_master) if its is not None else None


def _history(workload: schema.Workload) -> KeptHistory | None:
    if workload.history is None:
        return None
    # Not drawn from the seed: a second run with the same seed must not take the first one's values for its own.
    return KeptHistory(_absolute(workload.history), workload.history_keys, int.from_bytes(os.urandom(8)) | 1)


def _absolute(path: str) -> str:
    return str(Path(path).absolute())


def _target(target: schema.Target) -> Target:
    return Target(
        protocol=target.protocol,
        endpoints=_endpoints(target),
        username=target.username,
        password=password(target),
        database=target.database,
        sharding=target.sharding,
        precheck=target.precheck,
        memcache=MemcacheWire(**target.memcache.model_dump()),
        tracking=target.tracking,
        tracking_noloop=target.tracking_noloop,
        discovery=_discovery(target),
        tls=tls_plan(target),
    )


def _discovery(target: schema.Target) -> Discovery | None:
    if not target.finds_nodes:
        return None
    return Discovery(
        target.sentinel_master, Reads(target.read_from), target.sentinel_username, sentinel_password(target)
    )


def _endpoints(target: schema.Target) -> tuple[Endpoint, ...]:
    if target.server is not None:
        return (Endpoint(HOST, target.server.port, HOST),)
    return tuple(lookup(parse_endpoint(text)) for text in target.endpoints)


def _workers(config: Config, seed: int, given: tuple[int, ...]) -> tuple[WorkerPlan, ...]:
    general = config.general
    one_each = given and general.cpu_list is None and "threads" not in general.model_fields_set
    workers = worker_count(len(given) if one_each else general.threads, config)
    cpus = parse_cpu_list(general.cpu_list) if general.cpu_list is not None else given or (None,)
    return worker_plans(
        workers,
        seed=seed,
        cpus=cpus,
        connections=config.connection.connections,
        idle=config.connection.idle,
        servers=config.target.servers,
        keys=config.workload.keyspace.count,
    )


MOST_ADDRESSES = 16
"""The most addresses of a name that are tried: each has an equal part of the connect timeout."""


def lookup(endpoint: Endpoint) -> Endpoint:
    """Return the endpoint with the addresses of its host, by DNS where the host is a name.

    Raises TargetError when the name cannot be resolved, and when there is no socket at the path of a Unix socket.
    """
    if endpoint.path:
        _check_socket(endpoint.path)
        return endpoint
    try:
        found = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        reason = error.strerror if isinstance(error, socket.gaierror) else "it is no name that DNS can carry"
        raise TargetError(
            f"The host {endpoint.host} cannot be resolved ({reason}): check its spelling (-h, or target.endpoints), or "
            "write its numeric address."
        ) from None
    # Caches listen on IPv4 more often than on IPv6: "localhost" means IPv4 first.
    by_family = sorted(found, key=lambda entry: entry[0] != socket.AF_INET)
    address, *others = dict.fromkeys(_numeric(entry[4]) for entry in by_family)
    return replace(endpoint, address=address, others=tuple(others[: MOST_ADDRESSES - 1]))


def _numeric(address: tuple[Any, ...]) -> str:
    scope = f"%{address[3]}" if len(address) == 4 and address[3] else ""
    return f"{address[0]}{scope}"


def _check_socket(path: str) -> None:
    try:
        mode = Path(path).stat().st_mode
    except OSError as error:
        raise TargetError(
            f"There is no Unix socket at {path} ({error.strerror}): start the server, or correct the path (-s, or "
            "target.endpoints)."
        ) from None
    if not stat.S_ISSOCK(mode):
        found = "a folder" if stat.S_ISDIR(mode) else "a file"
        raise TargetError(
            f"{path} is {found} and no Unix socket: correct the path (-s, or target.endpoints), or the server's "
            "unixsocket."
        )
