# The draws of a case in C: where they come from, their record, and the spans of parts that can be left out.
#
# `verify.tape.Tape` is the Python face. Compiled callers draw by the number of a site, which `site_of` gives for a name
# once, when their module is imported. Draws become Python objects only when a recording is asked for.

from libc.stdint cimport int64_t, uint64_t

cdef enum:
    LIKELY = 32  # a probability is a whole number of 2**-32

cdef struct Drawn:
    int site
    uint64_t n      # the number of possible values; 0: 2**64
    uint64_t value

cdef struct Marked:
    int name        # a site's number
    int64_t start   # the draws [start, end)
    int64_t end     # -1 while the span has not ended

# The values of one site that are still to be given, `given[next:end]`.
cdef struct Row:
    int64_t next
    int64_t end

# SplitMix64: a state of 64 bits and a mixing function (Steele, Lea, Flood: Fast Splittable Pseudorandom Number
# Generators, OOPSLA 2014).
cdef class Generator:
    cdef uint64_t state

    cdef uint64_t next(self) noexcept nogil
    # Return a number from 0 to n - 1, all equally likely; for n = 0, of 64 bits.
    cdef uint64_t under(self, uint64_t n) noexcept nogil


cdef class Draws:
    cdef Generator generator    # None: `given` is repeated
    cdef Draws original         # the tape whose draws `given` are, in their order; None: another's, or by site
    cdef uint64_t *given        # owned; NULL where the generator draws
    cdef int64_t n_given
    cdef Row *rows              # by site: its values in `given`; owned. NULL: values have no sites
    cdef int n_rows             # a site of a larger number has no values
    cdef Drawn *row             # owned
    cdef readonly int64_t count
    cdef int64_t capacity
    cdef Marked *spans          # owned
    cdef int marks
    cdef int marks_capacity
    cdef bint lost              # memory ran out: draws go on, and the recording raises MemoryError

    # Draw a number from 0, the simplest, to n - 1, all equally likely; for n = 0, to 2**64 - 1.
    cdef uint64_t draw(self, int site, uint64_t n) noexcept nogil
    # Draw True with a probability of `likely` * 2**-32, which is at most 1. False is the simplest.
    cdef bint chance_of(self, int site, uint64_t likely) noexcept nogil
    # Begin a span at the draw `start`, at most `count`; return its number for `end_span`.
    cdef int begin_span(self, int name, int64_t start) noexcept nogil
    cdef void end_span(self, int number) noexcept nogil

    cdef uint64_t record(self, int site, uint64_t n, uint64_t value) noexcept nogil
    cdef uint64_t repeat(self, int site, uint64_t n) noexcept nogil
    # True when the next value to be given is one of this site.
    cdef bint is_next(self, int site) noexcept
    cdef int reserve(self, int64_t n) except -1
    cdef int part(self, list sites) except -1
    cdef int check(self) except -1  # raises MemoryError when draws were lost


# Return the number of a site, the same for the same name as long as the process lives.
cdef int site_of(str name) except -1
