# What hears how each request ended. The recorder is one sink, a lane another: it decides what is owed after that, and
# tells the recorder. A history of single requests, or a correlation of several by their values, would be others.
#
# A request is planned once, and ends once.

from libc.stdint cimport int64_t

from loadgen._request cimport Request

# How a request ended: the columns of an account that adds up to what was planned.
cdef enum End:
    ANSWERED_WELL = 0
    ANSWERED_WITH_ERROR = 1
    TIMED_OUT = 2
    LOST = 3           # its connection went
    CORRUPT = 4        # its reply was no reply to it
    UNFINISHED = 5     # it was open, or never sent, when the load was over
    ENDS = 6


cdef class Sink:
    cdef void planned(self, const Request *r) noexcept nogil

    # It has ended. `sent`: its last byte had gone to the kernel. Of a reply, `r.outcome` has what it said. A timeout is
    # told at its deadline, and not at the time at which it was found.
    cdef void ended(self, const Request *r, End how, bint sent, int64_t now_ns) noexcept nogil

    # With a schedule: its last byte went to the kernel at r.send_ns. So much of the delay was the generator's for
    # certain, and as much more may have been.
    cdef void sent(self, const Request *r, int64_t ours_ns, int64_t doubt_ns) noexcept nogil

    # Beside the end of a request that no reply came to: its last byte never went to the kernel.
    cdef void unsent(self, const Request *r) noexcept nogil

    # A reply to a request that had timed out.
    cdef void late(self, const Request *r) noexcept nogil

    # The text of an error reply, beside its end.
    cdef void error_text(self, const Request *r, const char *text, int length) noexcept nogil

    # A request that a server which closed its connection had not received. True: it goes out once more, and has not
    # ended.
    cdef bint takes_back(self, const Request *r) noexcept nogil
