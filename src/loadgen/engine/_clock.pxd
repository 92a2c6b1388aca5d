# The monotonic clock, and the timer that wakes the engine. Time is int64 nanoseconds everywhere.
#
# Only `_time` cimports the clocks, and reactors and servers the timer: all else takes a `Time`, or the time as an
# argument.

from libc.stdint cimport int64_t

cdef extern from * nogil:
    """
    #include <errno.h>
    #include <stdint.h>
    #include <time.h>
    #include <unistd.h>
    #ifdef __linux__
    #include <sys/timerfd.h>
    #else
    #include <sys/event.h>
    #endif

    static inline int64_t loadgen_monotonic_ns(void) {
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
    }

    static inline int64_t loadgen_unix_ns(void) {
        struct timespec t;
        clock_gettime(CLOCK_REALTIME, &t);
        return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
    }

    /* 0 when a signal ended the sleep before its time. */
    static inline int loadgen_sleep_until(int64_t at_ns) {
    #ifdef __linux__
        struct timespec at = {at_ns / 1000000000, at_ns % 1000000000};
        return clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, 0) == 0;
    #else
        int64_t left_ns = at_ns - loadgen_monotonic_ns();
        struct timespec left = {left_ns / 1000000000, left_ns % 1000000000};
        return left_ns <= 0 || nanosleep(&left, 0) == 0;
    #endif
    }

    static inline int64_t loadgen_cpu_ns(int clock) {
        struct timespec t;
        clock_gettime(clock, &t);
        return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
    }
    static inline int64_t loadgen_process_cpu_ns(void) { return loadgen_cpu_ns(CLOCK_PROCESS_CPUTIME_ID); }
    static inline int64_t loadgen_thread_cpu_ns(void) { return loadgen_cpu_ns(CLOCK_THREAD_CPUTIME_ID); }

    #ifdef __linux__
    static inline int loadgen_timer_open(void) { return timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC); }

    static inline int loadgen_timer_arm(int fd, int64_t at_ns) {
        struct itimerspec spec = {{0, 0}, {at_ns / 1000000000, at_ns % 1000000000}};
        return timerfd_settime(fd, TFD_TIMER_ABSTIME, &spec, 0);
    }

    static inline void loadgen_timer_clear(int fd) {
        uint64_t expirations;
        if (read(fd, &expirations, sizeof expirations) < 0) return;
    }
    #else
    static inline int loadgen_timer_open(void) { return kqueue(); }

    static inline int loadgen_timer_arm(int fd, int64_t at_ns) {
        int64_t wait_ns = at_ns - loadgen_monotonic_ns();
        struct kevent change;
        EV_SET(&change, 1, EVFILT_TIMER, EV_ADD | EV_ONESHOT, NOTE_NSECONDS, wait_ns > 0 ? wait_ns : 1, 0);
        return kevent(fd, &change, 1, 0, 0, 0);
    }

    static inline void loadgen_timer_clear(int fd) {
        struct kevent event;
        struct timespec at_once = {0, 0};
        kevent(fd, 0, 0, &event, 1, &at_once);
    }
    #endif
    """
    int64_t monotonic_ns "loadgen_monotonic_ns"()
    int64_t unix_ns "loadgen_unix_ns"()
    # 0 when a signal ended the sleep before its time.
    bint sleep_until "loadgen_sleep_until"(int64_t at_ns)
    # The CPU time that this process, and this thread, has used.
    int64_t process_cpu_ns "loadgen_process_cpu_ns"()
    int64_t thread_cpu_ns "loadgen_thread_cpu_ns"()

    # A descriptor that becomes readable at an absolute monotonic time: a timerfd, or a kqueue with one timer in it.
    int timer_open "loadgen_timer_open"()
    # at_ns must not be 0: that would disarm a timerfd.
    int timer_arm "loadgen_timer_arm"(int fd, int64_t at_ns)
    void timer_clear "loadgen_timer_clear"(int fd)
