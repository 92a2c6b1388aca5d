# A cursor over borrowed bytes, and inline functions that read and write bytes fast.

from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memchr, memcpy, memset

cdef struct Cursor:
    const char *at   # next byte to read; borrowed from the read buffer, valid during one feed
    const char *end  # one past the last byte received

# Templates are copied as whole blocks of this many bytes, which compiles to a few vector moves. The owner of an
# out-buffer leaves this much room behind the longest request.
cdef enum:
    BLOCK = 64


cdef extern from * nogil:
    """
    #include <stdint.h>
    #include <string.h>
    #ifdef __SSE2__
    #include <emmintrin.h>
    #endif

    /* Sixteen lower-case hex digits, the most significant first. */
    static inline void loadgen_hex16(char *out, uint64_t value) {
    #ifdef __SSE2__
        const __m128i nibble = _mm_set1_epi8(15), nine = _mm_set1_epi8(9);
        __m128i bytes = _mm_cvtsi64_si128((long long)__builtin_bswap64(value));
        __m128i high = _mm_and_si128(_mm_srli_epi16(bytes, 4), nibble), low = _mm_and_si128(bytes, nibble);
        __m128i digits = _mm_unpacklo_epi8(high, low);
        __m128i letters = _mm_and_si128(_mm_cmpgt_epi8(digits, nine), _mm_set1_epi8('a' - '0' - 10));
        _mm_storeu_si128((__m128i *)out, _mm_add_epi8(_mm_add_epi8(digits, _mm_set1_epi8('0')), letters));
    #else
        for (int i = 0; i < 16; i++) out[i] = "0123456789abcdef"[value >> (60 - 4 * i) & 15];
    #endif
    }
    """
    void hex16 "loadgen_hex16"(char *out, uint64_t value)


cdef inline void write_key(char *out, uint64_t key, int length) noexcept nogil:
    """Write a key's id in lower-case hex, zero-padded to length. The config has checked that the id fits."""
    cdef char digits[16]
    if length >= 16:
        if length > 16:
            memset(out, c'0', length - 16)
        hex16(out + length - 16, key)
    else:
        hex16(digits, key)
        memcpy(out, digits + 16 - length, length)


cdef inline void write_short_key(char *out, uint64_t key, int length) noexcept nogil:
    """`write_key` for a length of up to 16. Writes 16 bytes: what stands behind the key is to be written afterwards."""
    hex16(out, key << 4 * (16 - length))


cdef inline void copy_value(char *out, const char *value, Py_ssize_t length) noexcept nogil:
    """Copy a value. A short one is copied as a whole block, for which both buffers must have room."""
    if length <= BLOCK:
        memcpy(out, value, BLOCK)
    else:
        memcpy(out, value, length)


cdef inline uint64_t word_at(const char *at) noexcept nogil:
    """Return eight bytes as a word, the first byte lowest (little-endian machines)."""
    cdef uint64_t word
    memcpy(&word, at, 8)
    return word


cdef inline const char *find_newline(Cursor *c) noexcept nogil:
    return <const char *>memchr(c.at, c'\n', c.end - c.at)


cdef inline const char *read_decimal(const char *at, const char *end, int64_t *value) noexcept nogil:
    """Read a non-negative decimal. Return the place after it, or NULL where there is none of 1 to 18 digits."""
    cdef const char *start = at
    cdef int64_t v = 0
    while at < end and at - start < 18 and c'0' <= at[0] <= c'9':
        v = v * 10 + (at[0] - c'0')
        at += 1
    if at == start or at < end and c'0' <= at[0] <= c'9':
        return NULL
    value[0] = v
    return at
