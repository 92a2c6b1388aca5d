# What was due and was never sent: counted in bulk, at the exact ages that it has.
#
# A schedule that nobody can keep may leave billions of requests behind, which are no more than a stretch of it. They
# are counted a histogram's counter at a time, so that it takes no longer and no more memory however many they are.

from libc.stdint cimport int64_t

from loadgen.engine._recorder cimport Recorder
from loadgen.engine._schedule cimport Schedule
from loadgen.engine._workload cimport Workload

# Takes every request that is due before `until_ns`, of `most` at most, and counts it as unfinished at `now_ns`, which
# is not before `until_ns`. Returns how many those are. Their commands are as the mix's weights say.
cdef int64_t backlog_count(Schedule schedule, Workload workload, Recorder recorder, int phase, int64_t until_ns,
                           int64_t now_ns, int64_t most) noexcept
