"""A bounded key-value store for the built-in server; `_store.pxd` says how it is laid out and who owns what."""

cimport cython
from cpython.dict cimport PyDict_DelItem, PyDict_GetItemWithError, PyDict_SetItem
from cpython.object cimport PyObject, PyObject_Hash

_POLICIES = {"lru": LRU, "fifo": FIFO, "noeviction": NOEVICTION}

EVICTION_POLICIES = tuple(_POLICIES)
ITEM_OVERHEAD_BYTES = ITEM_OVERHEAD


# An Item refers to nothing but bytes, so it can be in no cycle, and the collector need not know of it. Then its dicts,
# which refer to nothing that is tracked, are not tracked either, and no collection walks through a million items.
@cython.final
@cython.no_gc
@cython.freelist(64)
cdef class Item:
    pass


@cython.final
cdef class Store:
    """At most `max_bytes` of items, each counted as its key and value and `ITEM_OVERHEAD_BYTES`.

    When full, `eviction` says what goes: `lru` the least recently used item, `fifo` the one inserted first, and with
    `noeviction` nothing does and the write is refused. Expired items are found when they are asked for; until then they
    count. Times are Unix nanoseconds, and 0 as an expiry means never.
    """

    def __init__(self, int64_t max_bytes, str eviction="lru"):
        if max_bytes <= 0:
            raise ValueError("max_bytes must be positive")
        if eviction not in _POLICIES:
            raise ValueError(f"eviction must be one of {', '.join(EVICTION_POLICIES)}, not {eviction!r}")
        self.max_bytes = max_bytes
        self.policy = _POLICIES[eviction]
        self.clear()

    @property
    def eviction(self):
        return EVICTION_POLICIES[<int>self.policy]

    def __len__(self):
        return self.items

    def get(self, bytes key not None, int64_t now_ns=0):
        """The value, or None."""
        cdef Item item = self.find(key, now_ns)
        return None if item is None else item.value

    def set(
        self, bytes key not None, bytes value not None, *, uint32_t flags=0, int64_t expires_at_ns=0
    ):
        """Whether the value was stored; False when there is no room for it, and then nothing has changed."""
        return self.put(key, value, flags, expires_at_ns)

    def delete(self, bytes key not None, int64_t now_ns=0):
        """Whether there was such an item."""
        return self.remove(key, now_ns)

    def clear(self):
        """Removes every item; the counts of evicted and expired items stay."""
        cdef int i
        self.dicts = [{} for _ in range(SHARDS)]
        for i in range(SHARDS):
            self.shards[i] = <PyObject *>self.dicts[i]
        self.newest = self.oldest = NULL
        self.used_bytes = self.items = self.items_with_expiry = 0

    def keys(self):
        """The keys from the next to be evicted to the last."""
        cdef void *at = self.newest
        keys = []
        while at != NULL:
            keys.append((<Item>at).key)
            at = (<Item>at).older
        keys.reverse()
        return keys

    def reset_counts(self):
        """Makes the counts of evicted and expired items zero."""
        self.evicted = self.expired = 0

    cdef Item find(self, bytes key, int64_t now_ns):
        cdef Item item = self._lookup(key, now_ns)
        if item is not None and self.policy == LRU and item.newer != NULL:
            self._unlink(item)
            self._link(item)
        return item

    cdef Item peek(self, bytes key, int64_t now_ns):
        return self._lookup(key, now_ns)

    cdef bint put(self, bytes key, bytes value, uint32_t flags, int64_t expires_at_ns) except -1:
        cdef PyObject *shard = self._shard(key)
        cdef PyObject *found = PyDict_GetItemWithError(<object>shard, key)
        cdef int64_t growth
        cdef Item item, victim
        if found != NULL:
            item = <Item>found
            growth = len(value) - len(item.value)
        else:
            item = None
            growth = len(key) + len(value) + ITEM_OVERHEAD
        if self.used_bytes + growth > self.max_bytes:
            if self.policy == NOEVICTION or not self.fits(len(key), len(value)):
                return False
            while self.used_bytes + growth > self.max_bytes:
                # What is about to be overwritten does not go to make room for itself. It fits, so there is another.
                victim = <Item>self.oldest
                if victim is item:
                    victim = <Item>victim.newer
                self._drop(victim)
                self.evicted += 1
        if item is None:
            item = Item.__new__(Item)
            item.key = key
            PyDict_SetItem(<object>shard, key, item)
            self._link(item)
            self.items += 1
        elif self.policy == LRU and item.newer != NULL:
            self._unlink(item)
            self._link(item)
        item.value = value
        item.flags = flags
        self.expire_at(item, expires_at_ns)
        self.versions += 1
        item.version = self.versions
        self.used_bytes += growth
        return True

    cdef void expire_at(self, Item item, int64_t expires_at_ns) noexcept:
        self.items_with_expiry += (expires_at_ns != 0) - (item.expires_at_ns != 0)
        item.expires_at_ns = expires_at_ns

    cdef bint remove(self, bytes key, int64_t now_ns) except -1:
        cdef Item item = self._lookup(key, now_ns)
        if item is None:
            return False
        self._drop(item)
        return True

    cdef bint fits(self, Py_ssize_t key_bytes, Py_ssize_t value_bytes) noexcept:
        return key_bytes + value_bytes + ITEM_OVERHEAD <= self.max_bytes

    cdef Item _lookup(self, bytes key, int64_t now_ns):
        cdef PyObject *found = PyDict_GetItemWithError(<object>self._shard(key), key)
        cdef Item item
        if found == NULL:
            return None
        item = <Item>found
        if item.expires_at_ns != 0 and item.expires_at_ns <= now_ns:
            self._drop(item)
            self.expired += 1
            return None
        return item

    cdef PyObject *_shard(self, bytes key) except NULL:
        # The dict itself uses the low bits of the hash.
        return self.shards[<uint64_t>PyObject_Hash(key) >> (64 - SHARD_BITS)]

    cdef void _link(self, Item item) noexcept:
        item.newer = NULL
        item.older = self.newest
        if self.newest != NULL:
            (<Item>self.newest).newer = <void *>item
        else:
            self.oldest = <void *>item
        self.newest = <void *>item

    cdef void _unlink(self, Item item) noexcept:
        if item.newer != NULL:
            (<Item>item.newer).older = item.older
        else:
            self.newest = item.older
        if item.older != NULL:
            (<Item>item.older).newer = item.newer
        else:
            self.oldest = item.newer

    cdef int _drop(self, Item item) except -1:
        # The caller's reference keeps the item alive after its dict has let it go.
        self._unlink(item)
        self.used_bytes -= len(item.key) + len(item.value) + ITEM_OVERHEAD
        self.items -= 1
        self.items_with_expiry -= item.expires_at_ns != 0
        PyDict_DelItem(<object>self._shard(item.key), item.key)
        return 0
