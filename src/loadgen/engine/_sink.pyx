"""The receiver of the ends of requests. `_sink.pxd` describes the interface."""

END_NAMES = ("ok", "errors", "timeouts", "lost", "corrupt", "unfinished")


cdef class Sink:
    """A sink that ignores all calls. Only its subclasses can be used."""

    cdef void planned(self, const Request *r) noexcept nogil:
        pass

    cdef void ended(self, const Request *r, End how, bint sent, int64_t now_ns) noexcept nogil:
        pass

    cdef void sent(self, const Request *r, int64_t ours_ns, int64_t doubt_ns) noexcept nogil:
        pass

    cdef void unsent(self, const Request *r) noexcept nogil:
        pass

    cdef void late(self, const Request *r) noexcept nogil:
        pass

    cdef void error_text(self, const Request *r, const char *text, int length, int64_t now_ns) noexcept nogil:
        pass

    cdef bint redirects(self, const Request *r, const char *text, int length, int64_t now_ns) noexcept nogil:
        return False

    cdef void opened(self, int phase) noexcept nogil:
        pass

    cdef void refused(self, int phase, int64_t now_ns) noexcept nogil:
        pass

    cdef void closed(self, int phase) noexcept nogil:
        pass

    cdef bint takes_back(self, const Request *r) noexcept nogil:
        return False
