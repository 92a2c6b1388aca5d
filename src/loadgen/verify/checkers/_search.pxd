# A search for an order of one key's operations in which each takes effect between its call and its return and every
# reply is right (Wing, Gong 1993). States that were searched before are not searched again (Lowe 2017).
#
# A state is which operations have taken effect, and what the register holds then. Operations are numbered by their
# calls; those that must take effect come first, those that may (no end is known) after them.

from libc.stdint cimport int64_t, uint32_t, uint64_t

cdef enum StepKind:
    STEP_READ = 0        # finds `value`
    STEP_MISS = 1        # finds the key absent
    STEP_WRITE = 2       # writes `value`
    STEP_DELETE = 3      # makes the key absent
    STEP_ADD = 4         # finds the key absent and writes `value`
    STEP_PRESENT = 5     # finds the key present
    STEP_CAS = 6         # finds `expected` and writes `value`

cdef enum Found:
    FOUND_ORDER = 0
    FOUND_NONE = 1
    FOUND_BOUND = 2      # the bound on states was reached: nothing is known

cdef struct Step:
    int64_t call_ns
    int64_t return_ns    # INT64_MAX: it may take effect at any time after its call, or never
    uint64_t value
    uint64_t expected
    uint32_t kind

# A place in the list of calls and returns that are still to be passed, in the order of time.
cdef struct Node:
    int64_t at_ns
    uint32_t step
    uint32_t is_return
    uint32_t before
    uint32_t after

cdef struct Choice:
    uint32_t node        # the call of the step that took effect
    uint64_t held        # what the register held before it


cdef class Search:
    cdef public bint strict              # the key is absent only where it was never written, or deleted
    cdef public uint64_t most_states     # at most; and of memory, `most_bytes`
    cdef public uint64_t most_bytes
    cdef readonly uint64_t states        # that the last search kept

    cdef uint32_t count                  # steps of the key under search
    cdef uint32_t certain                # those of them that must take effect
    cdef Step *steps                     # owned, as is all below; `room` of each
    cdef Node *nodes                     # 2 for each step, and a head
    cdef uint32_t *call_of               # by step, its node; the node of its return follows in `return_of`
    cdef uint32_t *return_of
    cdef Choice *stack
    cdef uint64_t *taken                 # a bit for each step that must take effect, then for each that may
    cdef uint32_t room
    cdef uint32_t words, more_words      # of `taken`: for the former, and for the latter
    cdef uint32_t low, high              # words below `low` are full, words from `high` on are empty
    # The states, one after the other: hash, held, low, number of words, words. `table` has their places + 1.
    cdef uint64_t *kept
    cdef uint64_t kept_used, kept_room
    cdef uint64_t *table
    cdef uint64_t table_size

    # Search for an order. Takes no notice of the order in which the steps are given.
    cdef Found search(self, const Step *steps, uint32_t count) noexcept
    cdef bint make_room(self, uint32_t count) noexcept
    cdef bint prepare(self, const Step *steps, uint32_t count) noexcept
    cdef bint step(self, const Step *step, uint64_t held, uint64_t *then) noexcept
    cdef bint only_looks(self, const Step *step, uint64_t held) noexcept
    cdef void take(self, uint32_t node) noexcept
    cdef void untake(self, uint32_t node) noexcept
    # 1 where the state is new and now kept, 0 where it was kept, -1 where the bound is reached.
    cdef int keep(self, uint64_t held) noexcept
    cdef bint widen(self) noexcept
