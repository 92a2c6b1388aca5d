# The counts of one worker's requests: a tally and latencies per phase and command.
#
# The arrays have the size of the run's table of commands: phase p and command c have the slot p * commands + c.

from libc.stdint cimport int64_t

from loadgen.engine._histogram cimport Counts, counts_record
from loadgen._request cimport OUTCOMES, PHASES, Commands, Request
from loadgen.engine._sink cimport ANSWERED_WELL, ENDS, End, Sink

cdef struct Tally:
    int64_t planned     # the sum of `ended`, once no request is open
    int64_t ended[ENDS]
    int64_t outcomes[OUTCOMES]  # requests that were answered well, by the reply's outcome
    int64_t keys        # of several keys each, in requests that were answered well
    int64_t keys_found  # those that were found, or stored
    int64_t late        # timeouts that were answered later
    int64_t unsent      # timeouts, lost and unfinished requests whose last byte was never sent

# The counts of one command in one phase.
cdef struct Account:
    Tally tally
    Counts response
    Counts failed       # the part of `response` that is error replies, and timeouts at their age
    Counts service      # used with a schedule only: without one, it would equal `response`

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


# The answers of a cluster's nodes after which a request is sent again.
cdef enum Redirect:
    MOVED = 0
    ASK_REDIRECT = 1
    TRYAGAIN = 2
    CLUSTERDOWN = 3
    LOADING = 4
    READONLY = 5
    REDIRECTS = 6


cdef class Recorder(Sink):
    cdef readonly Commands table
    cdef int commands         # rows of the table
    cdef Account *accounts    # one per slot; owned
    cdef Counts lag[PHASES]   # used with a schedule only, as are the next four; a lag is the sum of the next two
    cdef Counts lag_ours[PHASES]
    cdef Counts lag_backpressure[PHASES]
    cdef Counts lag_unsure[PHASES]       # requests whose part of ours is in doubt: the part that is certain
    cdef Counts lag_unsure_most[PHASES]  # the same requests: the largest possible part
    cdef public bint scheduled
    cdef ErrorClass classes[CLASSES]
    cdef int known_classes
    cdef int64_t redirects[PHASES][REDIRECTS]
    cdef int64_t redirected[PHASES]      # requests that were redirected at least once

    # Count n requests of one command that were due and never sent. Their ages lie in one counter of a histogram.
    cdef void never_sent(self, int phase, int command, int64_t n, int64_t youngest, int64_t oldest) noexcept nogil
    # Return how many of a phase's requests were answered before their timeout, of the commands that count in totals.
    cdef int64_t answered(self, int phase) noexcept nogil
    # Return how many of those were answered well.
    cdef int64_t answered_well(self, int phase) noexcept nogil
    # Reset a phase, for another load in the same process.
    cdef void clear(self, int phase) noexcept nogil

    # Count the keys of a request of several that was answered well.
    cdef void note_keys(self, const Request *r, int keys, int found) noexcept nogil
    # Record the latencies of a request that was not answered well.
    cdef void note_failed(self, Account *account, const Request *r, End how, bint sent, int64_t now_ns) noexcept nogil

    cdef inline void note_planned(self, const Request *r) noexcept nogil:
        self.accounts[r.phase * self.commands + r.command].tally.planned += 1

    cdef inline void note_ended(self, const Request *r, End how, bint sent, int64_t now_ns) noexcept nogil:
        """Do the same as `ended`, for callers whose sink is known to be a recorder. `note_planned` is such, too."""
        cdef Account *account = &self.accounts[r.phase * self.commands + r.command]
        account.tally.ended[<int>how] += 1
        if how != ANSWERED_WELL:
            self.note_failed(account, r, how, sent, now_ns)
            return
        account.tally.outcomes[r.outcome] += 1
        counts_record(&account.response, now_ns - r.intended_ns)
        if self.scheduled:
            counts_record(&account.service, now_ns - r.send_ns)
