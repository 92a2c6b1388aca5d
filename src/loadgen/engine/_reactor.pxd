# Which sockets are ready. A reactor tells its Watcher; it knows neither connections nor protocols.

from libc.stdint cimport int64_t

cdef enum:
    BATCH = 256  # sockets served before uvloop gets its turn


cdef class Watcher:
    # `owner` is what the descriptor was watched for; never called for one that has been forgotten.
    cdef void on_socket(self, void *owner, bint readable, bint writable) noexcept
    cdef void on_timer(self) noexcept
    # Once, after `sweep`: every socket that was readable then has been reported.
    cdef void on_swept(self) noexcept


cdef class Reactor:
    cdef Watcher watcher  # set back to None by close, which breaks the cycle
    cdef object loop
    cdef int timer
    cdef bint spinning
    cdef bint sweeping
    cdef int64_t due_ns   # while spinning: when on_timer is to be called

    # Reports when fd can be read and, if `writing`, when it can be written. Repeated to change `writing`.
    # 0, or -1 with errno set.
    cdef int watch(self, int fd, void *owner, bint writing) noexcept

    # Before the descriptor is closed.
    cdef void forget(self, int fd) noexcept

    # While on, asks for what is ready again and again instead of sleeping until it is: a whole CPU, for wake-ups in a
    # microsecond.
    cdef void spin(self, bint on) noexcept
    # One turn of that: looks at the sockets once.
    cdef void look(self) noexcept

    # Reports all that is readable now before anything else happens, and then calls on_swept. Asked for in a report.
    cdef void sweep(self) noexcept

    # Calls on_timer once, at this monotonic time or as soon after it as the kernel wakes us. Repeated to move it.
    cdef void wake_at(self, int64_t at_ns) noexcept
