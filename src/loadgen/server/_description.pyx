"""The built-in server's description of itself. Sources: the replies of redis-server 7.0 to COMMAND, CONFIG and INFO."""

import os

from libc.stdint cimport int64_t

from loadgen.server._connection cimport Service
from loadgen.server._resp cimport MAX_BULK_BYTES
from loadgen.server._store cimport Store

cdef str REDIS_VERSION = "7.0.0"

cdef tuple COMMAND_TABLE = (
    ("get", 2, "readonly fast", 1, 1, "string", "Returns the value of a key."),
    ("set", -3, "write denyoom", 1, 1, "string", "Sets the value of a key."),
    ("del", -2, "write", 1, -1, "generic", "Deletes keys."),
    ("ping", -1, "fast", 0, 0, "connection", "Answers PONG, or the message."),
    ("psetex", 4, "write denyoom", 1, 1, "string", "Sets the value of a key and its time to live in milliseconds."),
    ("unlink", -2, "write fast", 1, -1, "generic", "Deletes keys."),
    ("exists", -2, "readonly fast", 1, -1, "generic", "Counts the keys that exist."),
    ("mget", -2, "readonly fast", 1, -1, "string", "Returns the values of keys."),
    ("mset", -3, "write denyoom", 1, -1, "string", "Sets the values of keys."),
    ("incr", 2, "write denyoom fast", 1, 1, "string", "Adds 1 to a number, from 0 on."),
    ("expire", -3, "write fast", 1, 1, "generic", "Sets a key's time to live in seconds."),
    ("pexpire", -3, "write fast", 1, 1, "generic", "Sets a key's time to live in milliseconds."),
    ("ttl", 2, "readonly fast", 1, 1, "generic", "Returns a key's time to live in seconds."),
    ("pttl", 2, "readonly fast", 1, 1, "generic", "Returns a key's time to live in milliseconds."),
    ("persist", 2, "write fast", 1, 1, "generic", "Takes a key's time to live away."),
    ("echo", 2, "fast", 0, 0, "connection", "Answers the message."),
    ("hello", -1, "fast", 0, 0, "connection", "Chooses the protocol's version."),
    ("auth", -2, "fast", 0, 0, "connection", "Authenticates; there is no password to give."),
    ("select", 2, "fast", 0, 0, "connection", "Chooses the database; there is only 0."),
    ("client", -2, "", 0, 0, "connection", "SETNAME, GETNAME, SETINFO, ID, LIST, INFO, NO-EVICT, REPLY ON."),
    ("quit", -1, "fast", 0, 0, "connection", "Answers OK and closes the connection."),
    ("reset", 1, "fast", 0, 0, "connection", "Resets the connection's name and protocol."),
    ("info", -1, "", 0, 0, "server", "Describes the server and its counts."),
    ("config", -2, "admin", 0, 0, "server", "GET and RESETSTAT."),
    ("command", -1, "", 0, 0, "server", "Describes the commands: COUNT, DOCS, INFO, LIST."),
    ("dbsize", 1, "readonly fast", 0, 0, "server", "Counts the keys."),
    ("flushall", -1, "write", 0, 0, "server", "Removes every key."),
    ("flushdb", -1, "write", 0, 0, "server", "Removes every key."),
    ("time", 1, "fast", 0, 0, "server", "Returns the server's time."),
    ("shutdown", -1, "admin", 0, 0, "server", "Ends the server."),
)

cdef dict COMMAND_NUMBERS = {name.upper().encode(): number for number, (name, *_) in enumerate(COMMAND_TABLE)}
cdef frozenset DATA_COMMANDS = frozenset(
    number
    for number, (name, _, _, _, _, group, _) in enumerate(COMMAND_TABLE)
    if group in ("string", "generic") or name in ("ping", "echo")
)
assert list(COMMAND_NUMBERS)[:4] == [b"GET", b"SET", b"DEL", b"PING"], "the .pxd numbers them so"


cdef list command_entry(tuple row):
    if row is None:
        return None
    name, arity, flags, first, last, _, _ = row
    none = frozenset()
    step = 2 if name == "mset" else 1 if first else 0
    return [name.encode(), arity, frozenset(flags.split()), first, last, step, none, [], [], []]


cdef dict config_values(Service service):
    return {
        "appendonly": "no",
        "bind": service.host,
        "databases": "1",
        "io-threads": "1",
        "maxmemory": str(service.store.max_bytes),
        "maxmemory-policy": _policy(service.store),
        "port": str(service.port),
        "proto-max-bulk-len": str(MAX_BULK_BYTES),
        "save": "",
        "timeout": "0",
    }


cdef str _policy(Store store):
    return "noeviction" if store.eviction == "noeviction" else f"allkeys-{store.eviction}"


cdef bytes info_text(Service service, set wanted):
    wanted = wanted or {"default"}
    everything = bool(wanted & {"all", "everything"})
    sections = []
    for name, fields in _INFO.items():
        if everything or name.lower() in wanted or ("default" in wanted and name != "Commandstats"):
            lines = [f"{field}:{value}" for field, value in fields(service)]
            sections.append("\r\n".join([f"# {name}", *lines, ""]))
    return "\r\n".join(sections).encode()


def _info_server(Service service):
    uptime = (service.time.now_ns() - service.started_ns) // 1_000_000_000
    return [
        ("redis_version", REDIS_VERSION),
        ("redis_mode", "standalone"),
        ("loadgen_version", service.version),
        ("process_id", os.getpid()),
        ("tcp_port", service.port),
        ("uptime_in_seconds", uptime),
        ("uptime_in_days", uptime // 86400),
    ]


def _info_clients(Service service):
    return [("connected_clients", len(service.connections)), ("blocked_clients", 0)]


def _info_memory(Service service):
    cdef Store store = service.store
    return [
        ("used_memory", store.used_bytes),
        ("used_memory_human", f"{store.used_bytes / 2**20:.2f}M"),
        ("maxmemory", store.max_bytes),
        ("maxmemory_human", f"{store.max_bytes / 2**20:.2f}M"),
        ("maxmemory_policy", _policy(store)),
    ]


def _info_persistence(Service service):
    return [("loading", 0)]


def _info_stats(Service service):
    cdef int64_t calls = 0, hits = 0, misses = 0
    cdef int number
    for number in range(len(COMMAND_TABLE)):
        calls += service.calls[number]
        hits += service.hits[number]
        misses += service.misses[number]
    return [
        ("total_connections_received", service.connections_total),
        ("total_commands_processed", calls),
        ("total_net_input_bytes", service.bytes_read),
        ("total_net_output_bytes", service.bytes_written),
        ("expired_keys", service.store.expired),
        ("evicted_keys", service.store.evicted),
        ("keyspace_hits", hits),
        ("keyspace_misses", misses),
    ]


def _info_replication(Service service):
    return [("role", "master"), ("connected_slaves", 0)]


def _info_commandstats(Service service):
    # The server does not time its commands: a clock reading costs more than most of them.
    return [
        (
            f"cmdstat_{row[0]}",
            f"calls={service.calls[<int>number]},usec=0,usec_per_call=0.00,"
            f"rejected_calls={service.rejected[<int>number]},failed_calls={service.failed[<int>number]}",
        )
        for number, row in enumerate(COMMAND_TABLE)
        if service.calls[<int>number] or service.rejected[<int>number]
    ]


def _info_keyspace(Service service):
    cdef Store store = service.store
    if store.items == 0:
        return []
    return [("db0", f"keys={store.items},expires={store.items_with_expiry},avg_ttl=0")]


_INFO = {
    "Server": _info_server,
    "Clients": _info_clients,
    "Memory": _info_memory,
    "Persistence": _info_persistence,
    "Stats": _info_stats,
    "Replication": _info_replication,
    "Commandstats": _info_commandstats,
    "Keyspace": _info_keyspace,
}
