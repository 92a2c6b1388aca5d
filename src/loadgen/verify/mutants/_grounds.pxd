# Reactors and clocks of a world that have a defect each, for the engine and for clients.

from libc.stdint cimport int64_t

from loadgen.verify.world._ground cimport Ground, HostTime


# A timer that is set further ahead than the wheel has slots never rings.
cdef class ShortTimers(Ground):
    pass


# News of a stream that comes while a turn is on its way is lost.
cdef class LostNews(Ground):
    cdef int news


# The monotonic clock goes where the Unix clock is set to.
cdef class SettableClock(Ground):
    pass


cdef class SettableTime(HostTime):
    pass
