# Reactors of a world that have a defect each, for the engine and for clients.

from loadgen.verify.world._ground cimport Ground


# A timer that is set further ahead than the wheel has slots never rings.
cdef class ShortTimers(Ground):
    pass


# News of a stream that comes while a turn is on its way is lost.
cdef class LostNews(Ground):
    cdef int news
