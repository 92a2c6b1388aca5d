"""A run's table of commands, and the names for the numbers in `_request.pxd`."""

OUTCOME_NAMES = ("hit", "stored", "deleted", "ok", "miss", "not stored", "not found", "error reply")
PHASE_NAMES = ("precheck", "prefill", "warmup", "measure", "drain")
KIND_NAMES = ("read", "write", "remove", "ask", "greet", "log in", "select", "barrier", "set up")

# The default table: (name, kind, in_total), as in `command.Command`.
ROWS = (
    ("get", "read", True),
    ("set", "write", True),
    ("delete", "remove", True),
    ("ping", "ask", True),
    ("backfill", "write", False),
    ("hello", "greet", True),
    ("auth", "log in", True),
    ("select", "select", True),
    ("noop", "barrier", False),
    ("tracking", "set up", True),
    ("reset", "set up", True),
    ("readonly", "set up", True),
)


cdef int hit_of(int kind) noexcept:
    return HIT if kind == READ else STORED if kind == WRITE else DELETED if kind == REMOVE else OK


cdef int miss_of(int kind) noexcept:
    return MISS if kind == READ else NOT_STORED if kind == WRITE else NOT_FOUND if kind == REMOVE else NO_OUTCOME


cdef class Commands:
    """A table of commands: `rows` are (name, one of KIND_NAMES, True when it counts in totals).

    Raises ValueError for more than 16 rows, and for two rows of one name.
    """

    def __cinit__(self, rows=ROWS):
        cdef int i, kind
        self.names = tuple(name for name, _, _ in rows)
        self.count = len(self.names)
        if self.count > MOST_COMMANDS or len(set(self.names)) < self.count:
            raise ValueError(f"a table has up to {MOST_COMMANDS} commands, each of another name: {self.names}")
        for i, (_, kind_name, in_total) in enumerate(rows):
            kind = KIND_NAMES.index(kind_name)
            self.rows[i] = Command(kind, hit_of(kind), miss_of(kind), kind == WRITE, in_total)

    cdef int number(self, str name) except -1:
        return self.names.index(name)

    cdef int first(self, int kind) noexcept:
        cdef int i
        for i in range(self.count):
            if self.rows[i].kind == kind:
                return i
        return -1
