"""The Python face of a pipeline, for tests: with a lane, and without a connection."""

from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport int64_t, uint32_t, uint64_t

from loadgen._request import PHASE_NAMES

from loadgen._buffer cimport Cursor
from loadgen._codec cimport Codec
from loadgen._request cimport Request
from loadgen._siblings cimport Siblings
from loadgen.engine._history cimport History
from loadgen.engine._lane cimport Lane, has_requeued, take_requeued
from loadgen.engine._pipeline cimport (
    Pipeline, pipeline_abandon, pipeline_expire, pipeline_feed, pipeline_finish, pipeline_free, pipeline_init,
    pipeline_is_stalled, pipeline_open, pipeline_push, pipeline_push_barrier, pipeline_room,
)
from loadgen.engine._recorder cimport Recorder

cdef enum:
    OWED = 1024


cdef class PipelineFace:
    """A pipeline that tests pass invented bytes and times.

    Requests are written at once, unless `push` has `written=False`. `recorder` has the ends of requests. With
    `barriers`, there is room for the command `noop`, which is one.
    """

    cdef Pipeline p
    cdef Lane lane
    cdef uint64_t ended  # requests ever pushed: each counts as one byte
    cdef readonly Recorder recorder
    cdef Codec codec

    def __cinit__(self, Codec codec, Recorder recorder, uint32_t depth, int64_t timeout_ns, *, bint backfill=False,
                  History history=None, bint barriers=False, Siblings siblings=None):
        pipeline_init(&self.p, depth, timeout_ns, codec.commands.number("noop") if barriers else -1)
        self.codec = codec
        self.recorder = recorder
        # Tests take owed keys out only now and then.
        self.lane = Lane(recorder, max(depth, <uint32_t>OWED), backfill=backfill, history=history,
                         siblings=siblings)

    def __dealloc__(self):
        pipeline_free(&self.p)

    @property
    def room(self):
        return pipeline_room(&self.p)

    @property
    def open(self):
        """The number of requests that have not ended: replies may still arrive in time."""
        return pipeline_open(&self.p)

    def push(self, str command, str phase, int64_t intended_ns, int64_t send_ns, *, uint64_t key=0, bint written=True,
             uint64_t value=0):
        """Send a request, with this identity of its value. Raise ValueError when there is no room."""
        if pipeline_room(&self.p) == 0 and command != "noop":
            raise ValueError("the pipeline is full")
        cdef Request *r = pipeline_push_barrier(&self.p) if command == "noop" else pipeline_push(&self.p)
        r.command = self.recorder.table.number(command)
        r.phase = PHASE_NAMES.index(phase)
        r.key = key
        r.value = value
        r.process = r - self.p.ring
        r.intended_ns = intended_ns
        r.made_ns = r.send_ns = r.ready_ns = send_ns
        r.end = self.ended = self.ended + 1
        self.recorder.planned(r)
        if written:
            self.p.written = self.p.tail
            if self.recorder.scheduled:
                self.recorder.sent(r, 0, 0)

    def feed(self, bytes data, int64_t now_ns):
        """Receive bytes. Return "fed", "answers nobody", "corrupt reply" or "wrong answer"."""
        cdef bytes text = self.p.keep[:self.p.kept] + data
        cdef Cursor c
        c.at = PyBytes_AS_STRING(text)
        c.end = c.at + len(text)
        return ("fed", "answers nobody", "corrupt reply", "wrong answer")[
            <int>pipeline_feed(&self.p, self.codec, self.lane, self.recorder.scheduled, &c, now_ns)]

    def expire(self, int64_t now_ns):
        """Count requests that are past their timeout. True when the connection would be closed as stalled."""
        pipeline_expire(&self.p, self.lane, now_ns)
        return bool(pipeline_is_stalled(&self.p, now_ns))

    def abandon(self, received=None):
        """Lose the connection after the server received `received` of all requests pushed so far; None: all."""
        pipeline_abandon(&self.p, self.lane, self.ended if received is None else received, 0)

    def take_requeued(self, int64_t send_ns):
        """Send the oldest requeued request. Raise ValueError when there is none."""
        if not has_requeued(&self.lane.requeued):
            raise ValueError("nothing is requeued")
        cdef Request *r = pipeline_push(&self.p)
        take_requeued(&self.lane.requeued, r)
        r.made_ns = r.send_ns = send_ns
        r.end = self.ended = self.ended + 1
        self.p.written = self.p.tail
        if self.recorder.scheduled:
            self.recorder.sent(r, 0, 0)

    @property
    def requeued(self):
        """The number of requests that wait to be sent on another connection."""
        return <int>(self.lane.requeued.tail - self.lane.requeued.head)

    def finish(self, int64_t now_ns):
        pipeline_finish(&self.p, self.lane, now_ns)

    def owed_now(self):
        """Take out the owed keys, and return them, oldest first."""
        keys = [self.lane.owed.keys[i & self.lane.owed.mask] for i in range(self.lane.owed.head, self.lane.owed.tail)]
        self.lane.owed.head = self.lane.owed.tail
        return keys
