# The built-in server's memory: key bytes to value bytes, with a bound on the bytes and a rule for what goes first.
#
# It knows nothing of sockets, protocols or clocks: whoever calls says what time it is, in Unix nanoseconds. An item is
# a Python object in one of SHARDS dicts, which own it; all items are also linked in one list, from the newest to the
# oldest, by borrowed pointers. An item leaves the list before its dict lets it go. There are many small dicts instead
# of one large one because a dict that grows, or has seen many deletions, is rebuilt at once: with a million items that
# would stop the server for tens of milliseconds, and a load generator would measure it.

from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint32_t, uint64_t

cdef enum Eviction:
    LRU = 0         # least recently read or written goes first
    FIFO = 1        # first inserted goes first; an overwrite does not change an item's place
    NOEVICTION = 2  # nothing goes: what does not fit is refused

cdef enum:
    SHARD_BITS = 8
    SHARDS = 256
    # What an item takes beside its key's and its value's bytes: the headers of two bytes objects (2 × 33), the Item
    # (80), its place in a dict that has room to grow (about 40), and what the allocator rounds up.
    ITEM_OVERHEAD = 200

cdef class Item:
    cdef bytes key
    cdef bytes value
    cdef void *newer            # Item, borrowed; NULL in the newest
    cdef void *older            # Item, borrowed; NULL in the oldest
    cdef int64_t expires_at_ns  # 0: never
    cdef uint64_t version       # grows with every write to the store: memcache's cas value
    cdef uint32_t flags         # memcache's; carried, never read


cdef class Store:
    cdef list dicts                # owns the dicts that shards points to
    cdef PyObject *shards[SHARDS]  # borrowed
    cdef void *newest              # Item, borrowed
    cdef void *oldest
    cdef Eviction policy
    cdef uint64_t versions
    cdef readonly int64_t max_bytes
    cdef readonly int64_t used_bytes
    cdef readonly int64_t items
    cdef readonly int64_t items_with_expiry
    cdef readonly int64_t evicted
    cdef readonly int64_t expired

    # The item, now the most recently used, or None when there is none or its time is over.
    cdef Item find(self, bytes key, int64_t now_ns)
    # The same without touching its place.
    cdef Item peek(self, bytes key, int64_t now_ns)
    # Writes, evicting as needed. False: there is no room, and the store is as it was.
    cdef bint put(self, bytes key, bytes value, uint32_t flags, int64_t expires_at_ns) except -1
    cdef void expire_at(self, Item item, int64_t expires_at_ns) noexcept
    cdef bint remove(self, bytes key, int64_t now_ns) except -1
    # Whether a value could be stored if the store were empty.
    cdef bint fits(self, Py_ssize_t key_bytes, Py_ssize_t value_bytes) noexcept

    cdef PyObject *_shard(self, bytes key) except NULL
    cdef Item _lookup(self, bytes key, int64_t now_ns)
    cdef void _link(self, Item item) noexcept
    cdef void _unlink(self, Item item) noexcept
    cdef int _drop(self, Item item) except -1
