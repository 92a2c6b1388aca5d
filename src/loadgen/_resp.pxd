# RESP2 and RESP3, client side. Nothing in a request depends on the version: HELLO asks for it, replies show theirs.

from loadgen._buffer cimport BLOCK
from loadgen._codec cimport Codec

# The bytes around a key: everything of a command that never changes, in one block to copy.
cdef struct Template:
    char bytes[BLOCK]
    int length

cdef struct Text:
    const char *bytes  # borrowed
    int length


cdef class Resp(Codec):
    cdef int id_length        # of a key's bytes, those after its prefix
    cdef Py_ssize_t value_bytes
    cdef Template head[3]     # up to the key's id, its prefix too: GET, SET, DELETE
    cdef Template set_middle  # between a SET's key and its value
    cdef tuple whole          # PING, HELLO and AUTH, sent as they are …
    cdef Text greeting[4]     # … where their bytes lie, by Command from PING on
