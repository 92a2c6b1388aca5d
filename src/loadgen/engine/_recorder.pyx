"""The counts of one worker's requests. `_recorder.pxd` has the layout and hot path.

A recorder reads no clock and knows no connection.
"""

from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy, memset

from loadgen.engine._sink import END_NAMES

from loadgen.engine._histogram cimport (
    Histogram, counts_clear, counts_free, counts_init, counts_record, counts_record_censored, counts_record_waiting,
)
from loadgen._request cimport BARRIER, NO_OUTCOME, Command
from loadgen.engine._sink cimport ANSWERED_WITH_ERROR, CORRUPT, TIMED_OUT, UNFINISHED


REDIRECT_NAMES = ("moved", "ask", "tryagain", "clusterdown", "loading", "readonly")


cdef class Recorder(Sink):
    """One worker's counts, for the commands of `table`.

    With `scheduled`, response and service time differ, and there is a lag.
    """

    def __cinit__(self, bint scheduled=False, table=None):
        cdef int i, slots
        self.scheduled = scheduled
        self.table = Commands() if table is None else table
        self.commands = self.table.count
        slots = PHASES * self.commands
        self.accounts = <Account *>calloc(slots, sizeof(Account))
        if self.accounts == NULL:
            raise MemoryError()
        for i in range(slots):
            counts_init(&self.accounts[i].response)
            counts_init(&self.accounts[i].failed)
            counts_init(&self.accounts[i].service)
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
        if self.accounts == NULL:
            return
        for i in range(PHASES * self.commands):
            counts_free(&self.accounts[i].response)
            counts_free(&self.accounts[i].failed)
            counts_free(&self.accounts[i].service)
        free(self.accounts)

    cdef void planned(self, const Request *r) noexcept nogil:
        self.note_planned(r)

    cdef void ended(self, const Request *r, End how, bint sent, int64_t now_ns) noexcept nogil:
        self.note_ended(r, how, sent, now_ns)

    cdef void note_keys(self, const Request *r, int keys, int found) noexcept nogil:
        cdef Tally *tally = &self.accounts[r.phase * self.commands + r.command].tally
        tally.keys += keys
        tally.keys_found += found

    cdef void note_failed(self, Account *account, const Request *r, End how, bint sent, int64_t now_ns) noexcept nogil:
        if how == ANSWERED_WITH_ERROR:
            counts_record(&account.failed, now_ns - r.intended_ns)
            counts_record(&account.response, now_ns - r.intended_ns)
            if self.scheduled:
                counts_record(&account.service, now_ns - r.send_ns)
        elif how == TIMED_OUT or how == UNFINISHED:
            # The true latency is at least the wait so far. A request that was not sent has waited for a reply since
            # its intended time, but has no service time.
            if how == TIMED_OUT:
                counts_record_censored(&account.failed, now_ns - r.intended_ns)
            counts_record_censored(&account.response, now_ns - r.intended_ns)
            if self.scheduled and sent:
                counts_record_censored(&account.service, now_ns - r.send_ns)

    cdef void sent(self, const Request *r, int64_t ours_ns, int64_t doubt_ns) noexcept nogil:
        cdef int64_t lag_ns = r.send_ns - r.intended_ns
        if r.resent or self.table.rows[r.command].kind == BARRIER:
            # The server caused the second send, and the lag of the first one has been counted. A barrier is due when
            # it is sent.
            return
        counts_record(&self.lag[r.phase], lag_ns)
        counts_record(&self.lag_ours[r.phase], ours_ns)
        counts_record(&self.lag_backpressure[r.phase], lag_ns - ours_ns)
        if doubt_ns:
            counts_record(&self.lag_unsure[r.phase], ours_ns)
            counts_record(&self.lag_unsure_most[r.phase], min(ours_ns + doubt_ns, lag_ns))

    cdef void unsent(self, const Request *r) noexcept nogil:
        self.accounts[r.phase * self.commands + r.command].tally.unsent += 1

    cdef void late(self, const Request *r) noexcept nogil:
        self.accounts[r.phase * self.commands + r.command].tally.late += 1

    cdef void error_text(self, const Request *r, const char *text, int length, int64_t now_ns) noexcept nogil:
        """Count an error reply by its first word. With too many words, the last class counts all others as `other`."""
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
        cdef Account *account = &self.accounts[phase * self.commands + command]
        account.tally.planned += n
        account.tally.ended[<int>UNFINISHED] += n
        account.tally.unsent += n
        counts_record_waiting(&account.response, n, youngest, oldest)

    cdef int64_t answered(self, int phase) noexcept nogil:
        cdef int64_t sum = 0
        cdef int command
        cdef Tally *t
        for command in range(self.commands):
            if self.table.rows[command].in_total:
                t = &self.accounts[phase * self.commands + command].tally
                sum += t.ended[<int>ANSWERED_WELL] + t.ended[<int>ANSWERED_WITH_ERROR] + t.ended[<int>CORRUPT]
        return sum

    cdef int64_t answered_well(self, int phase) noexcept nogil:
        cdef int64_t sum = 0
        cdef int command
        for command in range(self.commands):
            if self.table.rows[command].in_total:
                sum += self.accounts[phase * self.commands + command].tally.ended[<int>ANSWERED_WELL]
        return sum

    cdef void clear(self, int phase) noexcept nogil:
        cdef int i
        counts_clear(&self.lag[phase])
        counts_clear(&self.lag_ours[phase])
        counts_clear(&self.lag_backpressure[phase])
        counts_clear(&self.lag_unsure[phase])
        counts_clear(&self.lag_unsure_most[phase])
        for i in range(phase * self.commands, (phase + 1) * self.commands):
            counts_clear(&self.accounts[i].response)
            counts_clear(&self.accounts[i].failed)
            counts_clear(&self.accounts[i].service)
            memset(&self.accounts[i].tally, 0, sizeof(Tally))
        for i in range(self.known_classes):
            self.classes[i].count[phase] = 0
        memset(&self.redirects[phase], 0, sizeof(self.redirects[phase]))
        self.redirected[phase] = 0

    def counts(self, int phase):
        """Return the counts of one phase: fields of `snapshot.Snapshot`, by name.

        `tallies` are {command: {field of Tally: count}}, `response`, `service` and `failed` {command: Histogram}.
        Commands without a planned request are left out.
        """
        cdef int number
        cdef Account *account
        tallies, response, service, failed = {}, {}, {}, {}
        for number, name in enumerate(self.table.names):
            account = &self.accounts[phase * self.commands + number]
            if account.tally.planned == 0:
                continue
            tallies[name] = tally(&account.tally, &self.table.rows[number])
            response[name] = Histogram.copy_of(&account.response)
            failed[name] = Histogram.copy_of(&account.failed)
            if self.scheduled:
                service[name] = Histogram.copy_of(&account.service)
        errors = {self.classes[i].name[:self.classes[i].name_length].decode("latin-1"): self.classes[i].count[phase]
                  for i in range(self.known_classes) if self.classes[i].count[phase]}
        redirects = {name: self.redirects[phase][i] for i, name in enumerate(REDIRECT_NAMES)
                     if self.redirects[phase][i]}
        if redirects:
            redirects["redirected"] = self.redirected[phase]
        return {
            "tallies": tallies,
            "redirects": redirects,
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
        """Return the first error reply of each class, in the server's words."""
        return {self.classes[i].name[:self.classes[i].name_length].decode("latin-1"):
                self.classes[i].example[:self.classes[i].example_length].decode("utf-8", "replace")
                for i in range(self.known_classes)}


cdef dict tally(const Tally *t, const Command *row):
    """Return the fields of `snapshot.Tally`, by name."""
    cdef int end
    ended = {name: t.ended[end] for end, name in enumerate(END_NAMES)}
    hits = t.outcomes[row.hit] if row.hit != NO_OUTCOME else 0
    misses = t.outcomes[row.miss] if row.miss != NO_OUTCOME else 0
    return {"planned": t.planned, **ended, "hits": hits, "misses": misses, "keys": t.keys,
            "keys_found": t.keys_found, "late": t.late, "unsent": t.unsent}
