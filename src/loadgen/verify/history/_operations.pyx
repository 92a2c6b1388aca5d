"""Operations in memory, as an array of structs that checkers read, and its face for Python."""

from cpython.buffer cimport PyBuffer_FillInfo
from libc.stdint cimport INT64_MAX, int64_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memset

from loadgen cimport _mark
from loadgen.verify.history cimport _operation as form
from loadgen.verify.history._operation cimport Operation

READ = form.READ
WRITE = form.WRITE
DELETE = form.DELETE
ADD = form.ADD
CAS = form.CAS
CAS_TO = form.CAS_TO
OK = form.OK
NOT_DONE = form.NOT_DONE
UNKNOWN = form.UNKNOWN
MISS = form.MISS
ABSENT = form.ABSENT
FOREIGN = _mark.FOREIGN
UNMARKED = _mark.UNMARKED
NO_END = INT64_MAX
RECORD_BYTES = sizeof(Operation)


cdef class Operations:
    """An array of operations that grows. Its memory is a buffer of records, as they are in a file."""

    def __dealloc__(self):
        free(self.at)

    cdef bint reserve(self, int64_t room) noexcept:
        cdef Operation *moved
        if room <= self.room:
            return True
        if self.views:
            return False
        room = max(room, self.room + self.room // 2, 64)
        moved = <Operation *>realloc(self.at, room * sizeof(Operation))
        if moved == NULL:
            return False
        self.at = moved
        self.room = room
        return True

    cdef bint push(self, const Operation *operation) noexcept:
        if self.count == self.room and not self.reserve(self.count + 1):
            return False
        self.at[self.count] = operation[0]
        self.count += 1
        return True

    def append(
        self,
        int op,
        uint64_t key,
        uint64_t value,
        int64_t call_ns,
        int64_t return_ns=INT64_MAX,
        unsigned int process=0,
        int outcome=0,
        int server=0,
    ):
        """Append an operation. Raises MemoryError."""
        cdef Operation added
        added.call_ns, added.return_ns, added.key, added.value = call_ns, return_ns, key, value
        added.process, added.op, added.outcome, added.server = process, op, outcome, server
        if not self.push(&added):
            raise MemoryError

    def __len__(self):
        return self.count

    def __getitem__(self, int64_t index):
        """Return (op, key, value, call_ns, return_ns, process, outcome, server)."""
        if not 0 <= index < self.count:
            raise IndexError(f"there is no operation {index} of {self.count}")
        cdef Operation *o = &self.at[index]
        return o.op, o.key, o.value, o.call_ns, o.return_ns, o.process, o.outcome, o.server

    def chosen(self, indices):
        """Return copies of the operations at these indices, in their order."""
        cdef Operations found = Operations()
        cdef int64_t index
        for index in indices:
            if not 0 <= index < self.count:
                raise IndexError(f"there is no operation {index} of {self.count}")
            if not found.push(&self.at[index]):
                raise MemoryError
        return found

    def of_key(self, uint64_t key):
        """Return the indices of a key's operations."""
        cdef int64_t i
        return [i for i in range(self.count) if self.at[i].key == key]

    def grow(self, int64_t count):
        """Append `count` records of zeros, to be filled in through the buffer. Raises MemoryError."""
        if not self.reserve(self.count + count):
            raise MemoryError
        memset(self.at + self.count, 0, count * sizeof(Operation))
        self.count += count

    def cut(self, int64_t count):
        """Keep the first `count` operations."""
        self.count = min(self.count, max(count, 0))

    def first_malformed(self, int64_t start=0):
        """Return the index of the first record, from `start` on, that is none, and why; None where all are."""
        cdef int64_t i
        cdef Operation *o
        for i in range(start, self.count):
            o = &self.at[i]
            if o.op >= form.OPS:
                return i, f"op {o.op} is unknown"
            if o.outcome >= form.OUTCOMES:
                return i, f"outcome {o.outcome} is unknown"
            if o.return_ns < o.call_ns:
                return i, "it returns before its call"
            if o.op == form.CAS and not (i + 1 < self.count and self.at[i + 1].op == form.CAS_TO):
                return i, "the record after a cas has its new value, and there is none"
            if o.op == form.CAS_TO and not (i > start and self.at[i - 1].op == form.CAS):
                return i, "it has the new value of a cas that is not there"
        return None

    def __getbuffer__(self, Py_buffer *buffer, int flags):
        PyBuffer_FillInfo(buffer, self, self.at, self.count * sizeof(Operation), 0, flags)
        self.views += 1

    def __releasebuffer__(self, Py_buffer *buffer):
        self.views -= 1
