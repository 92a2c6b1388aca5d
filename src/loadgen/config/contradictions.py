"""The rules between keys, and between keys and this machine. Each rule yields Problems that name the keys involved.

Each key has passed its own checks before, or has its default. Which keys the user gave is not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from loadgen.command import MIXED, READING
from loadgen.config import command_contradictions, connection_life, managed_cluster
from loadgen.config.document.problem import Problem
from loadgen.config.memcache_contradictions import memcache_contradictions
from loadgen.config.tables.cpu_list import absent_cpus, parse_cpu_list
from loadgen.config.tables.objectives import GetSlo
from loadgen.config.tables.phase import MAX_SEGMENTS
from loadgen.config.tables.refused import ProblemCode
from loadgen.config.tables.schema import Config, Keyspace
from loadgen.config.tables.server import has
from loadgen.config.tables.table import Path
from loadgen.config.told.monitors import series
from loadgen.config.told.profile import most_segments
from loadgen.config.told.tls import tls_plan
from loadgen.engine._history import MARK_BYTES
from loadgen.engine._sharding import route
from loadgen.errors import ConfigError
from loadgen.faults.fault import Layer
from loadgen.faults.kinds import kind_named
from loadgen.judge.check import mistakes
from loadgen.judge.run_metrics import vocabulary
from loadgen.protocol import PROTOCOLS, Wire
from loadgen.server_address import parse_endpoint
from loadgen.tls import mistakes as mistakes_of_tls
from loadgen.units import MAX_DURATION_NS, format_duration

FEW_KEYS = 2**12
"""The number of keys to try first: servers that each own one of so few keys own one of any larger number too."""

_PROTOCOL = ("target", "protocol")
_USERNAME = ("target", "username")
_PASSWORD = ("target", "password")
_CLUSTER = ("target", "cluster")
_SENTINEL = ("target", "sentinel_master")
_READ_FROM = ("target", "read_from")
_PASSWORD_ENV = ("target", "password_env")
_PASSWORD_FILE = ("target", "password_file")
_DATABASE = ("target", "database")
_PRECHECK = ("target", "precheck")
_ENDPOINTS = ("target", "endpoints")
_SHARDING = ("target", "sharding")
_SERVER = ("target", "server")
_CONNECTIONS = ("connection", "connections")
_PREFILL = ("workload", "prefill")
_BACKFILL = ("workload", "backfill_on_miss")
_COMMANDS = ("workload", "commands")
_KEY_LENGTH = ("workload", "keyspace", "length")
_KEY_PREFIX = ("workload", "keyspace", "prefix")
_KEY_COUNT = ("workload", "keyspace", "count")
_VALUE_LENGTH = ("workload", "values", "length")
_TTL = ("workload", "values", "ttl")
_HISTORY = ("workload", "history")
_SEARCH = ("workload", "saturation_search")
_RATE_LIMIT = ("workload", "rate_limit")
_PHASE = ("workload", "phase")
_FAULT = ("fault",)


def contradictions(config: Config) -> Iterator[Problem]:
    """Yield every contradiction in the configuration."""
    for rule in _RULES:
        yield from rule(config)
    yield from memcache_contradictions(config)


def _cpus_exist(config: Config) -> Iterator[Problem]:
    server = config.target.server
    for table, cpus in ((("general",), config.general.cpu_list), (_SERVER, server.cpu_list if server else None)):
        if cpus is not None and (absent := absent_cpus(parse_cpu_list(cpus))):
            listed = ", ".join(map(str, absent[:8])) + (", …" if len(absent) > 8 else "")
            yield Problem(
                ((*table, "cpu_list"),),
                ProblemCode.ABSENT_CPU,
                f"names CPU {listed}, which this machine does not have; name CPUs that it has",
            )


def _one_server_or_endpoints(config: Config) -> Iterator[Problem]:
    if config.target.server is not None and config.target.endpoints:
        yield Problem(
            (_ENDPOINTS, _SERVER),
            ProblemCode.TWO_TARGETS,
            "names servers that are there, and [target.server] describes one to be started; keep one of them",
        )


def _server_is_told_its_port(config: Config) -> Iterator[Problem]:
    server = config.target.server
    if server is not None and not server.port and not has("{port}", server) and not has("{socket}", server):
        yield Problem(
            ((*_SERVER, "command"), (*_SERVER, "port")),
            ProblemCode.NO_PORT,
            "does not tell the server its port; write {port} where the program takes it, {socket} for a Unix "
            "socket, or set target.server.port to the one it listens on anyway",
        )


def _a_user_has_a_password(config: Config) -> Iterator[Problem]:
    target = config.target
    if target.database and PROTOCOLS[target.protocol].wire is not Wire.RESP:
        yield Problem(
            (_DATABASE, _PROTOCOL),
            ProblemCode.RESP_ONLY,
            "is for RESP only; leave it out with memcache, which has no databases",
        )
    if target.username and not target.has_password:
        yield Problem(
            (_USERNAME, _PASSWORD),
            ProblemCode.NO_PASSWORD,
            "needs a password; add password, of any text where the server asks this user for none",
        )


def _passwords(config: Config) -> list[tuple[Path, str | None]]:
    target = config.target
    return [
        (_PASSWORD, target.password),
        (_PASSWORD_ENV, target.password_env),
        (_PASSWORD_FILE, target.password_file),
    ]


def _one_password(config: Config) -> Iterator[Problem]:
    given = [path for path, value in _passwords(config) if value]
    if len(given) > 1:
        yield Problem(
            tuple(given),
            ProblemCode.TWO_PASSWORDS,
            "gives a second password; keep one of password, password_env and password_file",
        )


def _nodes_are_found_one_way(config: Config) -> Iterator[Problem]:
    target = config.target
    if target.finds_nodes and PROTOCOLS[target.protocol].wire is not Wire.RESP:
        yield Problem(
            (_SENTINEL if target.sentinel_master else _CLUSTER, _PROTOCOL),
            ProblemCode.RESP_ONLY,
            "is for Redis and its forks; leave it out with memcache, or write protocol resp",
        )
    if target.cluster and target.sentinel_master:
        yield Problem(
            (_SENTINEL, _CLUSTER),
            ProblemCode.TWO_TARGETS,
            "names a master that sentinels watch, and cluster = true nodes of a cluster; keep one of them",
        )
    if target.cluster and target.database:
        yield Problem(
            (_DATABASE, _CLUSTER), ProblemCode.WITHOUT_EFFECT, "must be 0 in a cluster, which has no other database"
        )
    if target.finds_nodes and target.sharding != "ketama":
        yield Problem(
            (_SHARDING, _SENTINEL if target.sentinel_master else _CLUSTER),
            ProblemCode.WITHOUT_EFFECT,
            "has no effect where nodes say themselves which keys they have; leave it out",
        )
    if target.read_from != "primary" and not target.finds_nodes:
        yield Problem(
            (_READ_FROM,),
            ProblemCode.WITHOUT_EFFECT,
            "has no effect on servers without replicas; write cluster = true or sentinel_master, or leave it out",
        )
    if target.sentinel_username and not target.sentinel_password_env:
        yield Problem(
            (("target", "sentinel_username"),),
            ProblemCode.NO_PASSWORD,
            "needs a password; name the variable that has it in sentinel_password_env",
        )


def _tls_can_be_used(config: Config) -> Iterator[Problem]:
    target = config.target
    if not target.tls:
        return
    if target.tls_cert is None:
        for key, value in (("tls_key", target.tls_key), ("tls_key_password_env", target.tls_key_password_env)):
            if value is not None:
                yield Problem(
                    (("target", key),),
                    ProblemCode.NO_CERTIFICATE,
                    "belongs to a client's certificate; name that by tls_cert",
                )
        # The remaining keys are looked at without the password of a key.
        target = target.model_copy(update={"tls_key": None, "tls_key_password_env": None})
    try:
        plan = tls_plan(target)
    except ConfigError:
        # The loader reports the variable that is not set when it reads passwords.
        return
    for mistake in mistakes_of_tls(plan) if plan is not None else ():
        yield Problem((("target", f"tls_{mistake.field}"),), ProblemCode.TLS_UNUSABLE, mistake.words)


def _only_resp_knows_hello(config: Config) -> Iterator[Problem]:
    if config.target.precheck == "hello" and not PROTOCOLS[config.target.protocol].knows_hello:
        yield Problem(
            (_PRECHECK, _PROTOCOL),
            ProblemCode.RESP_ONLY,
            'is "hello", which memcache does not have; write "ping", which asks for its version',
        )


def _every_endpoint_gets_a_connection(config: Config) -> Iterator[Problem]:
    connections, endpoints = config.connection.connections, config.target.servers
    if connections < endpoints:
        yield Problem(
            (_CONNECTIONS, _ENDPOINTS),
            ProblemCode.FEW_CONNECTIONS,
            f"{connections} {'connection' if connections == 1 else 'connections'} cannot reach {endpoints} endpoints; "
            f"set connection.connections to at least {endpoints}, or name fewer in target.endpoints",
        )


def _ids_fit_keys(config: Config) -> Iterator[Problem]:
    keyspace = config.workload.keyspace
    digits, prefix = keyspace.id_length, len(keyspace.prefix)
    if digits < 1:
        yield Problem(
            (_KEY_LENGTH, _KEY_PREFIX),
            ProblemCode.KEYS_DO_NOT_FIT,
            f"{keyspace.length} characters leave none for a key's id after a prefix of {prefix}; "
            f"set workload.keyspace.length to at least {prefix + len(f'{keyspace.count - 1:x}')}",
        )
    elif not _ids_fit(keyspace):
        needed = prefix + len(f"{keyspace.count - 1:x}")
        after = " after the prefix" if prefix else ""
        yield Problem(
            (_KEY_COUNT, _KEY_LENGTH),
            ProblemCode.KEYS_DO_NOT_FIT,
            f"{keyspace.count} keys do not fit in {digits} hex digits{after}; "
            f"set workload.keyspace.length to at least {needed}, or count to at most {16**digits}",
        )


def _ids_fit(keyspace: Keyspace) -> bool:
    # From 16 hex digits on, any 64-bit count fits.
    digits = keyspace.id_length
    return digits >= 16 or (digits > 0 and keyspace.count <= 16**digits)


def _every_server_owns_a_key(config: Config) -> Iterator[Problem]:
    keyspace = config.workload.keyspace
    if config.target.servers == 1 or not _ids_fit(keyspace):
        return
    # The names on ketama's circle, which differ from the configured text where a port has leading zeros.
    servers = [str(parse_endpoint(text)) for text in config.target.endpoints]
    for count in sorted({min(keyspace.count, FEW_KEYS), keyspace.count}):
        try:
            route(config.target.sharding, servers, keyspace.length, count, keyspace.prefix.encode())
        except ValueError as error:
            problem = Problem(
                (_KEY_COUNT, _ENDPOINTS),
                ProblemCode.SERVER_WITHOUT_KEYS,
                f"{error}; set workload.keyspace.count higher, or name fewer servers in target.endpoints",
            )
        else:
            return
    yield problem


def _protocol_takes_the_key(config: Config) -> Iterator[Problem]:
    length, protocol = config.workload.keyspace.length, PROTOCOLS[config.target.protocol]
    if protocol.longest_key is not None and length > protocol.longest_key:
        yield Problem(
            (_KEY_LENGTH, _PROTOCOL),
            ProblemCode.PROTOCOL_LIMIT,
            f"must be at most {protocol.longest_key} on {protocol.name}, not {length}",
        )


def _protocol_takes_the_value(config: Config) -> Iterator[Problem]:
    length = config.workload.values.length
    limit = PROTOCOLS[config.target.protocol].longest_value
    if length > limit:
        yield Problem(
            (_VALUE_LENGTH, _PROTOCOL),
            ProblemCode.PROTOCOL_LIMIT,
            f"must be at most {limit} bytes on {config.target.protocol}, not {length}",
        )


def _protocol_takes_the_time_to_live(config: Config) -> Iterator[Problem]:
    ttl_ns, unit_ns = config.workload.values.ttl, PROTOCOLS[config.target.protocol].ttl_unit_ns
    if ttl_ns % unit_ns:
        yield Problem(
            (_TTL, _PROTOCOL),
            ProblemCode.PROTOCOL_LIMIT,
            f"must be a multiple of {format_duration(unit_ns)} on {config.target.protocol}, not "
            f"{format_duration(ttl_ns)}",
        )


def _some_command_has_weight(config: Config) -> Iterator[Problem]:
    if not any(config.workload.commands.weights.values()):
        yield Problem(
            (_COMMANDS,),
            ProblemCode.NOTHING_TO_SEND,
            "every weight is 0, so there is nothing to send; "
            f"give one of {', '.join(MIXED[:-1])} and {MIXED[-1]} a weight",
        )


def _ping_has_no_keys(config: Config) -> Iterator[Problem]:
    if not PROTOCOLS[config.target.protocol].has_keys:
        for path, wanted in ((_PREFILL, config.workload.prefill), (_BACKFILL, config.workload.backfill_on_miss)):
            if wanted:
                yield Problem(
                    (path, _PROTOCOL),
                    ProblemCode.NO_KEYS,
                    'writes keys, and the protocol "ping" has none; set it to false, or the protocol to "resp"',
                )


def _history_knows_values(config: Config) -> Iterator[Problem]:
    if config.workload.history is None:
        return
    if not PROTOCOLS[config.target.protocol].has_keys:
        yield Problem(
            (_HISTORY, _PROTOCOL),
            ProblemCode.NO_KEYS,
            'is of values under keys, and the protocol "ping" has none; leave it out, or set the protocol to "resp"',
        )
    elif config.target.servers > 1 and config.target.sharding in ("roundrobin", "mirrored"):
        yield Problem(
            (_HISTORY, _SHARDING),
            ProblemCode.NO_KEYS,
            f'is of one value under each key, and "{config.target.sharding}" has each key on every server; leave the '
            'history out, or set target.sharding to "ketama" or "jump"',
        )
    elif config.workload.values.ttl:
        yield Problem(
            (_TTL, _HISTORY),
            ProblemCode.EXPIRES,
            "lets keys expire, and the laws of a history know no time to live; leave out one of them",
        )
    elif config.workload.values.length < MARK_BYTES:
        yield Problem(
            (_VALUE_LENGTH, _HISTORY),
            ProblemCode.TOO_SMALL,
            f"must be at least {MARK_BYTES} with a history, whose values begin with {MARK_BYTES} bytes that name their "
            f"write, not {config.workload.values.length}",
        )


def _search_can_climb(config: Config) -> Iterator[Problem]:
    search = config.workload.saturation_search
    if search is not None and search.start_rate > search.max_rate:
        yield Problem(
            ((*_SEARCH, "start_rate"), (*_SEARCH, "max_rate")),
            ProblemCode.START_ABOVE_MAX,
            f"the search would start at {search.start_rate:g}/s, above max_rate, {search.max_rate:g}/s; swap them",
        )


def _one_thing_sets_the_rate(config: Config) -> Iterator[Problem]:
    if config.workload.rate_limit and config.workload.phase:
        yield Problem(
            (_RATE_LIMIT, _PHASE),
            ProblemCode.TWO_RATES,
            "workload.rate_limit and workload.phase both set the rate; set rate_limit to 0, or leave the phases out",
        )


def _phases_send_something(config: Config) -> Iterator[Problem]:
    phases = config.workload.phase
    if phases and not any(rate for phase in phases for rate in phase.rates):
        yield Problem(
            (_PHASE,), ProblemCode.NOTHING_TO_SEND, "every rate is 0, so there is nothing to send; give a phase a rate"
        )


def _phases_fit_a_plan(config: Config) -> Iterator[Problem]:
    phases = config.workload.phase
    if sum(phase.lasts for phase in phases) > MAX_DURATION_NS:
        yield Problem(
            (_PHASE,), ProblemCode.TOO_LONG, "the phases last longer than 100 years in all; make them shorter"
        )
    made = [most_segments(phase) for phase in phases]
    if (total := sum(made)) > MAX_SEGMENTS:
        worst = made.index(max(made))
        yield Problem(
            ((*_PHASE, worst), _PHASE),
            ProblemCode.MANY_SEGMENTS,
            f"the phases come to {total} stretches of one rate, and this one to {made[worst]} of them; "
            f"make its period longer, or its steps fewer, for at most {MAX_SEGMENTS}",
        )


def _objectives_can_be_judged(config: Config) -> Iterator[Problem]:
    """Yield each objective without requests to judge: a verdict that left it out would look like a yes."""
    slo, weights, ping = config.slo, config.workload.commands.weights, not PROTOCOLS[config.target.protocol].has_keys
    for command, table in slo.by_command() if slo is not None else ():
        if command and ping:
            yield Problem(
                (("slo", command), _PROTOCOL),
                ProblemCode.NEVER_JUDGED,
                f'can never be judged, as the protocol "ping" sends no {command}; write its objectives in [slo]',
            )
        elif command and weights[command] == 0:
            yield Problem(
                (("slo", command), (*_COMMANDS, command)),
                ProblemCode.NEVER_JUDGED,
                f"can never be judged, as workload.commands.{command} is 0; leave it out, or give {command} a weight",
            )
        elif (
            isinstance(table, GetSlo)
            and table.hit_rate_min is not None
            and (ping or not any(weights[name] for name in READING))
        ):
            yield Problem(
                (("slo", "hit_rate_min"), (*_COMMANDS, READING[0])),
                ProblemCode.NEVER_JUDGED,
                f"can never be judged, as no {' and no '.join(map(str.upper, READING))} is sent; leave it out, or give "
                f"{READING[0]} a weight",
            )


def _faults_come_in_the_window(config: Config) -> Iterator[Problem]:
    """Yield each fault that has no node, or no time, in the measurement."""
    nodes, window = config.target.servers, config.general.duration
    for index, fault in enumerate(config.fault):
        path = ("fault", index)
        # The nodes that are found later are counted then; `managed_cluster` knows those that are started.
        numbers = [node for node in fault.on if isinstance(node, int)]
        if not config.target.finds_nodes and (beyond := [node for node in numbers if node > nodes]):
            there = f"there {'is 1 node' if nodes == 1 else f'are {nodes} nodes'}"
            yield Problem(
                ((*path, "on"), _ENDPOINTS),
                ProblemCode.NO_NODE,
                f"{there}, and no node {beyond[0]}; name nodes that target.endpoints has, or [target.server]",
            )
        last = fault.at + (fault.times - 1) * fault.every + (len(fault.on or range(nodes)) - 1) * fault.stagger
        if window and last >= window:
            yield Problem(
                ((*path, "at"), ("general", "duration")),
                ProblemCode.NEVER_BEGINS,
                f"the fault would begin after {format_duration(last)}, and the measurement lasts "
                f"{format_duration(window)}; let it begin sooner, or make general.duration longer",
            )


def _faults_of_the_network_need_one(config: Config) -> Iterator[Problem]:
    """Yield each fault of packets or of a proxy on a server that is reached by a Unix socket."""
    server = config.target.server
    if server is not None and has("{socket}", server):
        named: Path = (*_SERVER, "command")
    elif any(parse_endpoint(text).path for text in config.target.endpoints):
        named = _ENDPOINTS
    else:
        return
    for index, fault in enumerate(config.fault):
        kind = kind_named(fault.kind)
        if kind is not None and kind.layer in (Layer.NET, Layer.PROXY):
            yield Problem(
                (("fault", index, "kind"), named),
                ProblemCode.NO_NODE,
                f"{fault.kind} is a fault of the network, and a Unix socket has none; have the server listen on a port",
            )


def _faults_need_a_length_of_time(config: Config) -> Iterator[Problem]:
    if not config.fault:
        return
    if config.general.requests:
        yield Problem(
            (_FAULT, ("general", "requests")),
            ProblemCode.NO_KNOWN_LENGTH,
            "a measurement of a number of requests may be over before a fault begins; set general.duration instead of "
            "general.requests",
        )
    if config.workload.saturation_search is not None:
        yield Problem(
            (_FAULT, _SEARCH),
            ProblemCode.FAULTS_IN_A_SEARCH,
            "a search looks for the highest rate of servers without faults; leave out the faults, or the search",
        )


def _monitors_have_names_of_their_own(config: Config) -> Iterator[Problem]:
    taken = dict[str, int]()
    for index, monitor in enumerate(config.monitor):
        first = taken.setdefault(monitor.called, index)
        if first != index:
            key = "name" if monitor.name is not None else "kind"
            yield Problem(
                (("monitor", index, key), ("monitor", first)),
                ProblemCode.TWICE,
                f'there are two monitors named "{monitor.called}"; give this one another name, such as '
                f'name = "{monitor.called}_2"',
            )


def _monitors_speak_the_servers_protocol(config: Config) -> Iterator[Problem]:
    """Yield each monitor that reads the server under load in a protocol which that server does not speak."""
    protocol = config.target.protocol
    for index, monitor in enumerate(config.monitor):
        wire = _SPOKEN.get(monitor.kind)
        if wire is not None and monitor.server is None and PROTOCOLS[protocol].wire is not wire:
            yield Problem(
                (("monitor", index, "kind"), _PROTOCOL),
                ProblemCode.NO_SERVER,
                f'a monitor of the kind "{monitor.kind}" cannot read the server under load, whose protocol is '
                f'"{protocol}"; write server = "HOST:PORT" in [[monitor]], or another kind',
            )


_SPOKEN = {"redis": Wire.RESP, "memcached": Wire.MEMCACHE}


def _checks_can_be_judged(config: Config) -> Iterator[Problem]:
    """Yield everything that is wrong in the text of a check, by the names that a run of this configuration has."""
    if not config.check:
        return
    if config.workload.saturation_search is not None:
        yield Problem(
            (("check",), _SEARCH),
            ProblemCode.NEVER_JUDGED,
            "a search judges rates by the percentiles of [slo] only; leave out the checks, or the search",
        )
        return
    names = vocabulary(
        nodes=None if config.target.cluster or config.target.sentinel_master else config.target.servers,
        phases=len(config.workload.phase),
        has_keys=PROTOCOLS[config.target.protocol].has_keys,
        has_faults=bool(config.fault),
        is_watched=config.target.server is not None,
        monitors=series(config.monitor),
    )
    for index, check in enumerate(config.check):
        for wrong in mistakes(check.expr, names):
            code = ProblemCode.UNKNOWN_NAME if wrong.is_unknown else ProblemCode.NO_CONDITION
            # The name may be that of a monitor which was left out, as something else is wrong with it.
            also = (("monitor",),) if wrong.is_unknown else ()
            yield Problem((("check", index, "expr"), *also), code, str(wrong))


_RULES: tuple[Callable[[Config], Iterator[Problem]], ...] = (
    _cpus_exist,
    _one_server_or_endpoints,
    _server_is_told_its_port,
    _a_user_has_a_password,
    _one_password,
    _only_resp_knows_hello,
    _nodes_are_found_one_way,
    _tls_can_be_used,
    _every_endpoint_gets_a_connection,
    _ids_fit_keys,
    _protocol_takes_the_key,
    _protocol_takes_the_value,
    _protocol_takes_the_time_to_live,
    _some_command_has_weight,
    _ping_has_no_keys,
    _history_knows_values,
    _search_can_climb,
    _every_server_owns_a_key,
    _one_thing_sets_the_rate,
    _phases_send_something,
    _phases_fit_a_plan,
    _objectives_can_be_judged,
    _faults_come_in_the_window,
    _faults_of_the_network_need_one,
    _faults_need_a_length_of_time,
    _monitors_have_names_of_their_own,
    _monitors_speak_the_servers_protocol,
    _checks_can_be_judged,
    *connection_life.RULES,
    *managed_cluster.RULES,
    *command_contradictions.RULES,
)
