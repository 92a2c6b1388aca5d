# The built-in server's description of itself for Redis clients: its commands, its configuration, its counts.
#
# Nothing here is hot, and nothing here replies: these are Python values, made from the service that is described.
# `_redis` puts the values into replies, and also executes the commands by COMMAND_TABLE.

from loadgen.server._connection cimport Service

# The numbers, which are places in COMMAND_TABLE, of the commands that are executed without a lookup there.
cdef enum:
    GET = 0
    SET = 1
    DEL = 2
    PING = 3

# The version of Redis in replies, by which some programs look for features.
cdef str REDIS_VERSION
# The commands. A row: name, arity as Redis counts it (with the name; negative: at least), flags, first and last key,
# group, summary.
cdef tuple COMMAND_TABLE
# The place in the table of each name, in upper case.
cdef dict COMMAND_NUMBERS
# The numbers of the data commands: those that work on keys, and PING and ECHO, which stand in where there are no keys.
cdef frozenset DATA_COMMANDS

# Return COMMAND INFO's entry for a row of COMMAND_TABLE; None for None, an unknown command.
cdef list command_entry(tuple row)
# Return the settings that CONFIG GET can answer: str to str.
cdef dict config_values(Service service)
# Return the sections of INFO of these names, in lower case; without names, the default sections.
cdef bytes info_text(Service service, set wanted)
