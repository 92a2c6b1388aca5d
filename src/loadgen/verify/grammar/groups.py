"""The groups of Redis commands, as rows: a weight, a command, and its arguments.

A word in capitals stands for itself. Any other word is a method of `Arguments`, which draws what stands in its place:
`key?` may be left out, and `member+` comes one to three times. The first row of a group is the
simplest command, without which a server does not have the group.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from loadgen.verify.grammar.arguments import SOON_WAIT_MS, Arguments
from loadgen.verify.step import Step
from loadgen.verify.tape import Tape

SOON = "soon"
"""The argument after which a step waits until the key has expired."""


@dataclass(frozen=True, slots=True)
class Row:
    """A command of a group."""

    weight: int
    name: bytes
    words: tuple[str, ...]
    """The words after the name."""

    def drawn(self, arguments: Arguments) -> Step:
        """Draw the command."""
        words = [self.name]
        for word in self.words:
            words += [word.encode()] if word.isupper() else arguments(word)
        return Step(tuple(words), wait_ms=SOON_WAIT_MS if SOON in self.words else 0)


@dataclass(frozen=True, slots=True)
class Group:
    """Commands that work on the same kinds of values."""

    name: str
    rows: tuple[Row, ...]
    connections: int = 1
    """The number of connections on which the commands are sent."""
    arguments: type[Arguments] = Arguments
    """Draws the arguments of the commands."""
    kept: Callable[[Sequence[Step]], list[Step]] = list
    """Returns the drawn steps of a case without those that servers are known to answer wrongly."""

    @property
    def commands(self) -> tuple[bytes, ...]:
        """The names of the group's commands, each once."""
        return tuple(dict.fromkeys(row.name for row in self.rows))

    def without(self, missing: Collection[bytes]) -> Group:
        """Return the group without the commands that a subject does not have."""
        return replace(self, rows=tuple(row for row in self.rows if row.name not in missing))

    def only(self, commands: Collection[bytes]) -> Group:
        """Return the group with some of its commands alone; all of them when `commands` is empty."""
        return replace(self, rows=tuple(row for row in self.rows if row.name in commands)) if commands else self

    def with_known_defects(self) -> Group:
        """Return the group of which every drawn step is kept."""
        return replace(self, kept=list)

    def drawn(self, tape: Tape) -> Step:
        """Draw a command, and the connection that it is sent on."""
        step = tape.weighted([(row.weight, row) for row in self.rows], "command").drawn(self.arguments(tape))
        connection = tape.below(self.connections, "connection") if self.connections > 1 else 0
        return Step(step.command, connection, step.wait_ms)


def rows(text: str) -> tuple[Row, ...]:
    """Return the rows of a text, one in each line."""
    parted = (line.split() for line in text.splitlines() if line.strip())
    return tuple(Row(int(weight), name.encode(), tuple(words)) for weight, name, *words in parted)


_STRINGS = """
8 GET key
10 SET key value
3 SET key value set_options
3 SET key value set_expiry
2 SET key value set_options set_expiry
2 SETNX key value
2 SETEX key seconds value
2 PSETEX key milliseconds value
3 GETSET key value
2 GETDEL key
2 GETEX key getex_option?
3 MGET key+
3 MSET key_value+
2 MSETNX key_value+
4 APPEND key value
3 STRLEN key
4 GETRANGE key index index
1 SUBSTR key index index
4 SETRANGE key offset value
5 INCR key
3 DECR key
4 INCRBY key integer
3 DECRBY key integer
4 INCRBYFLOAT key number
3 SETBIT key bit_offset bit
2 GETBIT key bit_offset
2 BITCOUNT key
2 BITCOUNT key index index
1 LPUSH key member
1 DEL key
"""

_KEYS = """
6 EXISTS key+
6 SET key value
5 DEL key+
4 UNLINK key+
4 TYPE key
3 TOUCH key+
4 RENAME key key
3 RENAMENX key key
4 COPY key key copy_option?
3 KEYS pattern
2 EXPIRE key seconds
2 PERSIST key
2 GET key
2 RPUSH key member+
2 SADD key member+
2 HSET key field_value+
2 ZADD key score member
"""

_LISTS = """
8 RPUSH key member+
6 LRANGE key index index
6 LPUSH key member+
2 LPUSHX key member+
2 RPUSHX key member+
4 LPOP key count?
4 RPOP key count?
3 LLEN key
4 LINDEX key index
3 LSET key index member
4 LINSERT key where member member
4 LREM key count member
3 LTRIM key index index
3 LPOS key member lpos_option?
2 LPOS key member lpos_option lpos_option
4 LMOVE key key side side
3 RPOPLPUSH key key
1 SET key value
1 DEL key
"""

_HASHES = """
8 HSET key field_value+
6 HGET key member
2 HMSET key field_value+
3 HSETNX key member value
3 HMGET key member+
4 HGETALL key
2 HKEYS key
2 HVALS key
3 HLEN key
3 HEXISTS key member
2 HSTRLEN key member
5 HDEL key member+
4 HINCRBY key member integer
4 HINCRBYFLOAT key member number
1 SET key value
1 DEL key
"""

_SETS = """
8 SADD key member+
5 SMEMBERS key
5 SREM key member+
3 SCARD key
3 SISMEMBER key member
3 SMISMEMBER key member+
4 SMOVE key key member
1 SPOP key all
3 SRANDMEMBER key count?
3 SINTER key+
3 SUNION key+
3 SDIFF key+
3 SINTERSTORE key key+
3 SUNIONSTORE key key+
3 SDIFFSTORE key key+
2 SINTERCARD numbered_keys
2 SINTERCARD numbered_keys LIMIT count
1 SET key value
1 DEL key
"""

_SORTED_SETS = """
8 ZADD key score_member+
5 ZRANGE key index index WITHSCORES
4 ZADD key zadd_options score_member+
2 ZADD key INCR score member
1 ZADD key zadd_options INCR score member
4 ZINCRBY key score member
4 ZREM key member+
4 ZSCORE key member
2 ZMSCORE key member+
2 ZCARD key
3 ZRANK key member
3 ZREVRANK key member
3 ZPOPMIN key count?
3 ZPOPMAX key count?
6 ZRANGE key range_by
3 ZREVRANGE key index index
3 ZRANGEBYSCORE key score_end score_end limit?
3 ZREVRANGEBYSCORE key score_end score_end limit?
3 ZADD equal_scores zero_member+
3 ZRANGEBYLEX equal_scores lex_end lex_end limit?
2 ZREVRANGEBYLEX equal_scores lex_end lex_end limit?
3 ZRANGE equal_scores lex_end lex_end BYLEX rev_limit
1 ZREM equal_scores member
3 ZCOUNT key score_end score_end
2 ZLEXCOUNT equal_scores lex_end lex_end
2 ZREMRANGEBYRANK key index index
2 ZREMRANGEBYSCORE key score_end score_end
1 ZREMRANGEBYLEX equal_scores lex_end lex_end
3 ZRANGESTORE key key range_by
2 ZUNION numbered_keys aggregate? WITHSCORES
2 ZINTER numbered_keys aggregate? WITHSCORES
2 ZDIFF numbered_keys
2 ZUNIONSTORE key numbered_keys aggregate?
2 ZINTERSTORE key numbered_keys aggregate?
2 ZDIFFSTORE key numbered_keys
2 SADD key member+
1 SET key value
1 DEL key
"""

_EXPIRY = """
6 TTL key
6 EXPIRE key seconds
4 SET key value
3 SET key value set_expiry
3 EXPIRE key seconds nx_xx
2 EXPIREAT key unix_seconds expire_option
4 PEXPIRE key milliseconds
2 PEXPIRE key milliseconds nx_xx
3 EXPIREAT key unix_seconds
3 PEXPIREAT key unix_milliseconds
2 PEXPIREAT key unix_milliseconds expire_option
4 PTTL key
3 EXPIRETIME key
3 PEXPIRETIME key
4 PERSIST key
4 GET key
2 GETEX key getex_option
2 EXISTS key+
2 RENAME key key
1 INCR key
1 APPEND key value
1 GETSET key value
2 RPUSH key member
1 DEL key
1 PEXPIRE key soon
1 PSETEX key soon value
"""

_STREAMS = """
10 XADD one_of_two new_id field_value+
5 XRANGE one_of_two id_end id_end xcount?
2 XADD one_of_two NOMKSTREAM new_id field_value
2 XADD one_of_two trim new_id field_value
3 XLEN one_of_two
3 XREVRANGE one_of_two id_end id_end xcount?
3 XDEL one_of_two old_id+
2 XTRIM one_of_two trim
4 XREAD STREAMS one_of_two after_id
2 XREAD xcount STREAMS one_of_two after_id
3 XGROUP CREATE one_of_two group after_id
4 XGROUP CREATE one_of_two group after_id MKSTREAM
1 XGROUP CREATE one_of_two group last_id MKSTREAM
1 XGROUP SETID one_of_two group after_id
1 XGROUP DESTROY one_of_two group
1 XGROUP DELCONSUMER one_of_two group consumer
7 XREADGROUP GROUP group consumer STREAMS one_of_two read_id
2 XREADGROUP GROUP group consumer xcount STREAMS one_of_two read_id
1 XREADGROUP GROUP group consumer NOACK STREAMS one_of_two new_only
5 XACK one_of_two group last_ids
1 XACK one_of_two group old_id+
3 XPENDING one_of_two group
1 SET one_of_two value
1 DEL one_of_two
"""

_TRANSACTIONS = """
8 MULTI
10 EXEC
6 GET key
6 SET key value
2 DISCARD
5 WATCH key+
1 UNWATCH
4 INCR key
3 APPEND key value
3 RPUSH key member+
3 LRANGE key index index
2 HSET key field_value+
2 HGETALL key
2 SADD key member+
2 SMEMBERS key
2 TTL key
2 EXPIRE key seconds
2 DEL key
1 INCRBY key
"""

GROUPS = {
    group.name: group
    for group in (
        Group("strings", rows(_STRINGS)),
        Group("lists", rows(_LISTS)),
        Group("hashes", rows(_HASHES)),
        Group("sets", rows(_SETS)),
        Group("sorted_sets", rows(_SORTED_SETS)),
        Group("keys", rows(_KEYS)),
        Group("expiry", rows(_EXPIRY)),
        Group("streams", rows(_STREAMS)),
        Group("transactions", rows(_TRANSACTIONS), connections=2),
    )
}
"""By name, every group of Redis commands."""
