"""The Python face of `_busy.pxd`, for tests on invented times."""

from libc.stdint cimport int64_t

KINDS = ("served", "dry", "in doubt")


cdef class InventedLane:
    """A lane without connections or a clock."""

    cdef Busy busy

    def paused(self, str kind, int64_t from_ns, int64_t to_ns, int64_t due_ns):
        """Count a finished pause of one of KINDS; the first request that waits was due at `due_ns`."""
        busy_paused(&self.busy, <Pause><int>KINDS.index(kind), from_ns, to_ns, due_ns)

    def block(self, int64_t now_ns):
        """Note that a due request finds no room."""
        busy_block(&self.busy, now_ns)

    def sent(self, int64_t intended_ns, int64_t now_ns):
        """Return the generator's part of the wait of a request sent now: for certain, and at most."""
        ours_ns = busy_ours(&self.busy, intended_ns, now_ns)
        return ours_ns, min(ours_ns + self.busy.doubt_ns, now_ns - intended_ns)

    def is_behind(self, int64_t end_ns, int64_t now_ns):
        """True when requests due before `end_ns` that still wait would have been sent by then but for the generator."""
        return busy_is_behind(&self.busy, end_ns, now_ns)

    def end(self):
        """End the busy period, as no request is waiting."""
        busy_end(&self.busy)


def kind_of(*, bint room=False, int ready=0, int stuck=0, int ready_after=0, int opening=0, int64_t owed=0):
    """Return the kind of a pause, one of KINDS, by the state of the lane's connections: the fields of `Evidence`."""
    cdef Evidence e = Evidence(room, ready, stuck, ready_after, opening, owed)
    return KINDS[<int>pause_kind(&e)]
