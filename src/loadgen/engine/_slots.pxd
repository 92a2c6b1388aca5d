# The slots of a Redis Cluster: every key has one of 16,384, and every slot a shard.

from libc.stdint cimport int16_t, uint16_t, uint32_t, uint64_t

from loadgen.engine._route cimport Route

cdef enum:
    SLOTS = 16384


cdef class Slots(Route):
    cdef int16_t owners[SLOTS]     # the shard of each slot
    cdef uint32_t version          # goes up with each change of an owner
    # A key's CRC is that of the key with the id 0, and for each of the id's digits an entry that is XORed: a CRC is
    # linear. The lowest digit is first.
    cdef uint16_t zero
    cdef uint16_t digits[16][16]
    cdef int n_digits

    cdef int slot(self, uint64_t key) noexcept nogil
    # Give a slot to a shard.
    cdef void assign(self, int slot, int shard) noexcept nogil


# A route that has each key in the lane of its slot's number, by which the keys of each slot are counted.
cdef class BySlot(Route):
    cdef Slots slots
