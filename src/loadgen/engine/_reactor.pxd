# Which streams are ready, and what is to be done at what time. A reactor tells its Watcher; it knows neither
# connections nor protocols.

from libc.stdint cimport int64_t

from loadgen.engine._time cimport Time

cdef enum:
    BATCH = 256  # streams that one look reports at most


cdef class Watcher:
    # `owner` is what the stream was watched for; never called for one that has been forgotten.
    cdef void on_stream(self, void *owner, bint readable, bint writable) noexcept
    cdef void on_timer(self) noexcept
    # Once, after `sweep`: every stream that was readable then has been reported.
    cdef void on_swept(self) noexcept


cdef class Reactor:
    cdef readonly Time time
    cdef Watcher watcher   # None before `serve` and after `close`, which breaks the cycle
    cdef bint sweeping
    cdef int64_t wake_ns   # when on_timer is to be called
    cdef list calls        # what else is to be called, and when: a heap of (ns, number, callable)
    cdef int64_t numbers   # of calls so far

    # Begins to report.
    cdef int serve(self, Watcher watcher) except -1

    # Reports when a stream can be read and, if `writing`, when it can be written. Repeated to change `writing`.
    # 0, or -1 where that cannot be done.
    cdef int watch(self, int stream, void *owner, bint writing) noexcept

    # Before the stream is closed.
    cdef void forget(self, int stream) noexcept

    # While on, asks for what is ready again and again instead of sleeping until it is: a whole CPU, for wake-ups in a
    # microsecond.
    cdef void spin(self, bint on) noexcept

    # Reports all that is readable now before anything else happens, and then calls on_swept. Asked for in a report.
    cdef void sweep(self) noexcept

    # Calls on_timer once, at this monotonic time or as soon after it as can be. Repeated to move it.
    cdef void wake_at(self, int64_t at_ns) noexcept

    # The subclass's: the next time at which something is to be done has changed.
    cdef void arm(self) noexcept
    # When that is; NEVER where there is nothing.
    cdef int64_t next_ns(self) noexcept
    # Its time has come.
    cdef void ring(self) noexcept


# A reactor on an event loop.
cdef class Looped(Reactor):
    cdef object loop
    cdef int timer         # a descriptor that becomes readable at …
    cdef int64_t armed_ns  # … this time
    cdef bint ringing      # the timer is armed once that is over
    cdef bint spinning
    cdef bint turning      # the loop has been asked for a turn

    # Looks at the streams once.
    cdef void look(self) noexcept
    cdef void spin_a_while(self) noexcept
