# The built-in server without a store, for tests of the load generator by itself: a GET finds a fixed value, a SET and a
# DELETE succeed, and nothing is kept. Every other command is executed as in the ordinary server, on a store that stays
# empty: commands that are no data commands, and data commands whose answer depends on an item (INCR, EXPIRE, …).
#
# A complete command in its plainest form is answered by its beginning and its lengths; the rest is not read, so an
# error further on goes unnoticed. Any other form, and a command that a read cut off, is parsed by the protocol's own
# class, and answered the same.

from loadgen.server._memcache cimport MemcacheConnection
from loadgen.server._redis cimport RedisConnection

cdef enum:
    NULL_VALUE_BYTES = 64  # of the value that every GET finds


cdef class NullRedisConnection(RedisConnection):
    # Answer the plain commands at `at`; return True when there was one.
    cdef bint answer_plain(self) except -1


cdef class NullMemcacheConnection(MemcacheConnection):
    cdef bint answer_plain(self) except -1
    cdef int answer_get(self, const char *key, Py_ssize_t size) except -1
