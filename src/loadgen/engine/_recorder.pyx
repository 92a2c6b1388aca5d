"""What happened, counted. It reads no clock and knows no connection. `_recorder.pxd` has the layout and hot path."""

from libc.string cimport memcmp, memcpy, memset

from loadgen._request import COMMAND_NAMES

from loadgen.engine._histogram cimport Histogram, counts_clear, counts_free, counts_init, counts_record_waiting
from loadgen._request cimport BACKFILL


cdef class Recorder:
    """One worker's counts. `scheduled`: response and service time differ, and send lag exists."""

    def __cinit__(self, bint scheduled=False):
        self.scheduled = scheduled
        for phase in range(PHASES):
            counts_init(&self.lag[phase])
            counts_init(&self.lag_ours[phase])
            counts_init(&self.lag_backpressure[phase])
            counts_init(&self.lag_unsure[phase])
            counts_init(&self.lag_unsure_most[phase])
            for command in range(COMMANDS):
                counts_init(&self.response[phase][command])
                counts_init(&self.failed[phase][command])
                counts_init(&self.service[phase][command])

    def __dealloc__(self):
        for phase in range(PHASES):
            counts_free(&self.lag[phase])
            counts_free(&self.lag_ours[phase])
            counts_free(&self.lag_backpressure[phase])
            counts_free(&self.lag_unsure[phase])
            counts_free(&self.lag_unsure_most[phase])
            for command in range(COMMANDS):
                counts_free(&self.response[phase][command])
                counts_free(&self.failed[phase][command])
                counts_free(&self.service[phase][command])

    cdef void timed_out(self, const Request *r, bint sent, int64_t now_ns) noexcept nogil:
        self.tallies[r.phase][r.command].timeouts += 1
        counts_record_censored(&self.failed[r.phase][r.command], now_ns - r.intended_ns)
        self.waited(r, sent, now_ns)

    cdef void late(self, const Request *r) noexcept nogil:
        self.tallies[r.phase][r.command].late += 1

    cdef void lost(self, const Request *r) noexcept nogil:
        self.tallies[r.phase][r.command].lost += 1

    cdef void unsent(self, const Request *r) noexcept nogil:
        self.tallies[r.phase][r.command].unsent += 1

    cdef void corrupt(self, const Request *r) noexcept nogil:
        self.tallies[r.phase][r.command].corrupt += 1

    cdef void unfinished(self, const Request *r, bint sent, int64_t now_ns) noexcept nogil:
        self.tallies[r.phase][r.command].unfinished += 1
        self.waited(r, sent, now_ns)

    cdef void never_sent(self, int phase, int command, int64_t n, int64_t youngest, int64_t oldest) noexcept nogil:
        cdef Tally *t = &self.tallies[phase][command]
        t.planned += n
        t.unfinished += n
        t.unsent += n
        counts_record_waiting(&self.response[phase][command], n, youngest, oldest)

    cdef int64_t answered(self, int phase) noexcept nogil:
        cdef int64_t sum = 0
        cdef int command
        for command in range(COMMANDS):
            if command != BACKFILL:
                sum += (self.tallies[phase][command].ok + self.tallies[phase][command].errors
                        + self.tallies[phase][command].corrupt)
        return sum

    cdef int64_t answered_well(self, int phase) noexcept nogil:
        cdef int64_t sum = 0
        cdef int command
        for command in range(COMMANDS):
            if command != BACKFILL:
                sum += self.tallies[phase][command].ok
        return sum

    cdef void clear(self, int phase) noexcept nogil:
        cdef int i
        counts_clear(&self.lag[phase])
        counts_clear(&self.lag_ours[phase])
        counts_clear(&self.lag_backpressure[phase])
        counts_clear(&self.lag_unsure[phase])
        counts_clear(&self.lag_unsure_most[phase])
        for i in range(COMMANDS):
            counts_clear(&self.response[phase][i])
            counts_clear(&self.failed[phase][i])
            counts_clear(&self.service[phase][i])
            memset(&self.tallies[phase][i], 0, sizeof(Tally))
        for i in range(self.known_classes):
            self.classes[i].count[phase] = 0

    cdef void waited(self, const Request *r, bint sent, int64_t now_ns) noexcept nogil:
        """Counts an open request at its age, as the lower bound that it is."""
        counts_record_censored(&self.response[r.phase][r.command], now_ns - r.intended_ns)
        if self.scheduled and sent:
            counts_record_censored(&self.service[r.phase][r.command], now_ns - r.send_ns)

    cdef void classified(self, int phase, const char *text, int length) noexcept nogil:
        """Counts an error reply by its first word; when there are too many words, under the last one's class."""
        cdef int word = 0, i
        cdef ErrorClass *c
        while word < length and word < CLASS_NAME and <unsigned char>text[word] > c' ':
            word += 1
        for i in range(self.known_classes):
            c = &self.classes[i]
            if c.name_length == word and memcmp(c.name, text, word) == 0:
                c.count[phase] += 1
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
        self.classes[self.known_classes - 1].count[phase] += 1

    def counts(self, int phase):
        """What one phase has come to: fields of `snapshot.Snapshot`, by name.

        `tallies` are {command: {field of Tally: count}}, `response`, `service` and `failed` {command: Histogram};
        commands never planned are left out.
        """
        tallies, response, service, failed = {}, {}, {}, {}
        for command, name in enumerate(COMMAND_NAMES):
            if self.tallies[phase][command].planned == 0:
                continue
            tallies[name] = self.tallies[phase][command]
            response[name] = Histogram.copy_of(&self.response[phase][command])
            failed[name] = Histogram.copy_of(&self.failed[phase][command])
            if self.scheduled:
                service[name] = Histogram.copy_of(&self.service[phase][command])
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
