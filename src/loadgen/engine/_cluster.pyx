"""Where requests go that a node of a cluster redirects. `_cluster.pxd` describes it.

Sources: the Redis cluster specification, "Redirection and resharding"; the replies of cluster.c.
"""

cimport cython

from loadgen._request cimport ASKS, MOST_REDIRECTS, REDIRECT, SENT_BEFORE
from loadgen.engine._lane cimport has_requeued, is_full, is_half_full, requeue
from loadgen.engine._recorder cimport ASK_REDIRECT, CLUSTERDOWN, LOADING, MOVED, READONLY, TRYAGAIN
from loadgen.engine._slots cimport SLOTS

cdef int64_t MS = 1_000_000

# A node that does not serve a request now is asked again after 4 ms, then after twice as long each time, up to 128 ms:
# for 1.4 s in all.
cdef int64_t FIRST_DELAY_NS = 4 * MS
cdef enum:
    MOST_DOUBLED = 5

# A request that is redirected more often than this waits before each further redirect: the nodes do not agree.
cdef enum:
    AT_ONCE = 4

LATER = {"TRYAGAIN": TRYAGAIN, "CLUSTERDOWN": CLUSTERDOWN, "LOADING": LOADING, "MASTERDOWN": CLUSTERDOWN,
         "READONLY": READONLY}


@cython.final
cdef class Cluster(Steering):
    """The lanes `lanes`, which may grow, by the owners of `slots`."""

    def __cinit__(self, Slots slots not None, list lanes not None, Recorder recorder not None):
        self.slots = slots
        self.lanes = lanes
        self.recorder = recorder
        self.primaries = {}
        self.nodes = {}

    cdef bint redirect(self, Lane lane, const Request *r, const char *text, int length, int64_t now_ns) noexcept nogil:
        with gil:
            return self.steer(lane, r, (<bytes>text[:length]).decode("utf-8", "replace"), now_ns)

    cdef void hand_over(self, Lane lane) noexcept:
        cdef Request r
        cdef Lane to
        while has_requeued(&lane.requeued):
            r = lane.requeued.ring[lane.requeued.head & lane.requeued.mask]
            to = <Lane>self.lanes[self.primaries[self.slots.owner(r.key)]]
            if to is lane or is_full(&to.requeued):
                return
            lane.requeued.head += 1
            r.resent &= ~ASKS
            requeue(&to.requeued, &r)
            self.kicked = True

    cdef bint steer(self, Lane lane, const Request *r, str words, int64_t now_ns) except -1:
        cdef int tries = r.resent // REDIRECT
        cdef int64_t delay_ns = FIRST_DELAY_NS << min(tries, MOST_DOUBLED)
        first, _, rest = words.partition(" ")
        if tries >= MOST_REDIRECTS:
            return False
        if first in LATER:
            if first != "TRYAGAIN" and first != "LOADING":
                self.stale = True
            return self.again(lane, r, LATER[first], delay_ns, False, now_ns)
        if first != "MOVED" and first != "ASK":
            return False
        why = MOVED if first == "MOVED" else ASK_REDIRECT
        slot, _, address = rest.partition(" ")
        if not slot.isdecimal() or not 0 <= int(slot) < SLOTS:
            return False
        # A node that does not know its host's address writes the port alone: the host is that of the node that says so.
        node = self.nodes.get(address if not address.startswith(":") else lane.node.rpartition(":")[0] + address)
        if node is None:
            self.stale = True
            return self.again(lane, r, why, delay_ns, False, now_ns)
        to = <Lane>self.lanes[node]
        if why == MOVED:
            self.slots.assign(int(slot), to.shard)
            self.moved = True
        if is_half_full(&to.requeued):
            # The node does not keep up with what it gets from all others: the request stays here for a while.
            return self.again(lane, r, why, delay_ns, False, now_ns)
        return self.again(to, r, why, delay_ns if tries >= AT_ONCE else 0, why == ASK_REDIRECT, now_ns)

    cdef bint again(self, Lane lane, const Request *r, Redirect why, int64_t delay_ns, bint asks,
                    int64_t now_ns) noexcept:
        """Have a lane send a request again; False when it has no room."""
        cdef Request copy = r[0]
        if is_full(&lane.requeued):
            return False
        self.recorder.redirects[r.phase][<int>why] += 1
        self.recorder.redirected[r.phase] += r.resent < REDIRECT
        copy.resent = (r.resent & ~ASKS | SENT_BEFORE | asks * ASKS) + REDIRECT
        copy.made_ns = now_ns + delay_ns
        requeue(&lane.requeued, &copy)
        self.kicked = True
        return True
