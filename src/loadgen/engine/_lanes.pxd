# The lanes of one worker: one for each server or, in a cluster, for each shard and each replica that is read from. They
# are made here, with their connections, and each has its share of the load.
#
# In a cluster, what belongs to a lane changes while it runs: slots have other owners, shards other nodes, and there are
# more lanes. The shares follow, and what a lane without keys was to send becomes the others' to send.
#
# Lanes send nothing and know no modes: the engine says when to look, is told when there is something to send, and
# begins the lanes that are new.

from libc.stdint cimport int64_t

from loadgen._request cimport Commands
from loadgen.engine._cluster cimport Cluster
from loadgen.engine._history cimport History
from loadgen.engine._lane cimport Lane, Steering
from loadgen.engine._moment cimport Moment
from loadgen.engine._pool cimport Pool
from loadgen.engine._recorder cimport Recorder
from loadgen.engine._route cimport Route
from loadgen.engine._workload cimport Draws

cdef int64_t UNLIMITED        # more requests than any load has


cdef class Lanes:
    cdef list all             # by number
    cdef Cluster cluster      # None: there is none
    cdef Steering steering    # of each new lane; the cluster, or what stands before it
    cdef Route route          # the shard of each key
    cdef Draws draws          # the keys of all lanes
    cdef bint mirrored        # each lane has the same requests at the same times, from draws of its own
    cdef int64_t requests     # of this worker's measure window; UNLIMITED: as many as the window's time allows
    cdef Pool pool            # has their connections
    cdef Commands table
    cdef Recorder recorder
    cdef History history      # None: no history is kept
    cdef object plan
    cdef object own           # this worker's part of the plan
    cdef int index            # of the worker
    cdef list of_workers      # each worker's share of the load
    cdef list of_slots        # each slot's part of the requests; None: slots are not told apart
    cdef Moment summed        # to add moments in; None until there is a use

    # Lanes as they are made. `late` is one that the plan does not have, and that writes no keys of a prefill.
    cdef Draws new_draws(self)
    cdef Lane add(self, placement, int connections, bint late)
    # Note which node serves a lane of a cluster, and which requests go there.
    cdef int place(self, Lane lane, placement) except -1
    # Return the part of a shard's requests that a lane sends: of those with a command, and of all.
    cdef double part(self, Lane lane, str command) except -1
    cdef double of_shard(self, Lane lane) except -1
    # Return each lane's share of the load, by the slots of its shard: fractions that add up to 1.
    cdef list shares(self)
    cdef int divide(self) except -1

    # Divide the requests of a measure window, or 0 for UNLIMITED, among workers, and this worker's among lanes.
    cdef int apportion(self, int64_t requests) except -1
    # Return the number of lanes that have requests of the window left to send.
    cdef int to_go(self) noexcept

    # Changes of a cluster. `follow` takes over a later topology but for the shares, and returns the new lanes.
    cdef list follow(self, topology, int64_t now_ns)
    # Give each lane its share anew, after slots have changed owners. `sending`: what is due by now is to be sent.
    # Return True when lanes have requests to send that had none.
    cdef bint reshare(self, int64_t now_ns, bint sending) except -1
    cdef bint inherit_requests(self) noexcept
    cdef void inherit_due(self, Lane lane, int64_t now_ns) noexcept
    # The same for a prefill's keys that are left of a lane without a node, to a lane that has written its own.
    cdef bint inherit_keys(self) noexcept
    # Have no lane of a closed loop wait for one that has sent its part, is not connected, or whose server is silent.
    cdef void look_for_stalls(self) noexcept

    # Counts over all lanes: keys of a prefill that are not sent yet or are to be sent again; requests that were sent
    # long after the window because of the generator alone; by server, the fields of `snapshot.NodeCounts` by name.
    cdef bint is_behind(self) noexcept
    cdef int64_t pending_keys(self) noexcept
    cdef int64_t overdue(self) noexcept
    cdef dict moments(self)
    cdef dict nodes(self, int phase)
