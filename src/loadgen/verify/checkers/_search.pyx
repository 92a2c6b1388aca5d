"""A memoised search for a legal order of one key's operations. `_search.pxd` says what a state is."""

from libc.stdint cimport INT64_MAX, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, qsort, realloc
from libc.string cimport memcmp, memcpy, memset


STEP_NAMES = ("read", "miss", "write", "delete", "add", "present", "cas")

# Bounds that leave a minute's search, and memory beside a history of 10 million operations.
cdef uint64_t MOST_STATES = 4_000_000
cdef uint64_t MOST_BYTES = 256 << 20

cdef uint64_t FULL = <uint64_t>-1
cdef uint64_t MIXER = 0x9E3779B97F4A7C15

cdef enum:
    HEAD = 0              # the node before all others
    NO_NODE = 0xFFFFFFFF
    STATE_HEADER = 4      # hash, held, low, number of words
    FIRST_TABLE = 1024


cdef int by_call(const void *a, const void *b) noexcept nogil:
    """Those that must take effect first, then by the call."""
    cdef const Step *x = <const Step *>a
    cdef const Step *y = <const Step *>b
    cdef int may_x = x.return_ns == INT64_MAX, may_y = y.return_ns == INT64_MAX
    if may_x != may_y:
        return may_x - may_y
    if x.call_ns != y.call_ns:
        return 1 if x.call_ns > y.call_ns else -1
    return (x.return_ns > y.return_ns) - (x.return_ns < y.return_ns)


cdef int by_time(const void *a, const void *b) noexcept nogil:
    """A call before a return of the same time: operations that touch are concurrent."""
    cdef const Node *x = <const Node *>a
    cdef const Node *y = <const Node *>b
    if x.at_ns != y.at_ns:
        return 1 if x.at_ns > y.at_ns else -1
    if x.is_return != y.is_return:
        return <int>x.is_return - <int>y.is_return
    return (x.step > y.step) - (x.step < y.step)


cdef class Search:
    """Searches for an order of operations on one key."""

    def __cinit__(self, *, bint strict=False):
        self.strict = strict
        self.most_states = MOST_STATES
        self.most_bytes = MOST_BYTES

    def __dealloc__(self):
        free(self.steps)
        free(self.nodes)
        free(self.call_of)
        free(self.return_of)
        free(self.stack)
        free(self.taken)
        free(self.kept)
        free(self.table)

    cdef bint make_room(self, uint32_t count) noexcept:
        cdef uint64_t room
        if count <= self.room:
            return True
        room = max(count, self.room * 2, 64)
        if not (
            resized(<void **>&self.steps, room * sizeof(Step))
            and resized(<void **>&self.nodes, (2 * room + 1) * sizeof(Node))
            and resized(<void **>&self.call_of, room * sizeof(uint32_t))
            and resized(<void **>&self.return_of, room * sizeof(uint32_t))
            and resized(<void **>&self.stack, room * sizeof(Choice))
            and resized(<void **>&self.taken, (room // 64 + 2) * sizeof(uint64_t))
        ):
            return False
        self.room = <uint32_t>room
        return True

    cdef bint prepare(self, const Step *steps, uint32_t count) noexcept:
        """Copy the steps, number them, and link their calls and returns in the order of time."""
        cdef uint32_t i, used = 1
        if not self.make_room(count):
            return False
        if self.table == NULL:
            self.table = <uint64_t *>calloc(FIRST_TABLE, sizeof(uint64_t))
            if self.table == NULL:
                return False
            self.table_size = FIRST_TABLE
        memset(self.table, 0, self.table_size * sizeof(uint64_t))
        self.kept_used = self.states = 0
        self.count, self.certain = count, 0
        memcpy(self.steps, steps, count * sizeof(Step))
        qsort(self.steps, count, sizeof(Step), &by_call)
        for i in range(count):
            self.nodes[used].at_ns, self.nodes[used].step, self.nodes[used].is_return = self.steps[i].call_ns, i, 0
            used += 1
            if self.steps[i].return_ns != INT64_MAX:
                self.certain += 1
                self.nodes[used].at_ns, self.nodes[used].step, self.nodes[used].is_return = (
                    self.steps[i].return_ns, i, 1)
                used += 1
        qsort(self.nodes + 1, used - 1, sizeof(Node), &by_time)
        for i in range(used):
            self.nodes[i].before = i - 1 if i else NO_NODE
            self.nodes[i].after = i + 1 if i + 1 < used else NO_NODE
            if i and self.nodes[i].is_return:
                self.return_of[self.nodes[i].step] = i
            elif i:
                self.call_of[self.nodes[i].step] = i
        self.words = (self.certain + 63) // 64
        self.more_words = (count - self.certain + 63) // 64
        self.low = self.high = 0
        memset(self.taken, 0, (self.words + self.more_words) * sizeof(uint64_t))
        return True

    cdef bint step(self, const Step *step, uint64_t held, uint64_t *then) noexcept:
        """True where the step may take effect while the register holds `held`; `then` is what it holds after."""
        then[0] = held
        if step.kind == STEP_READ:
            return held == step.value
        if step.kind == STEP_PRESENT:
            return held != 0
        if step.kind == STEP_CAS:
            then[0] = step.value
            return held == step.expected or (step.expected == 0 and not self.strict)
        if step.kind == STEP_MISS or step.kind == STEP_DELETE:
            then[0] = 0
        else:
            then[0] = step.value
        # A cache may evict a value at any instant.
        if self.strict and (step.kind == STEP_MISS or step.kind == STEP_ADD):
            return held == 0
        return True

    cdef bint only_looks(self, const Step *step, uint64_t held) noexcept:
        """True for a step that may take effect and, wherever it comes, changes nothing that another needs.

        Of any order that continues from here, the step can be moved to the front. So where it led nowhere, no other
        step in its place leads anywhere.
        """
        if step.kind == STEP_READ or step.kind == STEP_PRESENT:
            return True
        if step.kind == STEP_MISS:
            return held == 0
        # In a cache, an order without a delete is as good: who finds the key absent may find it evicted.
        return step.kind == STEP_DELETE and held == 0 and not self.strict

    cdef void take(self, uint32_t node) noexcept:
        """The step takes effect: its call and its return leave the list."""
        cdef uint32_t step = self.nodes[node].step, word, back
        self.nodes[self.nodes[node].before].after = self.nodes[node].after
        if self.nodes[node].after != NO_NODE:
            self.nodes[self.nodes[node].after].before = self.nodes[node].before
        if step >= self.certain:
            step -= self.certain
            self.taken[self.words + step // 64] |= <uint64_t>1 << (step % 64)
            return
        back = self.return_of[step]
        self.nodes[self.nodes[back].before].after = self.nodes[back].after
        if self.nodes[back].after != NO_NODE:
            self.nodes[self.nodes[back].after].before = self.nodes[back].before
        word = step // 64
        self.taken[word] |= <uint64_t>1 << (step % 64)
        self.high = max(self.high, word + 1)
        while self.low < self.words and self.taken[self.low] == FULL:
            self.low += 1

    cdef void untake(self, uint32_t node) noexcept:
        """Undo the last `take`."""
        cdef uint32_t step = self.nodes[node].step, word, back
        if step >= self.certain:
            step -= self.certain
            self.taken[self.words + step // 64] &= ~(<uint64_t>1 << (step % 64))
        else:
            back = self.return_of[step]
            if self.nodes[back].after != NO_NODE:
                self.nodes[self.nodes[back].after].before = back
            self.nodes[self.nodes[back].before].after = back
            word = step // 64
            self.taken[word] &= ~(<uint64_t>1 << (step % 64))
            self.low = min(self.low, word)
            while self.high > 0 and self.taken[self.high - 1] == 0:
                self.high -= 1
        if self.nodes[node].after != NO_NODE:
            self.nodes[self.nodes[node].after].before = node
        self.nodes[self.nodes[node].before].after = node

    cdef int keep(self, uint64_t held) noexcept:
        cdef uint32_t low = self.low, many = self.high - self.low if self.high > self.low else 0, i
        cdef uint64_t hash = (held * MIXER) ^ (low + 1), place, size
        cdef uint64_t *state
        for i in range(many):
            hash = mixed(hash ^ self.taken[low + i])
        for i in range(self.more_words):
            hash = mixed(hash ^ self.taken[self.words + i])
        hash = mixed(hash)
        place = hash & (self.table_size - 1)
        while self.table[place]:
            state = self.kept + self.table[place] - 1
            if (state[0] == hash and state[1] == held and state[2] == low and state[3] == many
                    and memcmp(state + STATE_HEADER, self.taken + low, many * 8) == 0
                    and memcmp(state + STATE_HEADER + many, self.taken + self.words, self.more_words * 8) == 0):
                return 0
            place = (place + 1) & (self.table_size - 1)
        size = STATE_HEADER + many + self.more_words
        if self.states >= self.most_states or (self.kept_used + size + 2 * self.table_size) * 8 > self.most_bytes:
            return -1
        if self.kept_used + size > self.kept_room:
            place = max(self.kept_room * 2, self.kept_used + size, 4096)
            if not resized(<void **>&self.kept, place * 8):
                return -1
            self.kept_room = place
        state = self.kept + self.kept_used
        state[0], state[1], state[2], state[3] = hash, held, low, many
        memcpy(state + STATE_HEADER, self.taken + low, many * 8)
        memcpy(state + STATE_HEADER + many, self.taken + self.words, self.more_words * 8)
        place = hash & (self.table_size - 1)
        while self.table[place]:
            place = (place + 1) & (self.table_size - 1)
        self.table[place] = self.kept_used + 1
        self.kept_used += size
        self.states += 1
        return 1 if 2 * self.states <= self.table_size or self.widen() else -1

    cdef bint widen(self) noexcept:
        """Double the table of states."""
        cdef uint64_t size = 2 * self.table_size, at = 0, place
        cdef uint64_t *table = <uint64_t *>calloc(size, sizeof(uint64_t))
        if table == NULL:
            return False
        while at < self.kept_used:
            place = self.kept[at] & (size - 1)
            while table[place]:
                place = (place + 1) & (size - 1)
            table[place] = at + 1
            at += STATE_HEADER + self.kept[at + 3] + self.more_words
        free(self.table)
        self.table = table
        self.table_size = size
        return True

    cdef Found search(self, const Step *steps, uint32_t count) noexcept:
        cdef uint32_t node, depth = 0, left
        cdef uint64_t held = 0, then = 0
        cdef int new
        cdef bint pure
        if not self.prepare(steps, count):
            return FOUND_BOUND
        left = self.certain
        node = self.nodes[HEAD].after
        while left:
            # A step that must take effect has a return, so the list does not end before one is passed.
            if not self.nodes[node].is_return:
                if self.step(&self.steps[self.nodes[node].step], held, &then):
                    self.take(node)
                    new = self.keep(then)
                    if new < 0:
                        return FOUND_BOUND
                    if new:
                        self.stack[depth].node, self.stack[depth].held = node, held
                        depth += 1
                        left -= self.nodes[node].step < self.certain
                        held = then
                        node = self.nodes[HEAD].after
                        continue
                    self.untake(node)
                node = self.nodes[node].after
                continue
            # The return of a step that has not taken effect.
            while True:
                if not depth:
                    return FOUND_NONE
                depth -= 1
                node = self.stack[depth].node
                pure = self.only_looks(&self.steps[self.nodes[node].step], self.stack[depth].held)
                held = self.stack[depth].held
                self.untake(node)
                left += self.nodes[node].step < self.certain
                if not pure:
                    break
            node = self.nodes[node].after
        return FOUND_ORDER

    def searched(self, steps):
        """Search for an order of steps (one of STEP_NAMES, value, expected, call_ns, return_ns).

        Returns True where there is one, False where there is none, and None where the bound on states was reached.
        """
        cdef uint32_t i, count = len(steps)
        cdef Step *at = <Step *>calloc(count + 1, sizeof(Step))
        if at == NULL:
            raise MemoryError
        try:
            for i, (kind, value, expected, call_ns, return_ns) in enumerate(steps):
                at[i].kind, at[i].value, at[i].expected = STEP_NAMES.index(kind), value, expected
                at[i].call_ns, at[i].return_ns = call_ns, return_ns
            return {FOUND_ORDER: True, FOUND_NONE: False}.get(self.search(at, count))
        finally:
            free(at)


cdef inline uint64_t mixed(uint64_t hash) noexcept:
    hash *= MIXER
    return hash ^ (hash >> 29)


cdef bint resized(void **memory, uint64_t size) noexcept:
    cdef void *moved = realloc(memory[0], size)
    if moved == NULL:
        return False
    memory[0] = moved
    return True
