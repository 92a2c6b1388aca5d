# A cursor over bytes that somebody else owns, and the few ways of writing bytes fast.

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memchr, memcpy, memset

cdef struct Cursor:
    const char *at   # next byte to read; borrowed from the read buffer, valid during one feed
    const char *end  # one past the last byte received

# Templates are copied as whole blocks of this many bytes, which compiles to a few vector moves; whoever owns an
# out-buffer leaves this much room behind the longest request.
cdef enum:
    BLOCK = 64


cdef inline uint64_t hex8(uint32_t value) noexcept nogil:
    """The eight lower-case hex digits of value, most significant first in memory (little-endian machines)."""
    cdef uint64_t x = value
    x = (x >> 16) | ((x & 0xFFFF) << 32)
    x = ((x & <uint64_t>0x0000FF000000FF00) >> 8) | ((x & <uint64_t>0x000000FF000000FF) << 16)
    x = ((x & <uint64_t>0x00F000F000F000F0) >> 4) | ((x & <uint64_t>0x000F000F000F000F) << 8)
    cdef uint64_t letters = ((x + <uint64_t>0x0606060606060606) >> 4) & <uint64_t>0x0101010101010101
    return x + <uint64_t>0x3030303030303030 + letters * 0x27


cdef inline void write_key(char *out, uint64_t key, int length) noexcept nogil:
    """The key's id in lower-case hex, zero-padded to length. The id fits: the config has checked it."""
    cdef uint64_t digits[2]
    digits[0] = hex8(<uint32_t>(key >> 32))
    digits[1] = hex8(<uint32_t>key)
    if length == 16:
        memcpy(out, digits, 16)
    elif length > 16:
        memset(out, c'0', length - 16)
        memcpy(out + length - 16, digits, 16)
    else:
        memcpy(out, <char *>digits + 16 - length, length)


cdef inline const char *find_newline(Cursor *c) noexcept nogil:
    return <const char *>memchr(c.at, c'\n', c.end - c.at)


cdef inline const char *read_decimal(const char *at, const char *end, int64_t *value) noexcept nogil:
    """Reads a non-negative decimal; returns the byte after it, or NULL where there is none of 1 to 18 digits."""
    cdef const char *start = at
    cdef int64_t v = 0
    while at < end and at - start < 18 and c'0' <= at[0] <= c'9':
        v = v * 10 + (at[0] - c'0')
        at += 1
    if at == start or at < end and c'0' <= at[0] <= c'9':
        return NULL
    value[0] = v
    return at
