"""The law of a register under cache semantics. `_register.pxd` has the law and its argument."""

from libc.stdint cimport INT64_MAX, INT64_MIN, int64_t, uint32_t, uint64_t
from libc.stdlib cimport bsearch, free, qsort, realloc
from libc.string cimport memset

from loadgen._mark cimport FOREIGN, UNMARKED
from loadgen.verify.checkers cimport _search as search
from loadgen.verify.checkers._search cimport Search, Step
from loadgen.verify.history cimport _operation as form
from loadgen.verify.history._operation cimport Operation
from loadgen.verify.history._operations cimport Operations

VERDICT_NAMES = ("legal", "illegal", "untold")
LAW_NAMES = ("", "unwritten", "early", "two-values", "overwritten", "revived", "no-order", "lost")

cdef uint64_t MIXER = 0x9E3779B97F4A7C15


cdef class Register:
    """Judges histories of registers. It keeps its memory from one history to the next."""

    def __cinit__(self, *, bint strict=False, bint by_search=False):
        self.strict = strict
        self.by_search = by_search
        self.searcher = Search()

    def __dealloc__(self):
        free(self.accusations)
        free(self.unjudged)
        free(self.clusters)
        free(self.keys)
        free(self.cluster_table)
        free(self.key_table)
        free(self.next_of)
        free(self.zones)
        free(self.steps)

    cdef bint make_room(self, uint32_t count) noexcept:
        cdef uint64_t room = max(<uint64_t>count, 64), size = self.table_size
        if room <= self.room:
            return True
        while size < 2 * room:
            size = max(2 * size, 128)
        # Strict: a key's misses have a cluster beside those of its values.
        if not (
            resized(<void **>&self.clusters, 2 * room * sizeof(Cluster))
            and resized(<void **>&self.zones, 2 * room * sizeof(Zone))
            and resized(<void **>&self.keys, room * sizeof(KeyState))
            and resized(<void **>&self.cluster_table, size * sizeof(uint32_t))
            and resized(<void **>&self.key_table, size * sizeof(uint32_t))
        ):
            return False
        self.room = room
        self.table_size = size
        return True

    cdef Verdict judge(self, const Operation *operations, uint32_t count) noexcept:
        cdef uint32_t i
        cdef uint64_t used = 128
        self.reads = self.misses = self.writes = self.unknown = self.undone = 0
        self.key_count = self.searched_count = self.accused = self.unjudged_count = self.cluster_count = 0
        if not self.make_room(count):
            return NO_MEMORY
        # A small history after a large one pays for its own size.
        while used < 2 * <uint64_t>count:
            used *= 2
        self.table_size = used
        memset(self.cluster_table, 0, used * sizeof(uint32_t))
        memset(self.key_table, 0, used * sizeof(uint32_t))
        self.operations = operations
        self.count = count
        for i in range(count):
            self.place(i)
        for i in range(self.key_count):
            if self.by_search:
                self.keys[i].searched |= ASKED
            if self.keys[i].searched:
                self.searched_count += 1
            else:
                self.by_zones(&self.keys[i])
        if self.searched_count and not self.search_keys():
            return NO_MEMORY
        self.operations = NULL
        return ILLEGAL if self.accused else UNTOLD if self.unjudged_count else LEGAL

    # ── Clusters ──────────────────────────────────────────────────────────────────────────────────────────────────────

    cdef void place(self, uint32_t index) noexcept:
        """Count an operation, and add it to its cluster."""
        cdef const Operation *o = &self.operations[index]
        cdef bint done = o.outcome != form.UNKNOWN and o.return_ns != INT64_MAX
        cdef Cluster *cluster
        if o.op == form.CAS_TO:
            return
        if o.outcome == form.NOT_DONE or (o.outcome == form.MISS and (o.op == form.WRITE or o.op == form.CAS)):
            self.undone += 1
            return
        self.unknown += not done
        if o.op == form.READ:
            if not done:
                return
            self.reads += 1
            if o.outcome == form.MISS or o.value == form.ABSENT:
                self.misses += 1
                self.absence(index, done)
            else:
                self.join(self.cluster_of(o.key, o.value), index, o.return_ns)
            return
        self.writes += done
        if o.op == form.DELETE:
            self.absence(index, done)
            return
        if o.op == form.CAS or (o.op == form.ADD and (self.strict or o.outcome == form.MISS)):
            self.keys[self.key_of(o.key)].searched |= CONDITIONAL
        if o.op == form.CAS or o.outcome == form.MISS:
            return
        if o.value == form.ABSENT:
            self.keys[self.key_of(o.key)].searched |= UNIDENTIFIED
            return
        cluster = self.cluster_of(o.key, o.value)
        if cluster.write != NOBODY:
            self.keys[self.key_of(o.key)].searched |= REPEATED
        cluster.write = index
        self.join(cluster, index, o.return_ns if done else INT64_MAX)

    cdef void join(self, Cluster *cluster, uint32_t index, int64_t return_ns) noexcept:
        if return_ns < cluster.least_return:
            cluster.least_return, cluster.first = return_ns, index
        if self.operations[index].call_ns > cluster.greatest_call or cluster.last == NOBODY:
            cluster.greatest_call, cluster.last = self.operations[index].call_ns, index

    cdef void absence(self, uint32_t index, bint done) noexcept:
        """A miss, or a delete: at some instant between call and return, the key was absent."""
        cdef const Operation *o = &self.operations[index]
        cdef uint32_t at
        cdef KeyState *key
        cdef Cluster *cluster
        if not done and not self.strict:
            # It may take effect after everything else.
            return
        at = self.key_of(o.key)
        key = &self.keys[at]
        if not self.strict:
            self.join(self.new_cluster(at, form.ABSENT), index, o.return_ns)
        elif o.op == form.DELETE and o.outcome != form.MISS:
            key.searched |= DELETED
        else:
            if key.absences == NOBODY:
                cluster = self.new_cluster(at, form.ABSENT)
                cluster.least_return = INT64_MIN
                key.absences = <uint32_t>(cluster - self.clusters)
            self.join(&self.clusters[key.absences], index, o.return_ns)

    cdef Cluster *cluster_of(self, uint64_t key, uint64_t value) noexcept:
        cdef uint64_t mask = self.table_size - 1, place = hashed(key * MIXER ^ value) & mask
        cdef Cluster *cluster
        while self.cluster_table[place]:
            cluster = &self.clusters[self.cluster_table[place] - 1]
            if cluster.value == value and cluster.key == key:
                return cluster
            place = (place + 1) & mask
        cluster = self.new_cluster(self.key_of(key), value)
        self.cluster_table[place] = self.cluster_count
        return cluster

    cdef Cluster *new_cluster(self, uint32_t key_index, uint64_t value) noexcept:
        cdef Cluster *cluster = &self.clusters[self.cluster_count]
        cdef KeyState *key = &self.keys[key_index]
        cluster.key, cluster.value = key.key, value
        cluster.least_return = INT64_MIN if may_be_older(value) else INT64_MAX
        cluster.greatest_call = INT64_MIN
        cluster.write = cluster.first = cluster.last = NOBODY
        cluster.next = key.clusters
        key.clusters = self.cluster_count
        self.cluster_count += 1
        return cluster

    cdef uint32_t key_of(self, uint64_t key) noexcept:
        """Return the index of a key, which is added where it is new."""
        cdef uint64_t mask = self.table_size - 1, place = hashed(key * MIXER) & mask
        cdef KeyState *added
        while self.key_table[place]:
            if self.keys[self.key_table[place] - 1].key == key:
                return self.key_table[place] - 1
            place = (place + 1) & mask
        added = &self.keys[self.key_count]
        added.key = key
        added.clusters = added.absences = added.operations = added.last_operation = NOBODY
        added.many = added.searched = 0
        self.key_count += 1
        self.key_table[place] = self.key_count
        return self.key_count - 1

    # ── By zones ──────────────────────────────────────────────────────────────────────────────────────────────────────

    cdef void by_zones(self, KeyState *key) noexcept:
        cdef Zone *zones
        # The list has the newest cluster first: filled from the end, the zones are nearly in order.
        cdef uint64_t first = 2 * self.room, many, i
        cdef uint32_t at = key.clusters
        cdef bint sorted_already = True
        cdef Cluster *cluster
        cdef Zone *around
        while at != NOBODY:
            cluster = &self.clusters[at]
            if cluster.value != form.ABSENT and not may_be_older(cluster.value):
                if cluster.write == NOBODY:
                    self.accuse(key, UNWRITTEN, cluster, NULL)
                    return
                if cluster.least_return < self.operations[cluster.write].call_ns:
                    self.accuse(key, EARLY, cluster, NULL)
                    return
            if cluster.least_return < cluster.greatest_call:
                first -= 1
                self.zones[first].least_return = cluster.least_return
                self.zones[first].greatest_call = cluster.greatest_call
                self.zones[first].cluster = at
                if first + 1 < 2 * self.room and self.zones[first + 1].least_return < cluster.least_return:
                    sorted_already = False
            at = cluster.next
        many = 2 * self.room - first
        if not many:
            return
        zones = self.zones + first
        if not sorted_already:
            qsort(zones, many, sizeof(Zone), &by_least_return)
        for i in range(1, many):
            if zones[i].least_return < zones[i - 1].greatest_call:
                cluster = &self.clusters[zones[i - 1].cluster]
                self.accuse(
                    key,
                    LOST if cluster.value == form.ABSENT else TWO_VALUES,
                    cluster,
                    &self.clusters[zones[i].cluster],
                )
                return
        at = key.clusters
        while at != NOBODY:
            cluster = &self.clusters[at]
            if cluster.least_return >= cluster.greatest_call:
                around = last_before(zones, many, cluster.greatest_call)
                if around != NULL and cluster.least_return < around.greatest_call:
                    self.accuse(
                        key,
                        LOST if self.clusters[around.cluster].value == form.ABSENT
                        else REVIVED if cluster.value == form.ABSENT
                        else OVERWRITTEN,
                        &self.clusters[around.cluster],
                        cluster,
                    )
                    return
            at = cluster.next

    cdef void accuse(self, KeyState *key, Law broken, const Cluster *a, const Cluster *b) noexcept:
        """Note that a law is broken for a key, by these clusters."""
        cdef Accusation *found
        # As large as the number of keys: it is asked for when the first is accused.
        if not self.accused and not resized(<void **>&self.accusations, self.key_count * sizeof(Accusation)):
            return
        found = &self.accusations[self.accused]
        self.accused += 1
        found.key, found.law, found.many = key.key, broken, 0
        if a != NULL:
            testify(found, a.write)
            testify(found, a.first)
            # A read that nobody wrote a value for, or that came before the write, is enough.
            if broken == UNWRITTEN:
                found.many = 1
                found.witnesses[0] = a.first
            elif broken != EARLY:
                testify(found, a.last)
        if b != NULL:
            testify(found, b.write)
            testify(found, b.first)
            testify(found, b.last)

    # ── By search ─────────────────────────────────────────────────────────────────────────────────────────────────────

    cdef bint search_keys(self) noexcept:
        """Search the keys that zones cannot judge. False where there is no memory for it."""
        cdef uint32_t i, known = self.key_count
        cdef KeyState *key
        if self.count > self.search_room:
            if not (
                resized(<void **>&self.next_of, self.count * sizeof(uint32_t))
                and resized(<void **>&self.steps, 2 * <uint64_t>self.count * sizeof(Step))
            ):
                return False
            self.search_room = self.count
        if not resized(<void **>&self.unjudged, self.searched_count * sizeof(Unjudged)):
            return False
        for i in range(self.count):
            key = &self.keys[self.key_of(self.operations[i].key)]
            if key.searched:
                self.next_of[i] = NOBODY
                if key.operations == NOBODY:
                    key.operations = i
                else:
                    self.next_of[key.last_operation] = i
                key.last_operation = i
                key.many += 1
        # Keys whose operations were all undone have been added.
        self.key_count = known
        self.searcher.strict = self.strict
        for i in range(self.key_count):
            if self.keys[i].searched:
                self.search_key(&self.keys[i])
        return True

    cdef void search_key(self, KeyState *key) noexcept:
        cdef uint32_t at = key.operations, many = 0, kept = 0, i, observed = 0
        cdef const Operation *o
        cdef Step *step
        cdef bint present = False
        cdef search.Found found = search.FOUND_BOUND
        # The values that replies speak of are kept where no step is yet: in the second half of the zones.
        cdef uint64_t *values = <uint64_t *>(self.zones + self.room)
        while at != NOBODY:
            o = &self.operations[at]
            step = &self.steps[many]
            if step_of(o, step, self.strict):
                many += 1
                present = present or step.kind == search.STEP_PRESENT
                if step.kind == search.STEP_READ or step.kind == search.STEP_CAS:
                    values[observed] = step.value if step.kind == search.STEP_READ else step.expected
                    observed += 1
            at = self.next_of[at]
        qsort(values, observed, sizeof(uint64_t), &by_value)
        for i in range(observed):
            if may_be_older(values[i]) and (i == 0 or values[i] != values[i - 1]):
                step = &self.steps[many]
                step.call_ns, step.return_ns, step.value = INT64_MIN, INT64_MIN, values[i]
                step.kind = search.STEP_WRITE
                many += 1
        # A write that may never take effect, and whose value nobody saw, needs not be tried.
        for i in range(many):
            step = &self.steps[i]
            if (step.return_ns == INT64_MAX and not present
                    and (step.kind == search.STEP_WRITE or step.kind == search.STEP_ADD or step.kind == search.STEP_CAS)
                    and bsearch(&step.value, values, observed, sizeof(uint64_t), &by_value) == NULL):
                continue
            self.steps[kept] = step[0]
            kept += 1
        if not key.searched & UNIDENTIFIED:
            found = self.searcher.search(self.steps, kept)
        if found == search.FOUND_NONE:
            self.accuse(key, NO_ORDER, NULL, NULL)
        elif found == search.FOUND_BOUND:
            self.unjudged[self.unjudged_count].key = key.key
            self.unjudged[self.unjudged_count].unidentified = key.searched & UNIDENTIFIED
            self.unjudged[self.unjudged_count].operations = key.many
            self.unjudged_count += 1

    # ── Face ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    def judged(self, Operations operations not None):
        """Judge a history. Returns one of VERDICT_NAMES. Raises MemoryError, ValueError for 2³² operations."""
        if operations.count >= NOBODY:
            raise ValueError("a history has fewer than 4,294,967,295 operations")
        cdef Verdict found = self.judge(operations.at, <uint32_t>operations.count)
        if found == NO_MEMORY:
            raise MemoryError
        return VERDICT_NAMES[<int>found]

    def accusation(self, uint32_t index):
        """Return one of LAW_NAMES, the key, and the indices of the operations that contradict each other.

        No indices: all operations of the key together do.
        """
        if index >= self.accused:
            raise IndexError(f"there is no accusation {index} of {self.accused}")
        cdef Accusation *found = &self.accusations[index]
        return LAW_NAMES[<int>found.law], found.key, tuple(sorted([found.witnesses[i] for i in range(found.many)]))

    def not_judged(self, uint32_t index):
        """Return (key, True where a write of it has no identity and else False, its number of operations)."""
        if index >= self.unjudged_count:
            raise IndexError(f"there is no key {index} of {self.unjudged_count}")
        cdef Unjudged *found = &self.unjudged[index]
        return found.key, bool(found.unidentified), found.operations


cdef bint step_of(const Operation *o, Step *step, bint strict) noexcept:
    """Set a step of a search. False where the operation has none: it told and changed nothing, or may have."""
    cdef bint done = o.outcome != form.UNKNOWN and o.return_ns != INT64_MAX
    cdef bint missed = o.outcome == form.MISS
    step.call_ns, step.return_ns = o.call_ns, o.return_ns if done else INT64_MAX
    step.value = o.value
    step.expected = 0
    if o.outcome == form.NOT_DONE or o.op == form.CAS_TO:
        return False
    if o.op == form.READ:
        step.kind = search.STEP_MISS if missed or o.value == form.ABSENT else search.STEP_READ
        return done
    if o.op == form.WRITE:
        step.kind = search.STEP_WRITE
        return not missed
    if o.op == form.DELETE:
        step.kind = search.STEP_MISS if missed else search.STEP_DELETE
        # Eviction does as much.
        return done or strict
    if o.op == form.ADD:
        step.kind = search.STEP_PRESENT if missed else search.STEP_ADD
        return True
    step.kind = search.STEP_CAS
    step.expected = o.value
    # The record after it is its second half.
    step.value = o[1].value
    return not missed


cdef Zone *last_before(Zone *zones, uint64_t many, int64_t at_ns) noexcept:
    """Return the last zone that begins before a time; NULL where none does."""
    cdef uint64_t low = 0, high = many, middle
    while low < high:
        middle = (low + high) // 2
        if zones[middle].least_return < at_ns:
            low = middle + 1
        else:
            high = middle
    return &zones[low - 1] if low else NULL


cdef void testify(Accusation *found, uint32_t operation) noexcept:
    """Add a witness, once."""
    cdef uint32_t i
    if operation == NOBODY:
        return
    for i in range(found.many):
        if found.witnesses[i] == operation:
            return
    found.witnesses[found.many] = operation
    found.many += 1


cdef int by_least_return(const void *a, const void *b) noexcept nogil:
    cdef const Zone *x = <const Zone *>a
    cdef const Zone *y = <const Zone *>b
    if x.least_return != y.least_return:
        return 1 if x.least_return > y.least_return else -1
    return (x.cluster > y.cluster) - (x.cluster < y.cluster)


cdef int by_value(const void *a, const void *b) noexcept nogil:
    cdef uint64_t x = (<const uint64_t *>a)[0], y = (<const uint64_t *>b)[0]
    return (x > y) - (x < y)


cdef inline bint may_be_older(uint64_t value) noexcept:
    """True for a value that no write of this history has: it may have been there before the history began."""
    return value & FOREIGN != 0 and value & UNMARKED != 0


cdef inline uint64_t hashed(uint64_t value) noexcept:
    value ^= value >> 32
    value *= MIXER
    return value ^ (value >> 29)


cdef bint resized(void **memory, uint64_t size) noexcept:
    cdef void *moved = realloc(memory[0], max(size, 1))
    if moved == NULL:
        return False
    memory[0] = moved
    return True
