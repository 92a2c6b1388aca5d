# Ready streams and calls at given times, reported to a Watcher. A reactor knows neither connections nor protocols.

from libc.stdint cimport int64_t

from loadgen.engine._time cimport Time

cdef enum:
    BATCH = 256  # the most streams that one look reports


cdef class Watcher:
    # Handle a ready stream. `owner` is that of `watch`. Never called for a stream that has been forgotten.
    cdef void on_stream(self, void *owner, bint readable, bint writable) noexcept
    cdef void on_timer(self) noexcept
    # Called once after `sweep`, when every stream that was readable then has been reported.
    cdef void on_swept(self) noexcept


cdef class Reactor:
    cdef readonly Time time
    cdef Watcher watcher   # None before `serve` and after `close`, which breaks the cycle
    cdef bint sweeping
    cdef int64_t wake_ns   # when on_timer is called next
    cdef list calls        # the calls of `at`: a heap of (ns, number, callable)
    cdef int64_t numbers   # of calls so far

    # Begin to report to `watcher`.
    cdef int serve(self, Watcher watcher) except -1

    # Report when a stream is readable and, with `writing`, when it is writable. Call again to change `writing`. Return
    # 0, or -1 when the stream cannot be watched.
    cdef int watch(self, int stream, void *owner, bint writing) noexcept

    # Stop reporting a stream. Call before the stream is closed.
    cdef void forget(self, int stream) noexcept

    # While `on`, poll again and again instead of sleeping: this takes a whole CPU, for wake-ups in a microsecond.
    cdef void spin(self, bint on) noexcept

    # Report all streams that are readable now before anything else happens, then call on_swept. Call within a report.
    cdef void sweep(self) noexcept

    # Call on_timer once, at this monotonic time or as soon after it as possible. Call again to move the time.
    cdef void wake_at(self, int64_t at_ns) noexcept

    # Set the subclass's timer, after the time of the next call has changed.
    cdef void arm(self) noexcept
    # Return the time of the next call; NEVER when there is none.
    cdef int64_t next_ns(self) noexcept
    # Make the calls whose time has come.
    cdef void ring(self) noexcept


# A reactor on an event loop.
cdef class Looped(Reactor):
    cdef object loop
    cdef int timer         # a descriptor that becomes readable at …
    cdef int64_t armed_ns  # … this time
    cdef bint ringing      # calls are being made, and the timer is armed after them
    cdef bint spinning
    cdef bint turning      # the loop will call `on_turn`

    # Report the streams that are ready now.
    cdef void look(self) noexcept
    cdef void spin_a_while(self) noexcept
