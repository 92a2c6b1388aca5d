# The codec of a plan's protocol.

from libc.stdint cimport uint64_t

from loadgen._codec cimport Codec
from loadgen._request cimport Commands

# `run` is the number that values are marked with, or 0.
cdef Codec codec_of(plan, Commands table, uint64_t run)
