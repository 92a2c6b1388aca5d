# The receiver of the ends of requests. The recorder is one sink. A lane is another, which decides what is owed after an
# end and passes the end to the recorder, and to the history of single requests where there is one.
#
# A request is planned once, and ends once.

from libc.stdint cimport int64_t

from loadgen._request cimport Request

# The ends of a request. Their counts add up to the number of planned requests.
cdef enum End:
    ANSWERED_WELL = 0
    ANSWERED_WITH_ERROR = 1
    TIMED_OUT = 2
    LOST = 3           # the connection was lost
    CORRUPT = 4        # the bytes received were no reply to the request
    UNFINISHED = 5     # open, or never sent, when the load was over
    ENDS = 6


cdef class Sink:
    cdef void planned(self, const Request *r) noexcept nogil

    # The request has ended. `sent`: its last byte had gone to the kernel. After a reply, `r.outcome` is the reply's
    # outcome. For a timeout, `now_ns` is the deadline, and not the time at which the timeout was found.
    cdef void ended(self, const Request *r, End how, bint sent, int64_t now_ns) noexcept nogil

    # With a schedule: the request's last byte went to the kernel at r.send_ns. `ours_ns` of the delay was the
    # generator's for certain, and up to `doubt_ns` more may have been.
    cdef void sent(self, const Request *r, int64_t ours_ns, int64_t doubt_ns) noexcept nogil

    # Called beside the end of a request without a reply, when its last byte never went to the kernel.
    cdef void unsent(self, const Request *r) noexcept nogil

    # A reply came to a request that had timed out.
    cdef void late(self, const Request *r) noexcept nogil

    # Called beside the end of a request with an error reply, with the text of the reply.
    cdef void error_text(self, const Request *r, const char *text, int length, int64_t now_ns) noexcept nogil

    # A node of a cluster answered that it does not serve the request, or not now. True when the sink sends the request
    # again, to whoever serves it: the request has not ended.
    cdef bint redirects(self, const Request *r, const char *text, int length, int64_t now_ns) noexcept nogil

    # In a phase, a connection became ready; an attempt to open one, or the greeting on it, failed; a ready one ended.
    cdef void opened(self, int phase) noexcept nogil
    cdef void refused(self, int phase, int64_t now_ns) noexcept nogil
    cdef void closed(self, int phase) noexcept nogil

    # The server closed the connection before it received the request. True when the sink sends the request once more:
    # the request has not ended.
    cdef bint takes_back(self, const Request *r) noexcept nogil
