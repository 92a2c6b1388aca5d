# cython: boundscheck=True, wraparound=True
# (A command's words are Python lists here. The hot paths index C pointers, which neither setting touches.)
"""The built-in server's Redis commands. Source: the replies of redis-server 7.0, which tests compare byte by byte."""

import fnmatch
import re
import time

from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport int64_t

from loadgen.server._connection cimport Service, read_integer
from loadgen.server._description cimport (
    COMMAND_NUMBERS,
    COMMAND_TABLE,
    DATA_COMMANDS,
    DEL,
    GET,
    PING,
    REDIS_VERSION,
    SET,
    command_entry,
    config_values,
    info_text,
)
from loadgen.server._resp cimport Argument, RespConnection
from loadgen.server._store cimport Item, Store, value_of

_MS_PER_S = 1000
_NS_PER_S = 1_000_000_000
_MOST_MS = 2**63 - 1

cdef enum:
    LONGEST_NAME = 64              # of a command; a longer word is cut before the lookup
    MOST_CONTROL_ARGUMENTS = 256   # of commands that are no data commands, so that no reply grows without bound
    LONGEST_PATTERN = 128          # of CONFIG GET
    LONGEST_LABEL = 128            # of a connection's name, and of a wrong word that an error repeats


cdef inline bint is_word(const char *at, const char *upper, int size) noexcept nogil:
    """True when the letters at `at` are those of `upper`, in either case."""
    cdef int i
    for i in range(size):
        if (at[i] & 0xDF) != upper[i]:
            return False
    return True


cdef class RedisConnection(RespConnection):
    def __init__(self, service):
        RespConnection.__init__(self, service)
        self.name = b""

    cdef int execute(self) except -1:
        cdef Argument *first = &self.arguments[0]
        cdef const char *name = self.data + self.at + first.start
        if first.own == NULL and not self.refused:
            if first.size == 3 and self.count == 2 and is_word(name, b"GET", 3):
                self.service.calls[GET] += 1
                return self.get_item()
            if first.size == 3 and self.count == 3 and is_word(name, b"SET", 3):
                self.service.calls[SET] += 1
                return self.set_item()
            if first.size == 3 and self.count == 2 and is_word(name, b"DEL", 3):
                self.service.calls[DEL] += 1
                return self.integer(
                    self.service.store.remove(self.at_argument(1), self.arguments[1].size, self.service.now_ms)
                )
            if first.size == 4 and self.count == 1 and is_word(name, b"PING", 4):
                self.service.calls[PING] += 1
                return self.reply(b"+PONG\r\n", 7)
        return self.execute_any()

    cdef bint is_data(self) except -1:
        number = COMMAND_NUMBERS.get(self.command_name().upper())
        if number == PING and not self.greeted and self.data_commands == 0:
            self.greeted = True
            return False
        return number in DATA_COMMANDS

    cdef int reject(self) except -1:
        cdef int number = COMMAND_NUMBERS[self.command_name().upper()]
        self.service.rejected[number] += 1
        return 0

    cdef bytes command_name(self):
        cdef Py_ssize_t size = min(self.arguments[0].size, <Py_ssize_t>LONGEST_NAME + 1)
        return self.at_argument(0)[:size]

    cdef int get_item(self) except -1:
        cdef Item *item = self.service.store.find(self.at_argument(1), self.arguments[1].size, self.service.now_ms)
        if item == NULL:
            self.service.misses[GET] += 1
            return self.null()
        self.service.hits[GET] += 1
        return self.bulk_string(value_of(item))

    cdef int set_item(self) except -1:
        if not self.service.store.put(self.at_argument(1), self.arguments[1].size, self.argument(2), 0, 0):
            self.service.failed[SET] += 1
            return self.out_of_memory()
        return self.reply(b"+OK\r\n", 5)

    cdef int execute_any(self) except -1:
        cdef int number
        name = self.command_name()
        found = COMMAND_NUMBERS.get(name.upper())
        if found is None:
            return self.unknown_command(self.argument(0))
        number = found
        if self.count > MOST_CONTROL_ARGUMENTS and number not in DATA_COMMANDS:
            self.service.rejected[number] += 1
            return self.error(b"ERR too many arguments for '" + name.lower() + b"' command")
        arity = COMMAND_TABLE[number][1]
        if self.count != arity if arity > 0 else self.count < -arity:
            self.service.rejected[number] += 1
            return self.wrong_arity(COMMAND_TABLE[number][0].encode())
        self.service.calls[number] += 1
        self.failed = False
        if self.refused:
            self.out_of_memory()
        else:
            _HANDLERS[number](self, [self.argument(i) for i in range(self.count)])
        self.service.failed[number] += self.failed
        return 0

    cdef int out_of_memory(self) except -1:
        return self.error(b"OOM command not allowed when used memory > 'maxmemory'.")

    cdef int unknown_command(self, bytes name) except -1:
        shown = b""
        for i in range(1, self.count):
            if len(shown) >= 128:
                break
            shown += b"'" + self.argument(i)[:128 - len(shown)] + b"' "
        return self.error(b"ERR unknown command '" + name[:128] + b"', with args beginning with: " + shown)

    cdef int wrong_arity(self, bytes name) except -1:
        return self.error(b"ERR wrong number of arguments for '" + name + b"' command")

    cdef int unknown_subcommand(self, list args) except -1:
        return self.error(b"ERR unknown subcommand '" + args[1][:128] + b"'. Try " + args[0].upper() + b" HELP.")

    cdef int syntax_error(self) except -1:
        return self.error(b"ERR syntax error")


# One function for each command that takes its words as Python objects; `args` has the command's name first.

cdef Item *peek(RedisConnection c, bytes key) noexcept:
    return c.service.store.peek(PyBytes_AS_STRING(key), len(key), c.service.now_ms)


def _get(RedisConnection c, list args):
    c.get_item()


def _set(RedisConnection c, list args):
    cdef Store store = c.service.store
    cdef int64_t expires_at_ms = 0
    cdef Item *old
    unit_ms = 0
    options = set()
    words = iter(args[3:])
    for word in words:
        option = word.upper()
        if option in (b"EX", b"PX", b"EXAT", b"PXAT"):
            amount = next(words, None)
            if unit_ms or b"KEEPTTL" in options or amount is None:
                return c.syntax_error()
            unit_ms = _MS_PER_S if option[:2] == b"EX" else 1
            absolute = option.endswith(b"AT")
        elif option in (b"NX", b"XX", b"GET", b"KEEPTTL"):
            options.add(option)
            if {b"NX", b"XX"} <= options or (option == b"KEEPTTL" and unit_ms):
                return c.syntax_error()
        else:
            return c.syntax_error()
    if unit_ms:
        expires_at_ms = _expiry(c, amount, unit_ms, absolute, b"set")
        if expires_at_ms == 0:
            return 0
    old = peek(c, args[1])
    previous = None if old == NULL else value_of(old)
    if b"GET" in options:
        if old == NULL:
            c.service.misses[SET] += 1
        else:
            c.service.hits[SET] += 1
    if not (b"NX" in options and old != NULL or b"XX" in options and old == NULL):
        if b"KEEPTTL" in options and old != NULL:
            expires_at_ms = old.expires_at_ms
        if not store.put(PyBytes_AS_STRING(<bytes>args[1]), len(args[1]), args[2], 0, expires_at_ms):
            return c.out_of_memory()
        return c.answer(previous) if b"GET" in options else c.ok()
    return c.answer(previous if b"GET" in options else None)


def _psetex(RedisConnection c, list args):
    cdef Store store = c.service.store
    cdef int64_t expires_at_ms = _expiry(c, args[2], 1, False, b"psetex")
    if expires_at_ms == 0:
        return 0
    if not store.put(PyBytes_AS_STRING(<bytes>args[1]), len(args[1]), args[3], 0, expires_at_ms):
        return c.out_of_memory()
    return c.ok()


cdef int64_t _expiry(RedisConnection c, bytes amount, object unit_ms, bint absolute, bytes command) except -1:
    """Return the Unix time in ms that an amount of time units means; reply an error and return 0 for a wrong amount."""
    cdef int64_t value
    if not read_integer(PyBytes_AS_STRING(amount), len(amount), &value):
        c.error(b"ERR value is not an integer or out of range")
        return 0
    ends = <object>value * unit_ms + (0 if absolute else c.service.now_ms)
    if value <= 0 or ends > _MOST_MS:
        c.error(b"ERR invalid expire time in '" + command + b"' command")
        return 0
    return ends


def _del(RedisConnection c, list args):
    deleted = 0
    for key in args[1:]:
        deleted += c.service.store.remove(PyBytes_AS_STRING(<bytes>key), len(key), c.service.now_ms)
    c.integer(deleted)


def _exists(RedisConnection c, list args):
    cdef int number = COMMAND_NUMBERS[b"EXISTS"]
    found = 0
    for key in args[1:]:
        if peek(c, key) == NULL:
            c.service.misses[number] += 1
        else:
            c.service.hits[number] += 1
            found += 1
    c.integer(found)


_INTEGER = re.compile(rb"0|-?[1-9][0-9]*")


def _mget(RedisConnection c, list args):
    cdef int number = COMMAND_NUMBERS[b"MGET"]
    cdef Item *item
    values = []
    for key in args[1:]:
        item = c.service.store.find(PyBytes_AS_STRING(<bytes>key), len(key), c.service.now_ms)
        if item == NULL:
            c.service.misses[number] += 1
        else:
            c.service.hits[number] += 1
        values.append(None if item == NULL else value_of(item))
    c.answer(values)


def _mset(RedisConnection c, list args):
    if not len(args) & 1:
        return c.wrong_arity(b"mset")
    for key, value in zip(args[1::2], args[2::2]):
        if not c.service.store.put(PyBytes_AS_STRING(<bytes>key), len(key), value, 0, 0):
            return c.out_of_memory()
    c.ok()


def _incr(RedisConnection c, list args):
    cdef Item *item = peek(c, args[1])
    cdef bytes old = b"0" if item == NULL else value_of(item)
    if not _INTEGER.fullmatch(old) or not -2**63 <= int(old) < 2**63:
        return c.error(b"ERR value is not an integer or out of range")
    if int(old) == 2**63 - 1:
        return c.error(b"ERR increment or decrement would overflow")
    new = str(int(old) + 1).encode()
    if not c.service.store.put(PyBytes_AS_STRING(<bytes>args[1]), len(args[1]), new, 0 if item == NULL else item.flags,
                               0 if item == NULL else item.expires_at_ms):
        return c.out_of_memory()
    c.integer(int(new))


def _expire(RedisConnection c, list args):
    cdef int64_t value
    cdef Item *item = peek(c, args[1])
    options = {word.upper() for word in args[3:]}
    for word in args[3:]:
        if word.upper() not in (b"NX", b"XX", b"GT", b"LT"):
            return c.error(b"ERR Unsupported option " + word[:LONGEST_LABEL])
    if b"NX" in options and len(options) > 1:
        return c.error(b"ERR NX and XX, GT or LT options at the same time are not compatible")
    if {b"GT", b"LT"} <= options:
        return c.error(b"ERR GT and LT options at the same time are not compatible")
    if not read_integer(PyBytes_AS_STRING(<bytes>args[2]), len(args[2]), &value):
        return c.error(b"ERR value is not an integer or out of range")
    amount_ms = <object>value * (1 if args[0].upper() == b"PEXPIRE" else _MS_PER_S)
    ends = amount_ms + c.service.now_ms
    if amount_ms < ~_MOST_MS or ends > _MOST_MS:
        return c.error(b"ERR invalid expire time in '" + args[0].lower() + b"' command")
    if item == NULL:
        return c.integer(0)
    # A key that never expires counts as one that expires later than any other.
    current = item.expires_at_ms or None
    if (
        (b"NX" in options and current is not None)
        or (b"XX" in options and current is None)
        or (b"GT" in options and (current is None or ends <= current))
        or (b"LT" in options and current is not None and ends >= current)
    ):
        return c.integer(0)
    if value <= 0:
        c.service.store.remove(PyBytes_AS_STRING(<bytes>args[1]), len(args[1]), c.service.now_ms)
    else:
        c.service.store.expire_at(item, ends)
    return c.integer(1)


def _ttl(RedisConnection c, list args):
    cdef int number = COMMAND_NUMBERS[args[0].upper()]
    cdef Item *item = peek(c, args[1])
    cdef int64_t left_ms
    if item == NULL:
        c.service.misses[number] += 1
        return c.integer(-2)
    c.service.hits[number] += 1
    if item.expires_at_ms == 0:
        return c.integer(-1)
    left_ms = item.expires_at_ms - c.service.now_ms
    return c.integer(left_ms if args[0].upper() == b"PTTL" else (left_ms + 500) // 1000)


def _persist(RedisConnection c, list args):
    cdef Item *item = peek(c, args[1])
    if item == NULL or item.expires_at_ms == 0:
        return c.integer(0)
    c.service.store.expire_at(item, 0)
    return c.integer(1)


def _ping(RedisConnection c, list args):
    if len(args) > 2:
        return c.wrong_arity(b"ping")
    return c.answer(args[1] if len(args) == 2 else "PONG")


def _echo(RedisConnection c, list args):
    c.bulk_string(args[1])


def _time(RedisConnection c, list args):
    seconds, rest_ns = divmod(time.time_ns(), _NS_PER_S)
    c.answer([str(seconds).encode(), str(rest_ns // 1000).encode()])


def _select(RedisConnection c, list args):
    cdef int64_t value
    if not read_integer(PyBytes_AS_STRING(<bytes>args[1]), len(args[1]), &value):
        return c.error(b"ERR value is not an integer or out of range")
    return c.ok() if value == 0 else c.error(b"ERR DB index is out of range")


def _dbsize(RedisConnection c, list args):
    c.integer(c.service.store.items)


def _flush(RedisConnection c, list args):
    if len(args) > 2 or len(args) == 2 and args[1].upper() not in (b"SYNC", b"ASYNC"):
        return c.syntax_error()
    c.service.store.clear()
    return c.ok()


def _quit(RedisConnection c, list args):
    c.ok()
    c.close_after_replies()


def _reset(RedisConnection c, list args):
    c.protocol = 2
    c.name = b""
    c.answer("RESET")


def _shutdown(RedisConnection c, list args):
    c.close_after_replies()
    c.service.stop()


cdef bint _is_user(RedisConnection c, bytes user) except -1:
    """True for `default`, the only user, who needs no password; reply an error for any other."""
    if user == b"default":
        return True
    c.error(b"WRONGPASS invalid username-password pair or user is disabled.")
    return False


def _auth(RedisConnection c, list args):
    if len(args) > 3:
        return c.syntax_error()
    if len(args) == 2:
        return c.error(
            b"ERR AUTH <password> called without any password configured for the default user. "
            b"Are you sure your configuration is correct?"
        )
    return c.ok() if _is_user(c, args[1]) else 0


cdef bint _is_name(RedisConnection c, bytes name) except -1:
    """True when a connection may have this name: as in Redis, no spaces or control characters, and not too long.

    Else an error is replied.
    """
    if len(name) > LONGEST_LABEL:
        c.error(b"ERR Client names cannot be longer than %d bytes here." % LONGEST_LABEL)
        return False
    if all(33 <= byte <= 126 for byte in name):
        return True
    c.error(b"ERR Client names cannot contain spaces, newlines or special characters.")
    return False


def _hello(RedisConnection c, list args):
    cdef int64_t protocol = c.protocol
    name = None
    if len(args) > 1:
        if not read_integer(PyBytes_AS_STRING(<bytes>args[1]), len(args[1]), &protocol):
            return c.error(b"ERR Protocol version is not an integer or out of range")
        if protocol != 2 and protocol != 3:
            return c.error(b"NOPROTO unsupported protocol version")
    words = args[2:]
    while words:
        option = words[0].upper()
        if option == b"AUTH" and len(words) > 2:
            if not _is_user(c, words[1]):
                return 0
            words = words[3:]
        elif option == b"SETNAME" and len(words) > 1:
            name = words[1]
            if not _is_name(c, name):
                return 0
            words = words[2:]
        else:
            return c.error(b"ERR Syntax error in HELLO option '" + words[0][:LONGEST_LABEL] + b"'")
    if name is not None:
        c.name = name
    c.protocol = protocol
    return c.answer({
        b"server": b"redis", b"version": REDIS_VERSION.encode(), b"proto": c.protocol, b"id": c.id,
        b"mode": b"standalone", b"role": b"master", b"modules": [],
    })


cdef bytes _client_line(RedisConnection c):
    host, port = c.transport.get_extra_info("peername")[:2]
    return (
        f"id={c.id} addr={host}:{port} laddr={c.service.host}:{c.service.port} fd={c.fd} "
        f"name={c.name.decode(errors='replace')} db=0 resp={c.protocol}\n"
    ).encode()


def _client(RedisConnection c, list args):
    word = args[1].upper()
    size = len(args)
    if word == b"ID" and size == 2:
        return c.integer(c.id)
    if word == b"GETNAME" and size == 2:
        return c.answer(c.name or None)
    if word == b"SETNAME" and size == 3:
        if not _is_name(c, args[2]):
            return 0
        c.name = args[2]
        return c.ok()
    if word == b"SETINFO" and size == 4 or word in (b"NO-EVICT", b"NO-TOUCH") and size == 3:
        return c.ok()
    if word == b"REPLY" and size == 3 and args[2].upper() == b"ON":
        return c.ok()
    if word == b"LIST" and size == 2:
        return c.text(b"".join(_client_line(other) for other in sorted(c.service.connections, key=lambda o: o.id)))
    if word == b"INFO" and size == 2:
        return c.text(_client_line(c))
    if word in (b"ID", b"GETNAME", b"SETNAME", b"SETINFO", b"LIST", b"INFO", b"NO-EVICT", b"NO-TOUCH", b"REPLY"):
        return c.wrong_arity(b"client|" + word.lower())
    return c.unknown_subcommand(args)


def _config(RedisConnection c, list args):
    word = args[1].upper()
    if word == b"GET" and len(args) > 2:
        if max(map(len, args[2:])) > LONGEST_PATTERN:
            return c.error(b"ERR pattern is too long")
        patterns = {pattern.decode(errors="replace").lower() for pattern in args[2:]}
        return c.answer({
            name.encode(): value.encode()
            for name, value in config_values(c.service).items()
            if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
        })
    if word == b"RESETSTAT" and len(args) == 2:
        c.service.reset_counts()
        return c.ok()
    if word == b"SET" and len(args) > 3:
        return c.error(
            b"ERR CONFIG SET failed (possibly related to argument '" + args[2][:LONGEST_LABEL] + b"') - "
            b"the built-in server is configured on its command line (loadgen serve --help)"
        )
    if word in (b"GET", b"SET", b"RESETSTAT"):
        return c.wrong_arity(b"config|" + word.lower())
    return c.unknown_subcommand(args)


def _command(RedisConnection c, list args):
    word = args[1].upper() if len(args) > 1 else b""
    chosen = [name.lower() for name in args[2:]]
    wanted = set(chosen)
    rows = [row for row in COMMAND_TABLE if not wanted or row[0].encode() in wanted]
    if word in (b"", b"INFO"):
        known = {row[0].encode(): row for row in COMMAND_TABLE}
        return c.answer([command_entry(known.get(name)) for name in chosen or known])
    if word == b"COUNT" and len(args) == 2:
        return c.integer(len(COMMAND_TABLE))
    if word == b"DOCS":
        return c.answer({row[0].encode(): {b"summary": row[6].encode(), b"group": row[5].encode()} for row in rows})
    if word == b"LIST" and len(args) == 2:
        return c.answer([row[0].encode() for row in COMMAND_TABLE])
    return c.unknown_subcommand(args)


def _info(RedisConnection c, list args):
    c.text(info_text(c.service, {word.decode(errors="replace").lower() for word in args[1:]}))


_FUNCTIONS = {
    "get": _get, "set": _set, "psetex": _psetex, "del": _del, "unlink": _del, "exists": _exists, "mget": _mget,
    "mset": _mset, "incr": _incr, "expire": _expire,
    "pexpire": _expire,
    "ttl": _ttl, "pttl": _ttl, "persist": _persist, "ping": _ping, "echo": _echo, "hello": _hello, "auth": _auth,
    "select": _select, "client": _client, "quit": _quit, "reset": _reset, "info": _info, "config": _config,
    "command": _command, "dbsize": _dbsize, "flushall": _flush, "flushdb": _flush, "time": _time,
    "shutdown": _shutdown,
}
_HANDLERS = [_FUNCTIONS[name] for name, *_ in COMMAND_TABLE]


def calls(Service service):
    """Return how often each command was executed, by name; commands that were not are left out."""
    return {row[0]: service.calls[<int>number] for number, row in enumerate(COMMAND_TABLE)
            if service.calls[<int>number]}
