# The lanes of a cluster: which of them serves a slot, and where a request goes that a node redirects.
#
# A lane has a shard, and a node of the shard that serves it now. A node's answer MOVED changes the owner of a slot at
# once. What the lanes cannot know, such as a new node, or who takes over from a node that is gone, comes from outside
# as a topology; `stale` says that one is wanted.

from libc.stdint cimport int64_t

from loadgen._request cimport Request
from loadgen.engine._lane cimport Lane, Steering
from loadgen.engine._recorder cimport Recorder, Redirect
from loadgen.engine._slots cimport Slots


cdef class Cluster(Steering):
    cdef Slots slots
    cdef Recorder recorder
    cdef list lanes           # by number; those of the engine
    cdef dict primaries       # the lane that serves all commands of a shard, by the shard's number
    cdef dict nodes           # that lane, by the address of its node, as nodes write it
    cdef bint stale           # a topology is wanted
    cdef bint kicked          # a request waits to be sent again
    cdef bint moved           # slots have changed owners since shares were last made

    # Give the requests that a lane is to send again to those that their keys belong to now.
    cdef void hand_over(self, Lane lane) noexcept
    cdef bint steer(self, Lane lane, const Request *r, str words, int64_t now_ns) except -1
    cdef bint again(self, Lane lane, const Request *r, Redirect why, int64_t delay_ns, bint asks,
                    int64_t now_ns) noexcept
