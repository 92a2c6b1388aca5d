# Redis' commands in the built-in server, and Redis' wording of errors.
#
# GET, SET, DEL and PING in their plainest forms are executed from the spans of the input, without a lookup in a table.
# Every other command, and every other form, takes its words as Python objects and has a function in the .pyx. Questions
# about the server, not about its keys, are answered from `_description`.

from loadgen.server._resp cimport RespConnection


cdef class RedisConnection(RespConnection):
    cdef bytes name    # the connection's, set by CLIENT SETNAME or HELLO
    cdef bint greeted  # the PING that opens a conversation, which is no data command, has come

    cdef bytes command_name(self)  # of the command in hand; cut where it is longer than any name
    cdef int execute_any(self) except -1
    cdef int get_item(self) except -1
    cdef int set_item(self) except -1

    # Errors. A command's name is as Redis writes it: in lower case, a subcommand behind a |.
    cdef int out_of_memory(self) except -1
    cdef int syntax_error(self) except -1
    cdef int unknown_command(self, bytes name) except -1
    cdef int unknown_subcommand(self, list args) except -1
    cdef int wrong_arity(self, bytes name) except -1
