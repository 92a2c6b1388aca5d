# The built-in server without a store, for tests of the load generator by itself: a GET finds a fixed value, a SET and a
# DELETE succeed, and nothing is kept. What is no data command goes the way of the ordinary server, and so does a data
# command that works on more than one item's being there (INCR, EXPIRE, …): on a store that stays empty.
#
# A command that is there as a whole and in its plainest form is answered from a look at its beginning and its lengths;
# nothing else of it is read, so what is wrong further on is not noticed. Any other form, and a command that a read cut
# off, is parsed by the protocol it comes from, and answered the same.

from loadgen.server._memcache cimport MemcacheConnection
from loadgen.server._redis cimport RedisConnection

cdef enum:
    NULL_VALUE_BYTES = 64  # of the value that every GET finds


cdef class NullRedisConnection(RedisConnection):
    # Answers the plain commands at `at`, and says whether there was one.
    cdef bint answer_plain(self) except -1


cdef class NullMemcacheConnection(MemcacheConnection):
    cdef bint answer_plain(self) except -1
    cdef int answer_get(self, const char *key, Py_ssize_t size) except -1
