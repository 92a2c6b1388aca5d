"""The properties, a row each: the invariants of upstream's specification, and those of memcache servers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from loadgen.protocol import Wire
from loadgen.verify.grammar.arguments import KEYS, SOON_MS, SOON_WAIT_MS
from loadgen.verify.grammar.groups import GROUPS, Group, rows
from loadgen.verify.grammar.memcache import MEMCACHE_GROUPS, MemcacheArguments
from loadgen.verify.kinds import laws
from loadgen.verify.kinds.property import Property, State
from loadgen.verify.model.memcache import EXISTS, STORED, number
from loadgen.verify.reply import Error, Null
from loadgen.verify.step import Step
from loadgen.verify.subject.subject import Restart

_ROUNDTRIP = """
8 SET key value
10 GET key
2 MSET key_value+
2 MGET key+
2 GETSET key value
2 APPEND key value
2 STRLEN key
2 GETRANGE key index index
2 SETRANGE key offset value
1 DEL key
"""

_INCREMENTS = """
10 INCR key
4 INCRBY key step
4 GET key
1 SET key step
1 DEL key
"""

_LIST_ORDER = """
8 RPUSH key member+
6 LPUSH key member+
8 LRANGE key index index
3 LINSERT key where member member
3 LSET key index member
3 LPOP key
3 RPOP key
3 LMOVE key key side side
3 LREM key count member
2 LTRIM key index index
"""

_EXPIRES = """
6 SET key value
4 PEXPIRE key soon
2 PSETEX key soon value
3 GET key
3 EXISTS key+
2 PERSIST key
2 PTTL key
1 EXPIRE key seconds
1 RPUSH key member+
1 INCR key
1 RENAME key key
"""

_TIME_LEFT = """
6 PTTL key
6 EXPIRE key seconds
3 SET key value set_expiry
3 PEXPIRE key milliseconds
2 TTL key
2 GET key
2 PERSIST key
1 EXPIREAT key unix_seconds
1 SET key value
"""

_STREAM_ORDER = """
10 XADD one_of_two new_id field_value+
6 XRANGE one_of_two id_end id_end xcount?
6 XGROUP CREATE one_of_two group after_id MKSTREAM
10 XREADGROUP GROUP group consumer STREAMS one_of_two read_id
6 XACK one_of_two group last_ids
2 XPENDING one_of_two group
2 XREVRANGE one_of_two id_end id_end
2 XREAD xcount STREAMS one_of_two after_id
2 XDEL one_of_two old_id+
1 XTRIM one_of_two trim
"""

_APPENDS = """
8 append key flags exptime value
8 get key+
6 prepend key flags exptime value
4 set key flags exptime value
1 delete key
"""

_EXPTIMES = """
6 set key flags exptime value
6 get key+
3 touch key exptime
3 gat exptime key+
2 add key flags exptime value
1 delete key
"""

_DATA = ("strings", "lists", "hashes", "sets", "sorted_sets", "keys", "streams")
_EVERYTHING = Group("everything", tuple(row for name in _DATA for row in GROUPS[name].rows))
"""The commands of all types, for the state after a restart."""


def _without_nesting(steps: Sequence[Step]) -> list[Step]:
    """Return steps without MULTI and WATCH inside a transaction, which make EXEC fail in Valkey 8.1 only."""
    open_on, kept = set[int](), []
    for step in steps:
        name = step.command[0]
        if name in (b"MULTI", b"WATCH") and step.connection in open_on:
            continue
        if name == b"MULTI":
            open_on.add(step.connection)
        elif name in (b"EXEC", b"DISCARD"):
            open_on.discard(step.connection)
        kept.append(step)
    return kept


def _memcache(name: str, text: str) -> Group:
    return Group(name, rows(text), arguments=MemcacheArguments)


_WRONG_TYPE: State = (
    "a command met a value of another type",
    lambda step, reply: isinstance(reply, Error) and reply.code == b"WRONGTYPE",
)
_TRANSACTIONS: tuple[State, ...] = (
    ("a transaction was carried out", lambda step, reply: step.command == (b"EXEC",) and isinstance(reply, tuple)),
    ("a watched key had changed", lambda step, reply: step.command == (b"EXEC",) and isinstance(reply, Null)),
    ("a transaction was refused", lambda step, reply: isinstance(reply, Error) and reply.code == b"EXECABORT"),
)
_GROUPS: tuple[State, ...] = (
    (
        "an entry was delivered to a consumer",
        lambda step, reply: step.command[0] == b"XREADGROUP" and step.command[-1] == b">" and isinstance(reply, tuple),
    ),
    ("an entry was acknowledged", lambda step, reply: step.command[0] == b"XACK" and reply == 1),
)
_CAS: tuple[State, ...] = (
    ("a cas was stored", lambda step, reply: step.command[0] == b"cas" and reply == STORED),
    ("a cas came too late", lambda step, reply: step.command[0] == b"cas" and reply == EXISTS),
)
_COUNTERS: tuple[State, ...] = (
    (
        "an incr went over 2^64",
        lambda step, reply: (
            step.command[0] == b"incr" and isinstance(reply, int) and reply < (number(step.command[2]) or 0)
        ),
    ),
    (
        "a decr stopped at 0",
        lambda step, reply: step.command[0] == b"decr" and reply == 0 and number(step.command[2]) != 0,
    ),
)
# A write of every case, without which there would be nothing to lose.
_A_WRITE = (((b"SET", KEYS[0], b"a"), 0),)

_ROWS = (
    Property(
        "set_get_roundtrip",
        "GET returns what SET stored",
        Group("roundtrip", rows(_ROUNDTRIP)),
        needs=(b"SET", b"GET"),
        law=laws.reads_what_was_written,
    ),
    Property(
        "incr_is_monotonic",
        "each increment of a counter answers more than the one before",
        Group("increments", rows(_INCREMENTS)),
        needs=(b"INCR",),
        law=laws.increments_grow,
    ),
    Property(
        "list_order_preserved",
        "a list has its elements in the order in which they were pushed",
        Group("list order", rows(_LIST_ORDER)),
        needs=(b"RPUSH", b"LPUSH", b"LRANGE"),
    ),
    Property(
        "hash_fields_unique",
        "a hash has each field once, with the value that was set last",
        GROUPS["hashes"],
        needs=(b"HSET", b"HGETALL"),
        law=laws.no_field_twice,
        states=(_WRONG_TYPE,),
    ),
    Property(
        "set_members_unique",
        "a set has each member once, and its algebra is that of sets",
        GROUPS["sets"],
        needs=(b"SADD", b"SMEMBERS"),
    ),
    Property(
        "sorted_set_ordering",
        "a sorted set has its members in the order of their scores, then of their bytes",
        GROUPS["sorted_sets"],
        needs=(b"ZADD", b"ZRANGE"),
        law=laws.scores_ascend,
        states=(_WRONG_TYPE,),
    ),
    Property(
        "expire_removes_key",
        "a key whose time to live has passed is gone, and no other is",
        Group("expires", rows(_EXPIRES)),
        needs=(b"SET", b"PEXPIRE"),
        last=(
            ((b"SET", KEYS[0], b"a"), 0),
            ((b"PEXPIRE", KEYS[0], b"%d" % SOON_MS), SOON_WAIT_MS),
            ((b"GET", KEYS[0]), 0),
        ),
    ),
    Property(
        "ttl_monotonic_decrease",
        "the time to live of a key never grows unless it is set",
        Group("time left", rows(_TIME_LEFT)),
        needs=(b"EXPIRE", b"PTTL"),
        law=laws.time_left_falls,
    ),
    Property(
        "streams_ordered",
        "a stream has its entries in the order of their IDs, and groups deliver each once",
        Group("stream order", rows(_STREAM_ORDER)),
        needs=(b"XADD", b"XRANGE", b"XREADGROUP"),
        law=laws.ids_ascend,
        states=_GROUPS,
    ),
    Property(
        "transaction_atomic",
        "EXEC carries out all commands since MULTI, or none when a watched key has changed",
        replace(GROUPS["transactions"], kept=_without_nesting),
        needs=(b"MULTI", b"EXEC"),
        states=_TRANSACTIONS,
    ),
    Property(
        "crash_recovery_consistent",
        "a server that was killed has every write that it acknowledged",
        _EVERYTHING,
        needs=(b"SET",),
        restart=Restart.KILL,
        last=_A_WRITE,
    ),
    Property(
        "wal_durability",
        "a server that fsyncs each write has every write that it acknowledged after a power cut",
        _EVERYTHING,
        needs=(b"SET",),
        restart=Restart.POWER_CUT,
        last=_A_WRITE,
    ),
    Property(
        "memcache_roundtrip",
        "get returns what the last storing command stored",
        MEMCACHE_GROUPS["storage"],
        needs=(),
        wire=Wire.MEMCACHE,
    ),
    Property(
        "cas_exclusive",
        "of several cas with one unique number, at most one is stored",
        MEMCACHE_GROUPS["cas"],
        needs=(),
        law=laws.one_cas_of_each,
        states=_CAS,
        wire=Wire.MEMCACHE,
    ),
    Property(
        "append_order",
        "append and prepend keep the bytes of an item in the order in which they came",
        _memcache("appends", _APPENDS),
        needs=(),
        wire=Wire.MEMCACHE,
    ),
    Property(
        "exptime_removes",
        "an item whose exptime has passed is gone, and no other is",
        _memcache("exptimes", _EXPTIMES),
        needs=(),
        wire=Wire.MEMCACHE,
    ),
    Property(
        "memcache_counters",
        "incr wraps at 64 bits, and decr stops at 0",
        MEMCACHE_GROUPS["counters"],
        needs=(),
        states=_COUNTERS,
        wire=Wire.MEMCACHE,
    ),
)

PROPERTIES = {each.name: each for each in _ROWS}
"""By name, every property."""
