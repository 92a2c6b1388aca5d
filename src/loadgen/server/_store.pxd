# The built-in server's memory: key bytes to value bytes, with a bound on the bytes and a rule for what goes first.
#
# It knows nothing of sockets, protocols or clocks: whoever calls says what time it is, in Unix nanoseconds. An item is
# one block of memory with its key at the end, so a lookup touches its bucket, the item, and nothing else; its value is
# a bytes object, which a reply can go on sending after the item is gone. Every item is in two lists: its bucket's, and
# one of all items from the newest to the oldest. There are as many buckets as the bound on the bytes will ever need,
# from the start: a table that grew would stop the server while it does, and a load generator would measure that.
# Buckets never used are never touched, so they take no memory.

from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint32_t, uint64_t

cdef enum Eviction:
    LRU = 0         # least recently read or written goes first
    FIFO = 1        # first inserted goes first; an overwrite does not change an item's place
    NOEVICTION = 2  # nothing goes: what does not fit is refused

cdef enum:
    # What an item takes beside its key's and its value's bytes: its header (64), the bytes object's header (33), its
    # share of the buckets (8 to 16), and what the allocator adds and rounds up (about 31 for two blocks).
    ITEM_OVERHEAD = 144
    BYTES_PER_BUCKET = 256  # at least, of the bound: fewer than two of the smallest items for one bucket

cdef struct Item:
    Item *next              # in its bucket
    Item *newer             # NULL in the newest
    Item *older             # NULL in the oldest
    uint64_t hash
    PyObject *value         # bytes, owned
    int64_t expires_at_ns   # 0: never
    uint64_t version        # grows with every write to the store: memcache's cas value
    uint32_t flags          # memcache's; carried, never read
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
    # The item, now the most recently used, or NULL when there is none or its time is over.
    cdef Item *find(self, const char *key, Py_ssize_t size, int64_t now_ns) noexcept
    # The same without touching its place.
    cdef Item *peek(self, const char *key, Py_ssize_t size, int64_t now_ns) noexcept
    # Writes, evicting as needed. False: there is no room, and the store is as it was.
    cdef bint put(
        self, const char *key, Py_ssize_t size, bytes value, uint32_t flags, int64_t expires_at_ns
    ) except -1
    cdef void expire_at(self, Item *item, int64_t expires_at_ns) noexcept
    cdef bint remove(self, const char *key, Py_ssize_t size, int64_t now_ns) noexcept
    # Whether a value could be stored if the store were empty.
    cdef bint fits(self, Py_ssize_t key_size, Py_ssize_t value_size) noexcept

    cdef Item *lookup(self, uint64_t hash, const char *key, Py_ssize_t size) noexcept
    cpdef void clear(self) noexcept
    cdef void link(self, Item *item) noexcept
    cdef void unlink(self, Item *item) noexcept
    cdef void drop(self, Item *item) noexcept


cdef inline bytes value_of(Item *item):
    return <bytes>item.value
