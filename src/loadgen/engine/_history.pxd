# The history of one worker's requests: a record of each that has ended, in blocks for a file.
#
# A history is filled by the lanes, and knows neither a clock nor a connection. It has one block of memory. A full block
# goes to the file by one write(2), appended behind those of other workers, in the worker's own thread: on a slow disk
# the worker waits, as it would for any pause of the machine, and its verdict says so.
#
# `verify.history` has the format of records and files. What a request's end tells of the server:
#
#     a reply            OK or MISS, with the time after the reply was read
#     an error reply     NOT_DONE where the error says that the command was refused, otherwise UNKNOWN
#     a timeout          UNKNOWN, also where the reply comes later: the record is there by then
#     lost, unfinished   UNKNOWN; NOT_DONE where the last byte of the command was never sent, and will not be
#     corrupt            UNKNOWN
#
# A request that was sent again, because the server had not received it, has one record, of the last end. Its call is
# the time at which it was due, and no end but a good reply is certain.

from libc.stdint cimport int64_t, uint32_t, uint64_t

from loadgen._mark cimport Marks
from loadgen._request cimport Commands, Request
from loadgen.engine._sink cimport End
from loadgen.verify.history._operation cimport OUTCOMES, Operation

cdef struct BlockHead:
    uint32_t magic
    uint32_t worker
    uint32_t records
    uint32_t crc32     # of the records' bytes, zlib's

# A block is some 80 KB: the kernel takes long writes with half the time per byte of short ones, and a longer one would
# delay the requests behind it by more than some 30 µs.
cdef enum:
    BLOCK_RECORDS = 2048

cdef struct Block:
    BlockHead head
    Operation records[BLOCK_RECORDS]


cdef class History:
    cdef Marks marks           # as the run's values begin; `newest` is the worker's first identity
    cdef Commands table        # the default one, until the engine sets the run's
    cdef uint32_t worker
    cdef int file              # a descriptor, open for appending; -1: blocks are kept in memory. Owned
    cdef list kept             # the blocks of a history without a file
    cdef bint folds            # the processor takes the checksum of a full block fast
    cdef Block *block          # the block that is being filled; owned
    cdef readonly int error    # errno of the write that failed; the history has ended with that write
    cdef readonly int64_t undrawn  # requests that were due and never made, so that they have no key and no record
    cdef int64_t written       # records that the file has
    cdef int64_t ends[OUTCOMES]

    # A request has ended, other than by an error reply.
    cdef void ended(self, const Request *r, End how, bint sent, int64_t now_ns, int server) noexcept nogil
    # A request has ended by an error reply.
    cdef void refused(self, const Request *r, const char *text, int length, int64_t now_ns, int server) noexcept nogil

    cdef void note(self, const Request *r, int outcome, int64_t now_ns, int server) noexcept nogil
    # Write the records that are there.
    cdef void flush(self) noexcept nogil


# True for an error reply after which it is sure that the command has changed nothing and never will.
cdef bint is_refusal(const char *text, int length) noexcept nogil
