# What happened to the requests of one worker: a tally and latency counts per phase and command.
#
# Everything is sized by the run's table of commands: of phase p and command c, the slot p * commands + c.

from libc.stdint cimport int64_t

from loadgen.engine._histogram cimport Counts, counts_record, counts_record_censored
from loadgen._request cimport PHASES, Command, Commands, Request
from loadgen.engine._sink cimport (
    ANSWERED_WELL, ANSWERED_WITH_ERROR, ENDS, TIMED_OUT, UNFINISHED, End, Sink,
)

cdef struct Tally:
    int64_t planned     # the sum of `ended`, once nothing is open
    int64_t ended[ENDS]
    int64_t hits        # of those that were answered well
    int64_t misses      # of the same
    int64_t late        # of timeouts: answered after all
    int64_t unsent      # of timeouts, lost and unfinished

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


cdef class Recorder(Sink):
    cdef readonly Commands table
    cdef const Command *rows  # of the table; borrowed from it
    cdef int commands         # how many rows
    cdef Tally *tallies       # a slot each, and so the next three; owned
    cdef Counts *response
    cdef Counts *failed       # of response: error replies, and timeouts at their age
    cdef Counts *service      # used with a schedule only: without, it would equal response
    cdef Counts lag[PHASES]   # the same, and so the next two, which it is the sum of
    cdef Counts lag_ours[PHASES]
    cdef Counts lag_backpressure[PHASES]
    cdef Counts lag_unsure[PHASES]       # of requests of which more may be ours: what is so for certain
    cdef Counts lag_unsure_most[PHASES]  # and at most
    cdef public bint scheduled
    cdef ErrorClass classes[CLASSES]
    cdef int known_classes

    # n requests of one command that were due, and never sent, while the load went on: their ages lie in one counter.
    cdef void never_sent(self, int phase, int command, int64_t n, int64_t youngest, int64_t oldest) noexcept nogil
    # Replies in time to a phase's requests, those counted apart left out.
    cdef int64_t answered(self, int phase) noexcept nogil
    # The good ones among them.
    cdef int64_t answered_well(self, int phase) noexcept nogil
    # Forgets a phase, for another load in the same process.
    cdef void clear(self, int phase) noexcept nogil

    cdef inline void note_planned(self, const Request *r) noexcept nogil:
        self.tallies[r.phase * self.commands + r.command].planned += 1

    cdef inline void note_ended(self, const Request *r, End how, bint sent, int64_t now_ns) noexcept nogil:
        """`ended`, for those who know that their sink is a recorder; so is `note_planned`."""
        cdef int slot = r.phase * self.commands + r.command
        cdef Tally *t = &self.tallies[slot]
        t.ended[<int>how] += 1
        if how == ANSWERED_WELL:
            t.hits += r.outcome == self.rows[r.command].hit
            t.misses += r.outcome == self.rows[r.command].miss
        elif how == ANSWERED_WITH_ERROR:
            counts_record(&self.failed[slot], now_ns - r.intended_ns)
        elif how == TIMED_OUT or how == UNFINISHED:
            # Its true latency is at least what it has waited. What was not sent has waited for a reply since its
            # intended time, but has no service time.
            if how == TIMED_OUT:
                counts_record_censored(&self.failed[slot], now_ns - r.intended_ns)
            counts_record_censored(&self.response[slot], now_ns - r.intended_ns)
            if self.scheduled and sent:
                counts_record_censored(&self.service[slot], now_ns - r.send_ns)
            return
        else:
            return
        counts_record(&self.response[slot], now_ns - r.intended_ns)
        if self.scheduled:
            counts_record(&self.service[slot], now_ns - r.send_ns)
