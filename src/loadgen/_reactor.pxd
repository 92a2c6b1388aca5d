# Which sockets are ready. A reactor tells its Watcher; it knows neither connections nor protocols.

from libc.stdint cimport int64_t

cdef enum:
    BATCH = 256  # sockets served before uvloop gets its turn


cdef class Watcher:
    # `owner` is what the descriptor was watched for; never called for one that has been forgotten.
    cdef void on_socket(self, void *owner, bint readable, bint writable) noexcept
    cdef void on_timer(self) noexcept


cdef class Reactor:
    cdef Watcher watcher  # set back to None by close, which breaks the cycle
    cdef object loop
    cdef int timer

    # Reports when fd can be read and, if `writing`, when it can be written. Repeated to change `writing`.
    # 0, or -1 with errno set.
    cdef int watch(self, int fd, void *owner, bint writing) noexcept

    # Before the descriptor is closed.
    cdef void forget(self, int fd) noexcept

    # Calls on_timer once, at this monotonic time or as soon after it as the kernel wakes us. Repeated to move it.
    cdef void wake_at(self, int64_t at_ns) noexcept
