# What Python code on a simulated host has of it: streams by asyncio's transports, a clock, and calls in its turns.
#
# Protocols run in a context of the host's own (`contextvars`), so that what they start belongs to the host.

from loadgen.verify.world._ground cimport HostTime
from loadgen.verify.world._network cimport Host, Network
from loadgen.verify.world._streams cimport Streams


cdef class Resident(Streams):
    cdef Network network
    cdef HostTime time
    cdef Host host
    cdef readonly object context
