"""A bounded key-value store for the built-in server; `_store.pxd` describes its layout and the owners of memory."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcmp, memcpy

cdef extern from *:
    void prefetch "__builtin_prefetch"(const void *address) noexcept nogil

_POLICIES = {"lru": LRU, "fifo": FIFO, "noeviction": NOEVICTION}

EVICTION_POLICIES = tuple(_POLICIES)
ITEM_OVERHEAD_BYTES = ITEM_OVERHEAD


cdef uint64_t hash_of(const char *key, Py_ssize_t size) noexcept nogil:
    """Hash by multiplying and folding, eight bytes at a time; the constant is 2**64 divided by the golden ratio."""
    cdef uint64_t h = <uint64_t>size
    cdef uint64_t word
    while size > 0:
        word = 0
        memcpy(&word, key, 8 if size >= 8 else size)
        h = (h ^ word) * <uint64_t>0x9E3779B97F4A7C15
        h ^= h >> 32
        key += 8
        size -= 8
    h *= <uint64_t>0x9E3779B97F4A7C15
    return h ^ (h >> 32)


cdef inline char *key_of(Item *item) noexcept nogil:
    return <char *>(item + 1)


cdef inline int64_t bytes_of(Item *item) noexcept:
    return item.key_size + PyBytes_GET_SIZE(<object>item.value) + ITEM_OVERHEAD


@cython.final
cdef class Store:
    """At most `max_bytes` of items, each counted as its key and value and `ITEM_OVERHEAD_BYTES`.

    When the store is full, `lru` evicts the least recently used item, `fifo` the item inserted first, and `noeviction`
    refuses the write. An expired item counts until a lookup finds it. Times are Unix nanoseconds, and 0 as an expiry
    means never.
    """

    def __init__(self, int64_t max_bytes, str eviction="lru"):
        cdef uint64_t buckets = 16
        if max_bytes <= 0:
            raise ValueError("max_bytes must be positive")
        if eviction not in _POLICIES:
            raise ValueError(f"eviction must be one of {', '.join(EVICTION_POLICIES)}, not {eviction!r}")
        if self.buckets != NULL:
            raise RuntimeError("a store is initialised once")
        while <int64_t>buckets < max_bytes // BYTES_PER_BUCKET:
            buckets *= 2
        self.buckets = <Item **>calloc(buckets, sizeof(Item *))
        if self.buckets == NULL:
            raise MemoryError()
        self.mask = buckets - 1
        self.max_bytes = max_bytes
        self.policy = _POLICIES[eviction]

    def __dealloc__(self):
        self.clear()
        free(self.buckets)

    @property
    def eviction(self):
        return EVICTION_POLICIES[<int>self.policy]

    def __len__(self):
        return self.items

    def get(self, bytes key not None, int64_t now_ms=0):
        """Return the value, or None."""
        cdef Item *item = self.find(PyBytes_AS_STRING(key), len(key), now_ms)
        return None if item == NULL else value_of(item)

    def set(
        self, bytes key not None, bytes value not None, *, uint32_t flags=0, int64_t expires_at_ms=0
    ):
        """Store the value and return True; False when there is no room for it, and then nothing has changed."""
        return self.put(PyBytes_AS_STRING(key), len(key), value, flags, expires_at_ms)

    def delete(self, bytes key not None, int64_t now_ms=0):
        """Remove the item; return True when there was one."""
        return self.remove(PyBytes_AS_STRING(key), len(key), now_ms)

    cpdef void clear(self) noexcept:
        """Remove every item; the counts of evicted and expired items stay."""
        while self.oldest != NULL:
            self.drop(self.oldest)

    def keys(self):
        """Return the keys from the next to be evicted to the last."""
        cdef Item *item = self.oldest
        keys = []
        while item != NULL:
            keys.append(PyBytes_FromStringAndSize(key_of(item), item.key_size))
            item = item.newer
        return keys

    def reset_counts(self):
        """Set the counts of evicted and expired items to zero."""
        self.evicted = self.expired = 0

    cdef Item *find(self, const char *key, Py_ssize_t size, int64_t now_ms) noexcept:
        cdef Item *item = self.peek(key, size, now_ms)
        if item != NULL and self.policy == LRU and item.newer != NULL:
            self.unlink(item)
            self.link(item)
        return item

    cdef Item *peek(self, const char *key, Py_ssize_t size, int64_t now_ms) noexcept:
        cdef Item *item = self.lookup(hash_of(key, size), key, size)
        if item != NULL and item.expires_at_ms != 0 and item.expires_at_ms <= now_ms:
            self.drop(item)
            self.expired += 1
            return NULL
        return item

    cdef bint put(
        self, const char *key, Py_ssize_t size, bytes value, uint32_t flags, int64_t expires_at_ms
    ) except -1:
        cdef uint64_t hash = hash_of(key, size)
        cdef Item *item = self.lookup(hash, key, size)
        cdef Item *made = NULL
        cdef Item *victim
        cdef int64_t growth = size + PyBytes_GET_SIZE(value) + ITEM_OVERHEAD
        if item != NULL:
            growth -= bytes_of(item)
        if self.used_bytes + growth > self.max_bytes and (self.policy == NOEVICTION or not self.fits(size, len(value))):
            return False
        if item == NULL:
            made = <Item *>malloc(sizeof(Item) + size)
            if made == NULL:
                raise MemoryError()
        while self.used_bytes + growth > self.max_bytes:
            # An item is not evicted to make room for its own new value. The value fits, so there is another item.
            victim = self.oldest if self.oldest != item else item.newer
            self.drop(victim)
            self.evicted += 1
        Py_INCREF(value)
        if item == NULL:
            item = made
            item.hash = hash
            item.key_size = <uint32_t>size
            item.expires_at_ms = 0
            memcpy(key_of(item), key, size)
            item.next = self.buckets[hash & self.mask]
            self.buckets[hash & self.mask] = item
            self.link(item)
            self.items += 1
        else:
            Py_DECREF(<object>item.value)
            if self.policy == LRU and item.newer != NULL:
                self.unlink(item)
                self.link(item)
        item.value = <PyObject *>value
        item.flags = flags
        self.expire_at(item, expires_at_ms)
        self.versions += 1
        item.version = self.versions
        self.used_bytes += growth
        return True

    cdef void expire_at(self, Item *item, int64_t expires_at_ms) noexcept:
        self.items_with_expiry += (expires_at_ms != 0) - (item.expires_at_ms != 0)
        item.expires_at_ms = expires_at_ms

    cdef bint remove(self, const char *key, Py_ssize_t size, int64_t now_ms) noexcept:
        cdef Item *item = self.peek(key, size, now_ms)
        if item == NULL:
            return False
        self.drop(item)
        return True

    cdef bint fits(self, Py_ssize_t key_size, Py_ssize_t value_size) noexcept:
        return key_size + value_size + ITEM_OVERHEAD <= self.max_bytes

    cdef Item *lookup(self, uint64_t hash, const char *key, Py_ssize_t size) noexcept:
        cdef Item *item = self.buckets[hash & self.mask]
        while item != NULL:
            if item.hash == hash and item.key_size == size and memcmp(key_of(item), key, size) == 0:
                # Every caller touches these next; prefetched together, they cost one wait instead of three.
                prefetch(item.value)
                prefetch(item.newer)
                prefetch(item.older)
                return item
            item = item.next
        return NULL

    cdef void link(self, Item *item) noexcept:
        item.newer = NULL
        item.older = self.newest
        if self.newest != NULL:
            self.newest.newer = item
        else:
            self.oldest = item
        self.newest = item

    cdef void unlink(self, Item *item) noexcept:
        if item.newer != NULL:
            item.newer.older = item.older
        else:
            self.newest = item.older
        if item.older != NULL:
            item.older.newer = item.newer
        else:
            self.oldest = item.newer

    cdef void drop(self, Item *item) noexcept:
        """Take an item out of both lists and free it."""
        cdef Item **at = &self.buckets[item.hash & self.mask]
        while at[0] != item:
            at = &at[0].next
        at[0] = item.next
        self.unlink(item)
        self.used_bytes -= bytes_of(item)
        self.items -= 1
        self.items_with_expiry -= item.expires_at_ms != 0
        Py_DECREF(<object>item.value)
        free(item)
