"""The history of one worker's requests. `_history.pxd` describes its layout and its steps."""

import os
from binascii import crc32

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.errno cimport EINTR, ENOSPC, errno
from libc.stdint cimport INT64_MAX, UINT64_MAX
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memset

cimport cython
from posix.unistd cimport SEEK_CUR, SEEK_END, ftruncate, lseek, write

from loadgen._mark cimport MARK_BYTES as MARK, MOST_MARKING_WORKERS, WORKER_SHIFT, identity_of, is_sampled, write_mark
from loadgen._request cimport MISS, NOT_FOUND, NOT_STORED, PRECHECK, READ, REMOVE, WRITE
from loadgen.verify.history cimport _operation as form
from loadgen.engine._sink cimport ANSWERED_WELL, LOST, UNFINISHED

MARK_BYTES = MARK
OUTCOME_NAMES = ("ok", "not_done", "unknown", "miss")

cdef extern from * nogil:
    """
    #include <stddef.h>
    #include <stdint.h>
    #if defined(__x86_64__) && defined(__GNUC__)
    #include <immintrin.h>

    static int loadgen_folds(void) {
        return __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
    }

    #define LOADGEN_FOLD(x, k, y) _mm_xor_si128(_mm_xor_si128( \
        _mm_clmulepi64_si128(x, k, 0x00), _mm_clmulepi64_si128(x, k, 0x11)), y)

    /* zlib's CRC-32 of a multiple of 16 bytes, at least 64, by carry-less multiplication: the bytes are folded into 64,
       these into 16, and these are reduced (Gopal et al., Fast CRC Computation for Generic Polynomials Using PCLMULQDQ,
       Intel 2009, with its constants for the reflected polynomial 0xEDB88320). */
    __attribute__((target("pclmul,sse4.1")))
    static uint32_t loadgen_folded_crc32(const void *data, size_t length) {
        const __m128i *at = (const __m128i *)data;
        const __m128i low = _mm_setr_epi32(-1, 0, -1, 0);
        __m128i k = _mm_set_epi64x(0x1c6e41596, 0x154442bd4);
        __m128i a = _mm_xor_si128(_mm_loadu_si128(at), _mm_cvtsi32_si128(-1));
        __m128i b = _mm_loadu_si128(at + 1), c = _mm_loadu_si128(at + 2), d = _mm_loadu_si128(at + 3), e;
        for (at += 4, length -= 64; length >= 64; at += 4, length -= 64) {
            a = LOADGEN_FOLD(a, k, _mm_loadu_si128(at));
            b = LOADGEN_FOLD(b, k, _mm_loadu_si128(at + 1));
            c = LOADGEN_FOLD(c, k, _mm_loadu_si128(at + 2));
            d = LOADGEN_FOLD(d, k, _mm_loadu_si128(at + 3));
        }
        k = _mm_set_epi64x(0x0ccaa009e, 0x1751997d0);
        a = LOADGEN_FOLD(a, k, b);
        a = LOADGEN_FOLD(a, k, c);
        a = LOADGEN_FOLD(a, k, d);
        for (; length >= 16; at++, length -= 16) a = LOADGEN_FOLD(a, k, _mm_loadu_si128(at));
        a = _mm_xor_si128(_mm_srli_si128(a, 8), _mm_clmulepi64_si128(a, k, 0x10));
        k = _mm_set_epi64x(0, 0x163cd6124);
        a = _mm_xor_si128(_mm_srli_si128(a, 4), _mm_clmulepi64_si128(_mm_and_si128(a, low), k, 0x00));
        k = _mm_set_epi64x(0x1f7011641, 0x1db710641);
        e = _mm_and_si128(_mm_clmulepi64_si128(_mm_and_si128(a, low), k, 0x10), low);
        a = _mm_xor_si128(a, _mm_clmulepi64_si128(e, k, 0x00));
        return ~(uint32_t)_mm_extract_epi32(a, 1);
    }
    #else
    static int loadgen_folds(void) { return 0; }
    static uint32_t loadgen_folded_crc32(const void *data, size_t length) { return 0; }
    #endif
    """
    bint folds "loadgen_folds"()
    uint32_t folded_crc32 "loadgen_folded_crc32"(const void *data, size_t length)

# "GBLK", by which a file's reader knows a block.
cdef enum:
    MAGIC = 0x4B4C4247

# Redis checks these before it runs a command. `ERR` is not among them: proxies say so of a server that did not answer
# them in time.
cdef list REDIS_REFUSALS = [
    b"OOM", b"LOADING", b"READONLY", b"MISCONF", b"MASTERDOWN", b"NOREPLICAS", b"NOAUTH", b"NOPERM", b"WRONGTYPE",
    b"WRONGPASS", b"MOVED", b"ASK", b"CLUSTERDOWN", b"TRYAGAIN", b"CROSSSLOT", b"BUSY",
]
# memcached's, which are whole beginnings: a SERVER_ERROR of a proxy is not one of them.
cdef list MEMCACHED_REFUSALS = [
    b"ERROR", b"CLIENT_ERROR", b"SERVER_ERROR out of memory", b"SERVER_ERROR object too large",
]

cdef enum:
    MOST_REFUSALS = 32
    LONGEST_REFUSAL = 32

cdef struct Refusal:
    int length
    char text[LONGEST_REFUSAL]

cdef Refusal refusals[MOST_REFUSALS]
cdef int known_refusals = 0


cdef int know_refusals() except -1:
    global known_refusals
    cdef bytes text
    cdef int i
    for text in REDIS_REFUSALS + MEMCACHED_REFUSALS:
        refusals[known_refusals].length = len(text)
        for i in range(len(text)):
            refusals[known_refusals].text[i] = text[i]
        known_refusals += 1
    return 0


know_refusals()


cdef bint is_refusal(const char *text, int length) noexcept nogil:
    cdef int i, n
    for i in range(known_refusals):
        n = refusals[i].length
        if length >= n and memcmp(text, refusals[i].text, n) == 0 and (length == n or text[n] == c' '):
            return True
    return False


def refuses(bytes text):
    """True for the text of an error reply after which it is sure that nothing has been changed and never will be."""
    return bool(is_refusal(text, len(text)))


def marked(uint64_t run, uint64_t key, uint64_t identity):
    """Return the bytes that the value of a write begins with."""
    cdef char head[MARK]
    write_mark(head, run, key, identity)
    return head[:MARK]


def identity(uint64_t run, uint64_t key, bytes head):
    """Return the identity of a value that was read, by its first MARK_BYTES bytes, or all of fewer."""
    return identity_of(run, key, head, min(len(head), <Py_ssize_t>MARK))


cdef inline int outcome_of(const Request *r) noexcept nogil:
    """Return the outcome of a request that was answered well."""
    if r.outcome == MISS or r.outcome == NOT_FOUND:
        return form.MISS
    return form.NOT_DONE if r.outcome == NOT_STORED else form.OK


@cython.final
cdef class History:
    """A history of the keys that are `share` of all, by worker `worker` of the run with the number `run`.

    `file` is a descriptor that is open for appending, and belongs to the history from now on. With -1, `blocks()` has
    the blocks. Raises ValueError for a share or a worker's number out of range.
    """

    def __cinit__(self, int worker, uint64_t run, double share=1.0, int file=-1):
        self.file = file
        if not 0 < share <= 1 or not 0 <= worker < MOST_MARKING_WORKERS or run == 0:
            raise ValueError(f"no history is kept of a share of {share}, by worker {worker} of run {run}")
        self.marks.run = run
        self.marks.bound = UINT64_MAX if share == 1 else <uint64_t>(share * 2.0**64)
        self.marks.newest = <uint64_t>worker << WORKER_SHIFT
        self.worker = worker
        self.table = Commands()
        self.kept = []
        self.folds = folds()
        self.block = <Block *>malloc(sizeof(Block))
        if self.block == NULL:
            raise MemoryError()
        memset(&self.block.head, 0, sizeof(BlockHead))
        self.block.head.magic = MAGIC
        self.block.head.worker = worker

    def __dealloc__(self):
        free(self.block)

    cdef void ended(self, const Request *r, End how, bint sent, int64_t now_ns, int server) noexcept nogil:
        if how == ANSWERED_WELL:
            self.note(r, outcome_of(r), now_ns, server)
        elif (how == LOST or how == UNFINISHED) and not sent:
            # The server has not had the whole command, and nothing more of it is sent. A timeout is no such end: the
            # rest of its bytes may still go out.
            self.note(r, form.NOT_DONE, now_ns, server)
        else:
            self.note(r, form.UNKNOWN, now_ns, server)

    cdef void refused(self, const Request *r, const char *text, int length, int64_t now_ns, int server) noexcept nogil:
        self.note(r, form.NOT_DONE if is_refusal(text, length) and not r.resent else form.UNKNOWN, now_ns, server)

    cdef void note(self, const Request *r, int outcome, int64_t now_ns, int server) noexcept nogil:
        cdef int kind = self.table.rows[r.command].kind
        cdef Operation *record
        if kind > REMOVE or r.phase == PRECHECK or not is_sampled(&self.marks, r.key):
            return
        if self.block.head.records == BLOCK_RECORDS:
            self.flush()
        if self.error:
            return
        record = &self.block.records[self.block.head.records]
        self.block.head.records += 1
        self.ends[outcome] += 1
        # A request that is sent again was made before its present time, but not before it was due.
        record.call_ns = r.intended_ns if r.resent else r.made_ns
        record.return_ns = INT64_MAX if outcome == form.UNKNOWN else max(now_ns, record.call_ns)
        record.key = r.key
        record.value = r.value
        record.process = r.process
        record.op = form.READ if kind == READ else form.WRITE if kind == WRITE else form.DELETE
        record.outcome = outcome
        record.server = server

    cdef void flush(self) noexcept nogil:
        cdef size_t length = sizeof(BlockHead) + self.block.head.records * sizeof(Operation)
        cdef ssize_t written
        if self.block.head.records == 0 or self.error:
            return
        if self.block.head.records == BLOCK_RECORDS and self.folds:
            self.block.head.crc32 = folded_crc32(self.block.records, sizeof(self.block.records))
        else:
            with gil:
                self.block.head.crc32 = crc32(<const unsigned char[:length - sizeof(BlockHead)]>
                                              <const unsigned char *>self.block.records)
        if self.file < 0:
            with gil:
                self.kept.append(PyBytes_FromStringAndSize(<char *>self.block, length))
        if self.file >= 0:
            written = write(self.file, self.block, length)
            while written < 0 and errno == EINTR:
                written = write(self.file, self.block, length)
            if written < <ssize_t>length:
                # The file ends with the last whole block, if nobody has appended another one meanwhile.
                self.error = errno if written < 0 else ENOSPC
                if written > 0 and lseek(self.file, 0, SEEK_CUR) == lseek(self.file, 0, SEEK_END):
                    ftruncate(self.file, lseek(self.file, 0, SEEK_END) - written)
        if not self.error:
            self.written += self.block.head.records
        self.block.head.records = 0

    # ── The worker's calls ──────────────────────────────────────────────────────────────────────────────────────────

    def counts(self):
        """Return the number of records in the file, of records by their outcome, and of `undrawn` requests."""
        ends = {name: self.ends[i] for i, name in enumerate(OUTCOME_NAMES)}
        return {"records": self.written, **ends, "undrawn": self.undrawn}

    def blocks(self):
        """Return the blocks of a history without a file, and forget them."""
        self.flush()
        blocks = b"".join(self.kept)
        self.kept.clear()
        return blocks

    def write_out(self):
        """Write the records that are there to the file."""
        self.flush()

    def close(self):
        """Write the records that are there and an empty block, which says that these were all, and close the file."""
        self.flush()
        if self.file >= 0:
            if not self.error:
                self.block.head.crc32 = 0
                # The file of a disk that is full lacks the block, and is then known not to be whole.
                write(self.file, &self.block.head, sizeof(BlockHead))
            os.close(self.file)
            self.file = -1
