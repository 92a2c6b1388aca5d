# memcache's text protocol, client side.

from loadgen._buffer cimport BLOCK
from loadgen._codec cimport Codec


cdef class Memcache(Codec):
    cdef int key_length
    cdef Py_ssize_t value_bytes
    cdef char set_middle[BLOCK]  # between a set's key and its value: flags, exptime, length
    cdef int set_middle_length
