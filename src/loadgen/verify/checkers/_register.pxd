# The law of a register under cache semantics, held against a history, key by key.
#
# Where each value is written once, by zones (Gibbons, Korach 1997). The cluster of a value is its write and its reads;
# f is the least of their returns, s the greatest of their calls. If f < s the register holds the value throughout
# [f, s], its forward zone; otherwise all of the cluster may take effect at one instant within [s, f], its backward
# zone. A key's history is legal if and only if
#   no read returns a value that nobody wrote, or returns before the write was called (a value that may have been there
#   before the history began was written before everything),
#   no two forward zones overlap,
#   no backward zone lies inside a forward zone; a miss and a delete are clusters of their own, [call, return].
# Zones that only touch do neither: operations with one time in common are concurrent.
#
# Keys with a value that is written more than once, with a cas, or with an add that was not stored are searched
# (`_search`). With `strict`, when nothing is evicted, so are keys with a delete; without one, all misses of a key are
# the cluster of a value that was written before everything.

from libc.stdint cimport int64_t, uint32_t, uint64_t

from loadgen.verify.checkers._search cimport Search, Step
from loadgen.verify.history._operation cimport Operation

cdef enum Verdict:
    LEGAL = 0
    ILLEGAL = 1
    UNTOLD = 2           # no key is illegal, and some could not be judged
    NO_MEMORY = 3

cdef enum Law:
    UNWRITTEN = 1        # a read returned a value that nobody wrote
    EARLY = 2            # a read returned before the write of its value was called
    TWO_VALUES = 3       # two forward zones overlap
    OVERWRITTEN = 4      # a value came back after another one was written
    REVIVED = 5          # a value came back after the key was absent
    NO_ORDER = 6         # the search found no order
    LOST = 7             # strict: the key was absent after a value was written, and nothing deleted it

cdef enum:
    NOBODY = 0xFFFFFFFF  # no operation, no cluster
    WITNESSES = 6        # the most operations that two clusters need to contradict each other

cdef struct Cluster:
    uint64_t key
    uint64_t value
    int64_t least_return     # f
    int64_t greatest_call    # s
    uint32_t write           # indices of operations: the write,
    uint32_t first           # the one that returned first,
    uint32_t last            # and the one that was called last
    uint32_t next            # the next cluster of the key

cdef struct KeyState:
    uint64_t key
    uint32_t clusters        # the first of the list
    uint32_t absences        # strict: the cluster of all misses
    uint32_t operations      # that must be searched: the first of the list in `next_of`, and the last
    uint32_t last_operation
    uint32_t many            # their number
    uint32_t searched        # a bit for each reason to search; `UNIDENTIFIED` also keeps it from being judged

cdef enum:
    REPEATED = 1             # a value is written twice
    CONDITIONAL = 2          # a cas, or an add that was not stored
    DELETED = 4              # strict: a delete
    UNIDENTIFIED = 8         # a write without an identity
    ASKED = 16               # `by_search`

cdef struct Zone:
    int64_t least_return
    int64_t greatest_call
    uint32_t cluster

cdef struct Accusation:
    uint64_t key
    Law law
    uint32_t many            # of the witnesses
    uint32_t witnesses[WITNESSES]
    # They are indices of operations; there are none for NO_ORDER, where all of the key's are needed

cdef struct Unjudged:
    uint64_t key
    uint32_t unidentified    # a write of it has no identity; otherwise the search reached its bound
    uint32_t operations


cdef class Register:
    cdef public bint strict          # nothing is evicted or expires
    cdef public bint by_search       # judge every key by search
    cdef readonly Search searcher

    # What the last history had, and what was found. At most one accusation for each key.
    cdef readonly uint64_t reads     # that were answered, misses among them
    cdef readonly uint64_t misses
    cdef readonly uint64_t writes    # writes and deletes that were done
    cdef readonly uint64_t unknown   # of either, those whose end is not known
    cdef readonly uint64_t undone    # operations that changed and told nothing
    cdef readonly uint32_t key_count
    cdef readonly uint32_t searched_count
    cdef readonly uint32_t accused
    cdef readonly uint32_t unjudged_count
    cdef Accusation *accusations     # owned, as is all below
    cdef Unjudged *unjudged

    cdef const Operation *operations  # borrowed during `judge`
    cdef uint32_t count
    cdef Cluster *clusters
    cdef uint32_t cluster_count
    cdef KeyState *keys
    cdef uint32_t *cluster_table     # open addressing: places + 1 of clusters by key and value
    cdef uint32_t *key_table         # the same of keys
    cdef uint64_t table_size
    cdef uint32_t *next_of           # by operation, the next one of a key that is searched
    cdef Zone *zones                 # the forward zones of one key
    cdef Step *steps
    cdef uint64_t room
    cdef uint64_t search_room

    # Judge a history. The operations may be in any order. No Python object is touched.
    cdef Verdict judge(self, const Operation *operations, uint32_t count) noexcept
    cdef bint make_room(self, uint32_t count) noexcept
    cdef void place(self, uint32_t index) noexcept
    cdef uint32_t key_of(self, uint64_t key) noexcept
    cdef Cluster *cluster_of(self, uint64_t key, uint64_t value) noexcept
    cdef Cluster *new_cluster(self, uint32_t key_index, uint64_t value) noexcept
    cdef void join(self, Cluster *cluster, uint32_t index, int64_t return_ns) noexcept
    cdef void absence(self, uint32_t index, bint done) noexcept
    cdef void by_zones(self, KeyState *key) noexcept
    cdef void accuse(self, KeyState *key, Law law, const Cluster *a, const Cluster *b) noexcept
    cdef bint search_keys(self) noexcept
    cdef void search_key(self, KeyState *key) noexcept
