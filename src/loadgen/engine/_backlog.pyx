"""The requests that were due and were never sent, counted in bulk; `_backlog.pxd` describes how."""

from libc.stdint cimport int64_t
from libc.string cimport memset

from loadgen._request import PHASE_NAMES

from loadgen.engine._histogram cimport counter_of, lowest_equivalent
from loadgen.engine._recorder cimport Recorder
from loadgen._request cimport MEASURE, MOST_COMMANDS
from loadgen.engine._moment cimport Moment
from loadgen.engine._schedule cimport Schedule
from loadgen.engine._workload cimport Workload


cdef int64_t backlog_count(Schedule schedule, Workload workload, Recorder recorder, Moment moment, int phase,
                           int64_t until_ns, int64_t now_ns, int64_t most) noexcept:
    cdef int64_t counted[MOST_COMMANDS]
    cdef int64_t mixed[MOST_COMMANDS]
    cdef int64_t n = 0, youngest, oldest, in_counter_until_ns
    cdef int command
    memset(counted, 0, sizeof(counted))
    memset(mixed, 0, sizeof(mixed))
    while n < most and schedule.next_ns < until_ns:
        oldest = now_ns - schedule.next_ns
        # The requests whose ages fall into the same counter are due before this.
        in_counter_until_ns = now_ns - lowest_equivalent(counter_of(oldest)) + 1
        n += schedule.skip(min(until_ns, in_counter_until_ns), most - n)
        youngest = now_ns - schedule.taken_ns
        workload.mix(n, mixed)
        for command in range(recorder.commands):
            if mixed[command] > counted[command]:
                recorder.never_sent(phase, command, mixed[command] - counted[command], youngest, oldest)
                if moment is not None and phase == MEASURE:
                    moment.note_never_sent(command, mixed[command] - counted[command], youngest, oldest)
                counted[command] = mixed[command]
    return n


def count(Schedule schedule, Workload workload, Recorder recorder, str phase, int64_t until_ns, int64_t now_ns,
          int64_t most):
    """Call `backlog_count`, for tests; return the number of requests taken from the schedule."""
    return backlog_count(schedule, workload, recorder, None, PHASE_NAMES.index(phase), until_ns, now_ns, most)
