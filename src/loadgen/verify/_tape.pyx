"""The draws of a case; `_tape.pxd` describes them. No I/O, no clock."""

from libc.stdint cimport UINT64_MAX, int64_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc

from loadgen.engine._random cimport splitmix64

cdef object MOST = 1 << 64

# Turns the state of a tape into that of a draw aside: the first digits of the square root of 2.
cdef uint64_t ASIDE = 0x6A09E667F3BCC908

cdef dict numbers = {}
cdef list names = []


cdef int site_of(str name) except -1:
    number = numbers.get(name)
    if number is None:
        number = numbers[name] = len(names)
        names.append(name)
    return number


cdef class Generator:
    """The numbers of a state, the same on every machine."""

    def __cinit__(self, state=0):
        self.state = state % MOST

    cdef uint64_t next(self) noexcept nogil:
        return splitmix64(&self.state)

    cdef uint64_t under(self, uint64_t n) noexcept nogil:
        cdef uint64_t word = splitmix64(&self.state)
        # Of 2**64 words, the last 2**64 mod n would make small numbers likelier.
        cdef uint64_t unfair = (0 - n) % n if n else 0
        while unfair and word >= 0 - unfair:
            word = splitmix64(&self.state)
        return word % n if n else word

    def word(self):
        """Return the next 64 bits."""
        return self.next()

    def below(self, n):
        """Return a number from 0 to n - 1, all equally likely. `n` is from 1 to 2**64."""
        if not 1 <= n <= MOST:
            raise ValueError(f"a draw has 1 to 2**64 possible values, not {n}")
        return self.under(<uint64_t>(n % MOST))

    def index(self, weights):
        """Return an index of `weights`, in proportion to the weights. Their sum is above 0."""
        return weighted(self, weights)


cdef uint64_t weighted(Generator generator, object weights) except? 0:
    cdef uint64_t value = generator.below(sum(weights)), sum_so_far = 0, i = 0
    for weight in weights:
        sum_so_far += weight
        if value < sum_so_far:
            return i
        i += 1
    raise ValueError("weights are not negative, and not all 0")


cdef class Draws:
    """Draws from the generator of a state, or, for None, those of `values`: 0 past the end, and n - 1 for a value that
    is not below `n`.

    `sites` are those of the values, of which each is then given to a draw at its own site. Without sites, values are
    given in their order, whatever is drawn.
    """

    def __cinit__(self, state, values=(), sites=None):
        cdef int64_t i
        if state is not None:
            self.generator = Generator(state)
            return
        self.reserve(len(values))
        for i in range(self.n_given):
            self.given[i] = min(max(values[i], 0), UINT64_MAX)
        if sites is not None:
            self.part([site_of(site) for site in sites])

    def __dealloc__(self):
        free(self.given)
        free(self.rows)
        free(self.row)
        free(self.spans)

    cdef int reserve(self, int64_t n) except -1:
        self.given = <uint64_t *>malloc(max(n, 1) * sizeof(uint64_t))
        if self.given == NULL:
            raise MemoryError()
        self.n_given = n
        return 0

    cdef int part(self, list sites) except -1:
        """Put the values into a row for each site, in which they keep their order."""
        cdef uint64_t *parted
        cdef int64_t i, start = 0, n
        cdef int site
        self.n_rows = len(names)
        self.rows = <Row *>calloc(max(self.n_rows, 1), sizeof(Row))
        parted = <uint64_t *>malloc(max(self.n_given, 1) * sizeof(uint64_t))
        if self.rows == NULL or parted == NULL:
            free(parted)
            raise MemoryError()
        for site in sites:
            self.rows[site].end += 1
        for site in range(self.n_rows):
            n = self.rows[site].end
            self.rows[site].next = self.rows[site].end = start
            start += n
        for i in range(self.n_given):
            site = sites[i]
            parted[self.rows[site].end] = self.given[i]
            self.rows[site].end += 1
        free(self.given)
        self.given = parted
        return 0

    def again(self):
        """Return a tape that repeats these draws, in their order."""
        cdef Draws tape = type(self)(None)
        cdef int64_t i
        free(tape.given)
        tape.given = NULL
        tape.reserve(self.count)
        tape.original = self
        for i in range(self.count):
            tape.given[i] = self.row[i].value
        return tape

    def same_as(self, Draws other not None):
        """True when both tapes have drawn the same values, of as many, at the same sites."""
        cdef int64_t i
        if self.count != other.count:
            return False
        for i in range(self.count):
            if (self.row[i].site != other.row[i].site or self.row[i].n != other.row[i].n
                    or self.row[i].value != other.row[i].value):
                return False
        return True

    # ── Draws ───────────────────────────────────────────────────────────────────────────────────────────────────────

    cdef uint64_t draw(self, int site, uint64_t n) noexcept nogil:
        return self.record(site, n, self.repeat(site, n) if self.given != NULL else self.generator.under(n))

    cdef bint chance_of(self, int site, uint64_t likely) noexcept nogil:
        cdef uint64_t all = <uint64_t>1 << LIKELY
        return self.record(
            site, 2, self.repeat(site, 2) if self.given != NULL else self.generator.under(all) >= all - likely)

    cdef uint64_t repeat(self, int site, uint64_t n) noexcept nogil:
        cdef uint64_t value = 0
        cdef Row *row
        if self.rows == NULL:
            if self.count < self.n_given:
                value = self.given[self.count]
        elif site < self.n_rows:
            row = &self.rows[site]
            if row.next < row.end:
                value = self.given[row.next]
                row.next += 1
        return min(value, n - 1)

    cdef bint is_next(self, int site) noexcept:
        if self.rows != NULL:
            return site < self.n_rows and self.rows[site].next < self.rows[site].end
        return (self.original is not None and self.count < self.n_given
                and self.original.row[self.count].site == site)

    cdef uint64_t record(self, int site, uint64_t n, uint64_t value) noexcept nogil:
        cdef int64_t capacity
        cdef Drawn *grown
        if self.count == self.capacity:
            capacity = max(<int64_t>1024, 2 * self.capacity)
            grown = <Drawn *>realloc(self.row, capacity * sizeof(Drawn))
            if grown == NULL:
                self.lost = True
                return value
            self.row = grown
            self.capacity = capacity
        self.row[self.count].site = site
        self.row[self.count].n = n
        self.row[self.count].value = value
        self.count += 1
        return value

    def draw_one(self, str site, n, weights):
        """Draw a number below `n` after `weights`: one for each number, the one value to draw, or None where all are
        equally likely."""
        cdef uint64_t value
        cdef int number = site_of(site)
        if not 1 <= n <= MOST:
            raise ValueError(f"{site}: a draw has 1 to 2**64 possible values, not {n}")
        cdef uint64_t most = <uint64_t>(n % MOST)
        if self.given != NULL:
            value = self.repeat(number, most)
        elif weights is None:
            value = self.generator.under(most)
        elif isinstance(weights, int):
            value = weights
        else:
            value = weighted(self.generator, weights)
        return self.record(number, most, value)

    def draw_aside(self, str site, n, weights):
        """Draw a number below `n` after `weights`, with no word of the generator; 0 is not recorded.

        What is drawn after a 0 is what is drawn without this draw. Recorded values that have none of this site give 0,
        as do values without sites.
        """
        cdef uint64_t value = 0
        cdef int number = site_of(site)
        if self.given == NULL:
            value = weighted(Generator(self.generator.state ^ ASIDE), weights)
        elif self.is_next(number):
            value = self.repeat(number, n)
        return self.record(number, n, value) if value else 0

    # ── Spans ───────────────────────────────────────────────────────────────────────────────────────────────────────

    cdef int begin_span(self, int name, int64_t start) noexcept nogil:
        cdef int capacity
        cdef Marked *grown
        if self.marks == self.marks_capacity:
            capacity = max(64, 2 * self.marks_capacity)
            grown = <Marked *>realloc(self.spans, capacity * sizeof(Marked))
            if grown == NULL:
                self.lost = True
                return -1
            self.spans = grown
            self.marks_capacity = capacity
        self.spans[self.marks].name = name
        self.spans[self.marks].start = start
        self.spans[self.marks].end = -1
        self.marks += 1
        return self.marks - 1

    cdef void end_span(self, int number) noexcept nogil:
        if number >= 0:
            self.spans[number].end = self.count

    def begin(self, str name, int64_t start):
        """Begin a span at the draw `start`; return its number."""
        return self.begin_span(site_of(name), start)

    def end(self, int number):
        """End a span."""
        self.end_span(number)

    # ── The record ──────────────────────────────────────────────────────────────────────────────────────────────────

    def drawn(self):
        """Return what was drawn so far: (site, n, value) of each draw. Raises MemoryError when memory ran out."""
        cdef int64_t i
        self.check()
        return [(names[self.row[i].site], self.row[i].n or MOST, self.row[i].value) for i in range(self.count)]

    def marked(self):
        """Return the spans so far: (name, start, end) of each. A span that has not ended yet ends here."""
        cdef int i
        self.check()
        return [(names[self.spans[i].name], self.spans[i].start,
                 self.count if self.spans[i].end < 0 else self.spans[i].end) for i in range(self.marks)]

    cdef int check(self) except -1:
        if self.lost:
            raise MemoryError("the draws of this case did not fit into memory")
        return 0
