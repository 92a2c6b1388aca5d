# The built-in server's memory: key bytes to value bytes, with a bound on the bytes and an eviction policy.
#
# The store knows nothing of sockets, protocols or clocks: callers pass the time, in Unix nanoseconds. An item is one
# block of memory with its key at the end, so a lookup touches the bucket, the item, and nothing else. The value is a
# bytes object, which a reply can go on sending after the item is gone. Every item is in two lists: its bucket's, and
# one of all items from the newest to the oldest. There are as many buckets as the bound on the bytes will ever need,
# from the start: growing a table would stop the server meanwhile, and a load generator would measure that pause.
# Buckets never used are never touched, so they take no memory.

from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint32_t, uint64_t

cdef enum Eviction:
    LRU = 0         # the item least recently read or written goes first
    FIFO = 1        # the item first inserted goes first; an overwrite does not change an item's place
    NOEVICTION = 2  # no item goes: a write that does not fit is refused

cdef enum:
    # The bytes of an item beside its key and its value: its header (64), the bytes object's header (33), its share of
    # the buckets (8 to 16), and the allocator's headers and rounding (about 31 for two blocks).
    ITEM_OVERHEAD = 144
    BYTES_PER_BUCKET = 256  # at most, of the bound: fewer than two of the smallest items for one bucket

cdef struct Item:
    Item *next              # in its bucket
    Item *newer             # NULL in the newest
    Item *older             # NULL in the oldest
    uint64_t hash
    PyObject *value         # bytes, owned
    int64_t expires_at_ms   # Unix time, which has room for every time of redis; 0: never
    uint64_t version        # grows with every write to the store: memcache's cas value
    uint32_t flags          # memcache's; stored and returned, never interpreted
    uint32_t key_size       # the key's bytes follow the struct


cdef class Store:
    cdef Item **buckets     # owned, with every item in them
    cdef uint64_t mask      # number of buckets, a power of two, less one
    cdef Item *newest
    cdef Item *oldest
    cdef Eviction policy
    cdef uint64_t versions
    cdef readonly int64_t max_bytes
    cdef readonly int64_t used_bytes
    cdef readonly int64_t items
    cdef readonly int64_t items_with_expiry
    cdef readonly int64_t evicted
    cdef readonly int64_t expired

    # An Item * is valid until the next call of put, remove, find or peek.
    # Return the item, now the most recently used, or NULL when there is none or it has expired.
    cdef Item *find(self, const char *key, Py_ssize_t size, int64_t now_ms) noexcept
    # The same without changing the item's place in the list of all items.
    cdef Item *peek(self, const char *key, Py_ssize_t size, int64_t now_ms) noexcept
    # Write the item, evicting as needed. False: there is no room, and the store is unchanged.
    cdef bint put(
        self, const char *key, Py_ssize_t size, bytes value, uint32_t flags, int64_t expires_at_ms
    ) except -1
    cdef void expire_at(self, Item *item, int64_t expires_at_ms) noexcept
    cdef bint remove(self, const char *key, Py_ssize_t size, int64_t now_ms) noexcept
    # True when a value of this size fits into an empty store.
    cdef bint fits(self, Py_ssize_t key_size, Py_ssize_t value_size) noexcept

    cdef Item *lookup(self, uint64_t hash, const char *key, Py_ssize_t size) noexcept
    cpdef void clear(self) noexcept
    cdef void link(self, Item *item) noexcept
    cdef void unlink(self, Item *item) noexcept
    cdef void drop(self, Item *item) noexcept


cdef inline bytes value_of(Item *item):
    return <bytes>item.value
