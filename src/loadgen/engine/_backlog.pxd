# The requests that were due and were never sent: counted in bulk, at their exact ages.
#
# A schedule that cannot be kept may leave billions of requests behind, which are no more than a stretch of the
# schedule. They are counted a histogram's counter at a time, so time and memory do not grow with their number.

from libc.stdint cimport int64_t

from loadgen.engine._moment cimport Moment
from loadgen.engine._recorder cimport Recorder
from loadgen.engine._schedule cimport Schedule
from loadgen.engine._workload cimport Workload

# Take every request that is due before `until_ns`, at most `most`, and count each as unfinished at `now_ns`, which is
# not before `until_ns`. Return the number of requests. Their commands follow the mix's weights. A moment, if there is
# one, counts those of the measure phase as well.
cdef int64_t backlog_count(Schedule schedule, Workload workload, Recorder recorder, Moment moment, int phase,
                           int64_t until_ns, int64_t now_ns, int64_t most) noexcept
