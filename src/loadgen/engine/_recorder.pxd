# What happened to the requests of one worker: a tally and latency counts per phase and command.
#
# A request is planned once, and ends once, in exactly one of ok, errors, timeouts, lost, corrupt, unfinished.

from libc.stdint cimport int64_t

from loadgen.engine._histogram cimport Counts, counts_record, counts_record_censored
from loadgen._request cimport COMMANDS, ERROR_REPLY, MISS, PHASES, Request

cdef struct Tally:
    int64_t planned
    int64_t ok
    int64_t errors
    int64_t timeouts
    int64_t lost
    int64_t corrupt
    int64_t unfinished
    int64_t hits      # of ok
    int64_t misses    # of ok
    int64_t late      # of timeouts: answered after all
    int64_t unsent    # of timeouts, lost and unfinished

# Error replies are counted by the first word of their text.
cdef enum:
    CLASSES = 32
    CLASS_NAME = 32
    CLASS_EXAMPLE = 200

cdef struct ErrorClass:
    int64_t count[PHASES]
    int name_length
    int example_length
    char name[CLASS_NAME]
    char example[CLASS_EXAMPLE]  # the first reply of the class


cdef class Recorder:
    cdef Tally tallies[PHASES][COMMANDS]
    cdef Counts response[PHASES][COMMANDS]
    cdef Counts failed[PHASES][COMMANDS]   # of response: error replies, and timeouts at their age
    cdef Counts service[PHASES][COMMANDS]  # used with a schedule only: without, it would equal response
    cdef Counts lag[PHASES]                # the same, and so the next two, which it is the sum of
    cdef Counts lag_ours[PHASES]
    cdef Counts lag_backpressure[PHASES]
    cdef Counts lag_unsure[PHASES]       # of requests of which more may be ours: what is so for certain
    cdef Counts lag_unsure_most[PHASES]  # and at most
    cdef public bint scheduled
    cdef ErrorClass classes[CLASSES]
    cdef int known_classes

    cdef inline void planned(self, const Request *r) noexcept nogil:
        self.tallies[r.phase][r.command].planned += 1

    cdef inline void sent(self, const Request *r, int64_t ours_ns, int64_t doubt_ns) noexcept nogil:
        """With a schedule: its last byte went to the kernel at r.send_ns.

        So much of the delay was the generator's for certain, and as much more may have been. That it is sent again is
        the server's doing, and its lag has been counted.
        """
        cdef int64_t lag_ns = r.send_ns - r.intended_ns
        if r.resent:
            return
        counts_record(&self.lag[r.phase], lag_ns)
        counts_record(&self.lag_ours[r.phase], ours_ns)
        counts_record(&self.lag_backpressure[r.phase], lag_ns - ours_ns)
        if doubt_ns:
            counts_record(&self.lag_unsure[r.phase], ours_ns)
            counts_record(&self.lag_unsure_most[r.phase], min(ours_ns + doubt_ns, lag_ns))

    cdef inline void replied(self, const Request *r, int outcome, int64_t now_ns) noexcept nogil:
        """A reply to a request in time. An error reply's text goes to `classified` beside."""
        cdef Tally *t = &self.tallies[r.phase][r.command]
        if outcome == ERROR_REPLY:
            t.errors += 1
            counts_record(&self.failed[r.phase][r.command], now_ns - r.intended_ns)
        else:
            t.ok += 1
            t.hits += outcome < MISS
            t.misses += outcome >= MISS
        self.took(r, now_ns)

    cdef inline void took(self, const Request *r, int64_t now_ns) noexcept nogil:
        counts_record(&self.response[r.phase][r.command], now_ns - r.intended_ns)
        if self.scheduled:
            counts_record(&self.service[r.phase][r.command], now_ns - r.send_ns)

    # It was not answered within the timeout. Its true latency is at least what it has waited.
    # What was not sent has waited for a reply from its intended time, but has no service time.
    cdef void timed_out(self, const Request *r, bint sent, int64_t now_ns) noexcept nogil
    cdef void late(self, const Request *r) noexcept nogil
    cdef void lost(self, const Request *r) noexcept nogil
    # Beside timed_out, lost or unfinished: its last byte never went to the kernel.
    cdef void unsent(self, const Request *r) noexcept nogil
    cdef void corrupt(self, const Request *r) noexcept nogil
    cdef void unfinished(self, const Request *r, bint sent, int64_t now_ns) noexcept nogil
    # n requests of one command that were due, and never sent, while the load went on: their ages lie in one counter.
    cdef void never_sent(self, int phase, int command, int64_t n, int64_t youngest, int64_t oldest) noexcept nogil
    cdef void classified(self, int phase, const char *text, int length) noexcept nogil
    # Replies in time to a phase's requests, backfills left out.
    cdef int64_t answered(self, int phase) noexcept nogil
    # The good ones among them.
    cdef int64_t answered_well(self, int phase) noexcept nogil
    # Forgets a phase, for another load in the same process.
    cdef void clear(self, int phase) noexcept nogil
    cdef void waited(self, const Request *r, bint sent, int64_t now_ns) noexcept nogil
