# What the built-in server says of itself to a client of Redis: its commands, its configuration, its counts.
#
# Nothing here is hot, and nothing here replies: these are values of Python, made from the service that is described.
# `_redis` puts them into replies; COMMAND_TABLE, which lists the commands, is also what it executes them by.

from loadgen.server._connection cimport Service

# The numbers of the commands that are executed without a look into COMMAND_TABLE: their places in it.
cdef enum:
    GET = 0
    SET = 1
    DEL = 2
    PING = 3

# The replies' version of Redis: some programs look for features by it.
cdef str REDIS_VERSION
# The commands. A row: name, arity as Redis counts it (with the name; negative: at least), flags, first and last key,
# group, summary.
cdef tuple COMMAND_TABLE
# From the name, in upper case, to its place in the table.
cdef dict COMMAND_NUMBERS
# The numbers of the data commands: what works on keys, and PING and ECHO, which stand for it where there are none.
cdef frozenset DATA_COMMANDS

# What COMMAND INFO answers for a row of COMMAND_TABLE; None for None, a command that is not there.
cdef list command_entry(tuple row)
# What CONFIG GET can answer: str to str.
cdef dict config_values(Service service)
# The sections of INFO of these names, in lower case; with none, the default ones.
cdef bytes info_text(Service service, set wanted)
