"""Defective engines of a cluster; `_steerings.pxd` lists their parts."""

from libc.string cimport memcmp


cdef class Before(Steering):
    """A steering with no defect."""

    cdef bint redirect(self, Lane lane, const Request *r, const char *text, int length, int64_t now_ns) noexcept nogil:
        return self.behind.redirect(lane, r, text, length, now_ns)


cdef class AskForMoved(Before):
    """A steering that takes a slot on its way for one that has moved, and sends no ASKING."""

    cdef bint redirect(self, Lane lane, const Request *r, const char *text, int length, int64_t now_ns) noexcept nogil:
        if length < 4 or memcmp(text, b"ASK ", 4) != 0:
            return self.behind.redirect(lane, r, text, length, now_ns)
        with gil:
            words = b"MOVED " + (<bytes>text[:length])[4:]
            return self.behind.redirect(lane, r, words, len(words), now_ns)


cdef class Twice(Before):
    """A steering that sends a request to two nodes when one of them redirects it."""

    cdef bint redirect(self, Lane lane, const Request *r, const char *text, int length, int64_t now_ns) noexcept nogil:
        self.behind.redirect(lane, r, text, length, now_ns)
        return self.behind.redirect(lane, r, text, length, now_ns)


cdef class GivesUp(Before):
    """A steering that lets a request fail when a node asks to try it again, or at another one."""

    cdef bint redirect(self, Lane lane, const Request *r, const char *text, int length, int64_t now_ns) noexcept nogil:
        return False


cdef class Steered(Engine):
    """An engine with the steering of `before`, a class, before its own."""

    before = Before

    def __init__(self, *arguments):
        cdef Before before = self.before()
        cdef Lane lane
        before.behind = self.lanes.steering
        self.lanes.steering = before
        for lane in self.lanes.all:
            lane.steering = before


class EngineAskForMoved(Steered):
    before = AskForMoved


class EngineTwice(Steered):
    before = Twice


class EngineGivesUp(Steered):
    before = GivesUp


class EngineWithoutTopology(Engine):
    """An engine that keeps the nodes with which it began."""

    def reroute(self, topology):
        pass
