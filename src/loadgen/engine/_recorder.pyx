"""What happened, counted. It reads no clock and knows no connection. `_recorder.pxd` has the layout and hot path."""

from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy, memset

from loadgen.engine._sink import END_NAMES

from loadgen.engine._histogram cimport Histogram, counts_clear, counts_free, counts_init, counts_record_waiting
from loadgen.engine._sink cimport CORRUPT, UNFINISHED


cdef class Recorder(Sink):
    """One worker's counts, for the commands of `table`.

    `scheduled`: response and service time differ, and lag exists.
    """

    def __cinit__(self, bint scheduled=False, table=None):
        cdef int i, slots
        self.scheduled = scheduled
        self.table = Commands() if table is None else table
        self.rows = self.table.rows
        self.commands = self.table.count
        slots = PHASES * self.commands
        self.tallies = <Tally *>calloc(slots, sizeof(Tally))
        self.response = <Counts *>calloc(slots, sizeof(Counts))
        self.failed = <Counts *>calloc(slots, sizeof(Counts))
        self.service = <Counts *>calloc(slots, sizeof(Counts))
        if self.tallies == NULL or self.response == NULL or self.failed == NULL or self.service == NULL:
            raise MemoryError()
        for i in range(slots):
            counts_init(&self.response[i])
            counts_init(&self.failed[i])
            counts_init(&self.service[i])
        for i in range(PHASES):
            counts_init(&self.lag[i])
            counts_init(&self.lag_ours[i])
            counts_init(&self.lag_backpressure[i])
            counts_init(&self.lag_unsure[i])
            counts_init(&self.lag_unsure_most[i])

    def __dealloc__(self):
        cdef int i
        for i in range(PHASES):
            counts_free(&self.lag[i])
            counts_free(&self.lag_ours[i])
            counts_free(&self.lag_backpressure[i])
            counts_free(&self.lag_unsure[i])
            counts_free(&self.lag_unsure_most[i])
        for i in range(PHASES * self.commands):
            if self.response != NULL:
                counts_free(&self.response[i])
            if self.failed != NULL:
                counts_free(&self.failed[i])
            if self.service != NULL:
                counts_free(&self.service[i])
        free(self.tallies)
        free(self.response)
        free(self.failed)
        free(self.service)

    cdef void planned(self, const Request *r) noexcept nogil:
        self.note_planned(r)

    cdef void ended(self, const Request *r, End how, bint sent, int64_t now_ns) noexcept nogil:
        self.note_ended(r, how, sent, now_ns)

    cdef void sent(self, const Request *r, int64_t ours_ns, int64_t doubt_ns) noexcept nogil:
        cdef int64_t lag_ns = r.send_ns - r.intended_ns
        if r.resent:
            # That it is sent again is the server's doing, and its lag has been counted.
            return
        counts_record(&self.lag[r.phase], lag_ns)
        counts_record(&self.lag_ours[r.phase], ours_ns)
        counts_record(&self.lag_backpressure[r.phase], lag_ns - ours_ns)
        if doubt_ns:
            counts_record(&self.lag_unsure[r.phase], ours_ns)
            counts_record(&self.lag_unsure_most[r.phase], min(ours_ns + doubt_ns, lag_ns))

    cdef void unsent(self, const Request *r) noexcept nogil:
        self.tallies[r.phase * self.commands + r.command].unsent += 1

    cdef void late(self, const Request *r) noexcept nogil:
        self.tallies[r.phase * self.commands + r.command].late += 1

    cdef void error_text(self, const Request *r, const char *text, int length) noexcept nogil:
        """Counts an error reply by its first word; when there are too many words, under the last one's class."""
        cdef int word = 0, i
        cdef ErrorClass *c
        while word < length and word < CLASS_NAME and <unsigned char>text[word] > c' ':
            word += 1
        for i in range(self.known_classes):
            c = &self.classes[i]
            if c.name_length == word and memcmp(c.name, text, word) == 0:
                c.count[r.phase] += 1
                return
        if self.known_classes < CLASSES:
            self.known_classes += 1
            c = &self.classes[self.known_classes - 1]
            c.name_length = word
            memcpy(c.name, text, word)
            c.example_length = min(length, CLASS_EXAMPLE)
            memcpy(c.example, text, c.example_length)
            if self.known_classes == CLASSES:
                c.name_length = 5
                memcpy(c.name, b"other", 5)
        self.classes[self.known_classes - 1].count[r.phase] += 1

    cdef void never_sent(self, int phase, int command, int64_t n, int64_t youngest, int64_t oldest) noexcept nogil:
        cdef int slot = phase * self.commands + command
        cdef Tally *t = &self.tallies[slot]
        t.planned += n
        t.ended[<int>UNFINISHED] += n
        t.unsent += n
        counts_record_waiting(&self.response[slot], n, youngest, oldest)

    cdef int64_t answered(self, int phase) noexcept nogil:
        cdef int64_t sum = 0
        cdef int command
        cdef Tally *t
        for command in range(self.commands):
            if self.rows[command].in_total:
                t = &self.tallies[phase * self.commands + command]
                sum += t.ended[<int>ANSWERED_WELL] + t.ended[<int>ANSWERED_WITH_ERROR] + t.ended[<int>CORRUPT]
        return sum

    cdef int64_t answered_well(self, int phase) noexcept nogil:
        cdef int64_t sum = 0
        cdef int command
        for command in range(self.commands):
            if self.rows[command].in_total:
                sum += self.tallies[phase * self.commands + command].ended[<int>ANSWERED_WELL]
        return sum

    cdef void clear(self, int phase) noexcept nogil:
        cdef int i
        counts_clear(&self.lag[phase])
        counts_clear(&self.lag_ours[phase])
        counts_clear(&self.lag_backpressure[phase])
        counts_clear(&self.lag_unsure[phase])
        counts_clear(&self.lag_unsure_most[phase])
        for i in range(phase * self.commands, (phase + 1) * self.commands):
            counts_clear(&self.response[i])
            counts_clear(&self.failed[i])
            counts_clear(&self.service[i])
            memset(&self.tallies[i], 0, sizeof(Tally))
        for i in range(self.known_classes):
            self.classes[i].count[phase] = 0

    def counts(self, int phase):
        """What one phase has come to: fields of `snapshot.Snapshot`, by name.

        `tallies` are {command: {field of Tally: count}}, `response`, `service` and `failed` {command: Histogram};
        commands never planned are left out.
        """
        cdef int slot
        tallies, response, service, failed = {}, {}, {}, {}
        for slot, name in enumerate(self.table.names, phase * self.commands):
            if self.tallies[slot].planned == 0:
                continue
            tallies[name] = tally(&self.tallies[slot])
            response[name] = Histogram.copy_of(&self.response[slot])
            failed[name] = Histogram.copy_of(&self.failed[slot])
            if self.scheduled:
                service[name] = Histogram.copy_of(&self.service[slot])
        errors = {self.classes[i].name[:self.classes[i].name_length].decode("latin-1"): self.classes[i].count[phase]
                  for i in range(self.known_classes) if self.classes[i].count[phase]}
        return {
            "tallies": tallies,
            "response": response,
            "service": service,
            "failed": failed,
            "lag": Histogram.copy_of(&self.lag[phase]),
            "lag_ours": Histogram.copy_of(&self.lag_ours[phase]),
            "lag_backpressure": Histogram.copy_of(&self.lag_backpressure[phase]),
            "lag_unsure": Histogram.copy_of(&self.lag_unsure[phase]),
            "lag_unsure_most": Histogram.copy_of(&self.lag_unsure_most[phase]),
            "errors": errors,
        }

    def examples(self):
        """The first error reply of each class, in the server's words."""
        return {self.classes[i].name[:self.classes[i].name_length].decode("latin-1"):
                self.classes[i].example[:self.classes[i].example_length].decode("utf-8", "replace")
                for i in range(self.known_classes)}


cdef dict tally(const Tally *t):
    """Fields of `snapshot.Tally`, by name."""
    cdef int end
    ended = {name: t.ended[end] for end, name in enumerate(END_NAMES)}
    return {"planned": t.planned, **ended, "hits": t.hits, "misses": t.misses, "late": t.late, "unsent": t.unsent}
