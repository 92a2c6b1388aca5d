# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Loops in C around the functions that every request goes through: what one call costs, in ns of CPU time.

Built by micro.py for the benchmark only; nothing of it is in the package.
"""

from libc.math cimport exp
from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from loadgen._buffer cimport Cursor
from loadgen._codec cimport REPLY, Codec, Decoder
from loadgen.engine._histogram cimport Counts, counts_free, counts_init, counts_record
from loadgen.engine._random cimport Random, random_below, random_seed, random_unit
from loadgen.engine._recorder cimport Recorder
from loadgen._request cimport HIT, MEASURE, Request
from loadgen.engine._sink cimport ANSWERED_WELL

cdef extern from "time.h" nogil:
    cdef struct timespec:
        long tv_sec
        long tv_nsec
    int CLOCK_PROCESS_CPUTIME_ID
    int clock_gettime(int clock, timespec *t)

# Calls go round so many different requests, replies or latencies: more than a branch predictor learns by heart, and few
# enough to stay in the nearest cache, as what a worker has at hand does.
cdef enum:
    DIFFERENT = 256
    KEYS = 10000
    # As many as a deep pipeline has in one read or write.
    BATCH = 32


cdef double cpu_ns() noexcept nogil:
    cdef timespec t
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t)
    return t.tv_sec * 1e9 + t.tv_nsec


def encode_get(Codec codec, int64_t calls):
    """GETs of random keys, encoded one behind the other, BATCH of them to a buffer."""
    cdef Request requests[DIFFERENT]
    cdef Random random
    cdef int64_t i, written = 0
    cdef double began
    cdef int get = codec.commands.number("get")
    cdef char *out = <char *>malloc(BATCH * (codec.longest + 64) + 64)
    cdef char *at = out
    if out == NULL:
        raise MemoryError()
    random_seed(&random, 1, 1)
    memset(requests, 0, sizeof(requests))
    for i in range(DIFFERENT):
        requests[i].command = get
        requests[i].key = random_below(&random, KEYS)
    with nogil:
        began = cpu_ns()
        for i in range(calls):
            if i % BATCH == 0:
                written += at - out
                at = out
            at += codec.encode(&requests[i % DIFFERENT], 0, NULL, at)
        began = cpu_ns() - began
    written += at - out
    free(out)
    if written < calls * 20:
        raise AssertionError("these are no GETs")
    return began / calls


def decode_get(Codec codec, bytes reply, int64_t calls):
    """The reply to a GET, BATCH of them in one buffer, decoded one after the other."""
    cdef Decoder decoder
    cdef Cursor cursor
    cdef int64_t i, hits = 0
    cdef double began
    cdef Py_ssize_t length = len(reply)
    cdef bytes replies = reply * BATCH
    cdef int get = codec.commands.number("get")
    cdef const char *start = replies
    memset(&decoder, 0, sizeof(decoder))
    with nogil:
        began = cpu_ns()
        for i in range(calls):
            if i % BATCH == 0:
                cursor.at = start
                cursor.end = start + BATCH * length
            if codec.decode(&decoder, &cursor, get) == REPLY:
                hits += decoder.outcome == HIT
        began = cpu_ns() - began
    if hits != calls:
        raise AssertionError(f"{calls - hits} of {calls} replies were no hits")
    return began / calls


cdef void fill_latencies(int64_t *latencies) noexcept:
    """Log-normal, roughly, around 100 µs: the sum of twelve uniform numbers stands for a normal one."""
    cdef Random random
    cdef double normal
    cdef int i
    random_seed(&random, 2, 1)
    for i in range(DIFFERENT):
        normal = -6.0
        for _ in range(12):
            normal += random_unit(&random)
        latencies[i] = <int64_t>(100000.0 * exp(0.4 * normal))


def record(int64_t calls):
    """One value into a histogram."""
    cdef int64_t latencies[DIFFERENT]
    cdef Counts counts
    cdef int64_t i
    cdef double began
    fill_latencies(latencies)
    counts_init(&counts)
    with nogil:
        began = cpu_ns()
        for i in range(calls):
            counts_record(&counts, latencies[i % DIFFERENT])
        began = cpu_ns() - began
    total = counts.total
    counts_free(&counts)
    if total != calls:
        raise AssertionError(f"{total} of {calls} were recorded")
    return began / calls


def record_reply(int64_t calls):
    """Everything that is recorded of one reply in a closed loop: the tally of its command and the histogram."""
    cdef int64_t latencies[DIFFERENT]
    cdef Recorder recorder = Recorder()
    cdef Request request
    cdef int64_t i
    cdef double began
    fill_latencies(latencies)
    memset(&request, 0, sizeof(request))
    request.phase = MEASURE
    request.outcome = HIT
    recorder.note_planned(&request)
    with nogil:
        began = cpu_ns()
        for i in range(calls):
            recorder.note_ended(&request, ANSWERED_WELL, True, latencies[i % DIFFERENT])
        began = cpu_ns() - began
    if recorder.counts(MEASURE)["tallies"]["get"]["ok"] != calls:
        raise AssertionError("replies were not counted")
    return began / calls
