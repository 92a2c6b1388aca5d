"""The slots of a Redis Cluster: CRC-16/XMODEM of a key, or of its hash tag, modulo 16,384.

Source: the Redis cluster specification, "Key distribution model" and "Hash tags".
"""

cimport cython

from binascii import crc_hqx

DIGITS = b"0123456789abcdef"


cdef bytes hashed(bytes key):
    """Return the part of a key that decides about its slot: what is in its first braces, if that is not empty."""
    _, opened, rest = key.partition(b"{")
    tag, closed, _ = rest.partition(b"}")
    return tag if opened and closed and tag else key


@cython.final
cdef class Slots(Route):
    """The slots of the keys of `key_length` characters that begin with `prefix`, for up to `shards` shards.

    `ranges` are (first slot, last slot, shard); a slot in none of them belongs to shard 0.
    """

    def __cinit__(self, int key_length, bytes prefix, int shards, ranges=()):
        cdef int digit, value
        cdef int length = key_length - len(prefix)
        self.lanes = shards
        zero = prefix + b"0" * length
        tag = hashed(zero)
        self.zero = crc_hqx(tag, 0)
        # An id in a hash tag does not exist: the id has no braces. So the tag is in the prefix, or the key has none.
        if tag == zero:
            self.n_digits = min(length, 16)
            for digit in range(self.n_digits):
                for value in range(16):
                    other = bytes([DIGITS[value]]) + b"0" * digit
                    self.digits[digit][value] = crc_hqx(zero[:len(zero) - 1 - digit] + other, 0) ^ self.zero
        for first, last, shard in ranges:
            for digit in range(first, last + 1):
                self.owners[digit] = shard

    cdef int slot(self, uint64_t key) noexcept nogil:
        cdef uint16_t crc = self.zero
        cdef int digit = 0
        while key and digit < self.n_digits:
            crc ^= self.digits[digit][key & 15]
            key >>= 4
            digit += 1
        return crc & (SLOTS - 1)

    cdef int owner(self, uint64_t key) noexcept nogil:
        return self.owners[self.slot(key)]

    cdef void assign(self, int slot, int shard) noexcept nogil:
        if self.owners[slot] != shard:
            self.owners[slot] = shard
            self.version += 1

    def copy(self):
        """Return a route whose owners stay as they are now."""
        cdef Slots other = Slots.__new__(Slots, 1, b"", self.lanes)
        other.zero, other.n_digits, other.digits = self.zero, self.n_digits, self.digits
        other.owners = self.owners
        return other

    def slot_of(self, uint64_t key):
        """Return the slot of a key's id."""
        return self.slot(key)

    def owned(self):
        """Return the shard of each slot, as a list."""
        return [shard for shard in self.owners]


@cython.final
cdef class BySlot(Route):
    """The keys of `slots`, each in the lane of its slot's number."""

    def __cinit__(self, Slots slots not None):
        self.slots = slots
        self.lanes = SLOTS

    cdef int owner(self, uint64_t key) noexcept nogil:
        return self.slots.slot(key)
