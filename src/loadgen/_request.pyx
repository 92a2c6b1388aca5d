"""A run's table of commands, and the names for the numbers in `_request.pxd`."""

OUTCOME_NAMES = ("hit", "stored", "deleted", "ok", "miss", "not stored", "not found", "error reply",
                 "all found", "some missing", "all stored", "no counter")
PHASE_NAMES = ("precheck", "prefill", "warmup", "measure", "drain")
KIND_NAMES = ("read", "write", "remove", "increment", "read many", "write many", "add", "ask", "greet", "log in",
              "select", "barrier", "set up")

# The default table: (name, kind, in_total), as in `command.Command`.
ROWS = (
    ("get", "read", True),
    ("set", "write", True),
    ("delete", "remove", True),
    ("mget", "read many", True),
    ("mset", "write many", True),
    ("incr", "increment", True),
    ("ping", "ask", True),
    ("backfill", "write", False),
    ("add", "add", False),
    ("hello", "greet", True),
    ("auth", "log in", True),
    ("select", "select", True),
    ("noop", "barrier", False),
    ("tracking", "set up", True),
    ("reset", "set up", True),
    ("readonly", "set up", True),
)


# The outcomes that are a hit and a miss, by kind; of every other kind OK, and none.
cdef dict HITS = {READ: HIT, WRITE: STORED, REMOVE: DELETED, READ_MANY: ALL_FOUND, WRITE_MANY: ALL_STORED, ADD: STORED}
cdef dict MISSES = {READ: MISS, WRITE: NOT_STORED, REMOVE: NOT_FOUND, INCREMENT: NO_COUNTER, READ_MANY: SOME_MISSING,
                    ADD: NOT_STORED}


cdef class Commands:
    """A table of commands: `rows` are (name, one of KIND_NAMES, True when it counts in totals).

    Raises ValueError for more than 24 rows, and for two rows of one name.
    """

    def __cinit__(self, rows=ROWS):
        cdef int i, kind
        self.names = tuple(name for name, _, _ in rows)
        self.count = len(self.names)
        if self.count > MOST_COMMANDS or len(set(self.names)) < self.count:
            raise ValueError(f"a table has up to {MOST_COMMANDS} commands, each of another name: {self.names}")
        for i, (_, kind_name, in_total) in enumerate(rows):
            kind = KIND_NAMES.index(kind_name)
            self.rows[i] = Command(kind, HITS.get(kind, OK), MISSES.get(kind, NO_OUTCOME),
                                   kind == WRITE or kind == WRITE_MANY, in_total)

    cdef int number(self, str name) except -1:
        return self.names.index(name)

    cdef int first(self, int kind) noexcept:
        cdef int i
        for i in range(self.count):
            if self.rows[i].kind == kind:
                return i
        return -1
