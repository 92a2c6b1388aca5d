# Redis' commands as the built-in server executes them, and Redis' wording of what is wrong with one.
#
# GET, SET, DEL and PING in their plainest forms are executed from the spans of the input, with no look into a table.
# Every other command, and every other form, takes its words as Python objects and has a function in the .pyx. What is
# asked about the server, and not about its keys, is answered from `_description`.

from loadgen.server._resp cimport RespConnection


cdef class RedisConnection(RespConnection):
    cdef bytes name    # what CLIENT SETNAME said
    cdef bint greeted  # the PING that opens a conversation, which is no data command, has been

    cdef bytes command_name(self)  # of the command in hand; what is too long for one is cut
    cdef int execute_any(self) except -1
    cdef int get_item(self) except -1
    cdef int set_item(self) except -1

    # Errors. A command's name is as Redis writes it: in lower case, a subcommand behind a |.
    cdef int out_of_memory(self) except -1
    cdef int syntax_error(self) except -1
    cdef int unknown_command(self, bytes name) except -1
    cdef int unknown_subcommand(self, list args) except -1
    cdef int wrong_arity(self, bytes name) except -1
