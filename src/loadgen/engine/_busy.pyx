"""Whose a lane's waits are. `_busy.pxd` has all of it; here is its face for tests on invented times."""

from libc.stdint cimport int64_t

KINDS = ("served", "dry", "in doubt")


cdef class InventedLane:
    """A lane without connections or a clock."""

    cdef Busy busy

    def paused(self, str kind, int64_t from_ns, int64_t to_ns, int64_t due_ns):
        """A pause of one of KINDS is over; the first request that waits was due at `due_ns`."""
        busy_paused(&self.busy, <Pause><int>KINDS.index(kind), from_ns, to_ns, due_ns)

    def block(self, int64_t now_ns):
        """A due request finds no room."""
        busy_block(&self.busy, now_ns)

    def sent(self, int64_t intended_ns, int64_t now_ns):
        """A request goes out: the generator's part of its wait for certain, and at most."""
        ours_ns = busy_ours(&self.busy, intended_ns, now_ns)
        return ours_ns, min(ours_ns + self.busy.doubt_ns, now_ns - intended_ns)

    def is_behind(self, int64_t end_ns, int64_t now_ns):
        """Whether what was due before `end_ns`, and still waits, would have gone by then but for the generator."""
        return busy_is_behind(&self.busy, end_ns, now_ns)

    def end(self):
        """None is waiting."""
        busy_end(&self.busy)


def kind_of(*, bint room=False, int ready=0, int stuck=0, int ready_after=0, int opening=0, int64_t owed=0):
    """Which of KINDS a pause was, by what was seen of the lane's connections: the fields of `Evidence`."""
    cdef Evidence e = Evidence(room, ready, stuck, ready_after, opening, owed)
    return KINDS[<int>pause_kind(&e)]
