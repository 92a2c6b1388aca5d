"""One node of the client as a state machine. `_node.pxd` is the design."""

from loadgen.client._actions cimport Changed, Close, Dial, send_of
from loadgen.client._breaker cimport OPEN, Permit
from loadgen.client._connection cimport ACTIVE, CLOSED, CONSTRUCTING
from loadgen.client._request cimport DIALLING, DONE, SENT, WAITING, join_row, leave_row, row_taken, row_without

from loadgen.client.breaker import Outcome
from loadgen.client.breaker import Refusal as BreakerRefusal
from loadgen.client.failures import Failures
from loadgen.client.reply import ErrorReply, Malformed
from loadgen.client.stats import NodeStats

NEVER = 1 << 62
cdef object SUCCESS = Outcome.SUCCESS, FAILURE = Outcome.FAILURE, EXCLUDED = Outcome.EXCLUDED
cdef object ERROR_REPLY = ErrorReply
cdef str SILENT_TO_DIALS = "did not accept a connection"
cdef str SILENT = "did not reply"

# Why a connection ended that several requests shared, for all but the one that is the cause.
cdef str OVERDUE = "a reply on it was overdue"
cdef str CANCELLED = "a request on it was cancelled"
cdef str GARBLED = "a reply on it broke the protocol"
cdef str UNCERTAIN = "the node refused a request on it as wrong"
cdef str ENDED = "the client is closed"


cdef class Owner:
    """The owner of nodes. This base class ignores what it is told."""

    cpdef int on_end(self, Request request, int64_t now_ns, list actions) except -1:
        return 0


cdef class Node:
    """One node. Each method that is told something appends to `actions` what the shell is to do."""

    def __init__(self, int index, str name, options, protocol, Breaker breaker, Pool pool not None, int64_t now_ns):
        self.index = index
        self.name = name
        self.breaker = breaker
        self.pool = pool
        self.protocol = protocol
        self.failures = Failures(index, name, options)
        self.dials = {}
        self.pings = {}
        self.connect_timeout_ns = options.connect_timeout_ns
        self.health_interval_ns = options.health_interval_ns
        self.health_timeout_ns = options.health_timeout_ns
        self.checked_ns = now_ns

    def belong_to(self, Owner owner not None):
        """Tell an owner of each end from now on."""
        self.owner = owner

    cdef int begin(self, Request request, int64_t now_ns, list actions) except -1:
        cdef Connection connection
        cdef object permit
        request.node = self.index
        self.operations += 1
        if self.closing:
            return self.fail(request, self.failures.closed(request.key), FAILURE, now_ns, actions)
        if self.breaker is not None:
            permit = self.breaker.begin(now_ns)
            if self.breaker.transitions:
                self.tell_transitions(actions)
            if type(permit) is not Permit:
                return self.fail(request, self.failures.refused(request.key, permit), FAILURE, now_ns, actions)
            request.permit = permit
        connection = self.pool.acquire_for(request, now_ns)
        if self.pool.doomed:
            self.close_doomed(actions)
        if connection is None:
            request.at_stage = WAITING
            return 0
        return self.give(request, connection, now_ns, actions)

    cpdef int cancel(self, Request request, int64_t now_ns, list actions) except -1:
        """Abandon a request that its caller no longer wants. The breaker does not count it."""
        self.abandon(request, EXCLUDED, now_ns, actions)
        self.account(request, EXCLUDED, now_ns, actions)
        return self.settle(now_ns, actions)

    cdef int expire(self, Request request, int64_t now_ns, list actions) except -1:
        """Abandon a request whose deadline has passed. `on_time`, called next, gives to others what became free."""
        if request.at_stage == WAITING:
            error = self.failures.exhausted(request.key)
        else:
            error = self.timeout(request.key, SILENT_TO_DIALS if request.at_stage == DIALLING else SILENT)
        self.abandon(request, FAILURE, now_ns, actions)
        return self.fail(request, error, FAILURE, now_ns, actions)

    cdef int on_open(self, Connection connection, int64_t now_ns, list actions) except -1:
        """Take the news that a dial succeeded."""
        if connection.at_place != CONSTRUCTING:
            actions.append(Close(connection))
            return 0
        del self.dials[connection]
        request = self.pool.opened(connection, now_ns)
        if request is not None:
            self.send(request, connection, actions)
        elif self.closing:
            self.pool.discard(connection)
        return self.settle(now_ns, actions)

    cdef int on_refused(self, Connection connection, str why, int64_t now_ns, list actions) except -1:
        """Take the news that a dial failed; `why` is the system's reason in words."""
        cdef Request request
        if connection.at_place != CONSTRUCTING:
            return 0
        del self.dials[connection]
        request = self.pool.failed(connection)
        if request is not None:
            self.fail(request, self.failures.refused_dial(request.key, why), FAILURE, now_ns, actions)
        return self.settle(now_ns, actions)

    cpdef int on_bytes(self, Connection connection, object data, int64_t now_ns, list actions) except -1:
        """Take bytes that came on a connection, cut anywhere."""
        cdef Request request
        cdef Py_ssize_t end, at = 0
        if connection.at_place == CLOSED:
            return 0
        request = connection.request
        if request is None:
            # Nobody asked: whatever comes next on this connection would answer the wrong request.
            self.unsolicited += 1
            self.pool.discard(connection)
            return self.settle(now_ns, actions)
        if connection.received:
            if type(connection.received) is bytes:
                connection.received = bytearray(connection.received)
            connection.received += data
            data = connection.received
            connection.received = b""
        while True:
            try:
                end = self.parse(request, connection, data, at)
                if end < 0:
                    connection.received = data[at:] if at else data
                    return 0
                if end < len(data) and request.following is None:
                    raise Malformed("more came than the replies to the request")
            except Malformed as malformed:
                error = self.failures.malformed(request.key, malformed)
                return self.lose(connection, error, GARBLED, now_ns, actions)
            self.complete(request, connection, now_ns, actions)
            if end == len(data) or connection.at_place == CLOSED:
                return 0
            at = end
            request = connection.request

    cdef int on_close(self, Connection connection, str why, int64_t now_ns, list actions) except -1:
        """Take the news that a connection ended; `why` is the reason in words."""
        cdef Request request
        if connection.at_place == CONSTRUCTING:
            return self.on_refused(connection, why, now_ns, actions)
        if connection.at_place == CLOSED:
            return 0
        request = connection.request
        error = self.failures.lost(None if request is None else request.key, why)
        return self.lose(connection, error, why, now_ns, actions)

    cdef int on_time(self, int64_t now_ns, list actions) except -1:
        """Do what is due: end dials and health checks whose deadline has passed, and begin health checks."""
        cdef Request request
        cdef Connection connection
        for connection in [connection for connection, deadline_ns in self.dials.items() if deadline_ns <= now_ns]:
            del self.dials[connection]
            request = self.pool.failed(connection)
            actions.append(Close(connection))
            if request is not None:
                self.fail(request, self.timeout(request.key, SILENT_TO_DIALS), FAILURE, now_ns, actions)
        for connection in [connection for connection, deadline_ns in self.pings.items() if deadline_ns <= now_ns]:
            self.abandoned += 1
            self.lose(connection, self.timeout(None, SILENT), OVERDUE, now_ns, actions)
        if self.health_interval_ns and not self.closing and now_ns - self.checked_ns >= self.health_interval_ns:
            self.check_health(now_ns, actions)
        return self.settle(now_ns, actions)

    cdef int64_t next_ns(self) except -1:
        """Return the time at which `on_time` has something to do; NEVER, as things are."""
        cdef int64_t earliest = NEVER
        if self.health_interval_ns and not self.closing:
            earliest = self.checked_ns + self.health_interval_ns
        if self.dials:
            earliest = min(earliest, <int64_t>next(iter(self.dials.values())))
        if self.pings:
            earliest = min(earliest, <int64_t>next(iter(self.pings.values())))
        return earliest

    cdef int close(self, int64_t now_ns, list actions) except -1:
        """Accept no more requests, end those that wait, and close what is idle. Those under way may end."""
        cdef Request request
        self.closing = True
        for request in self.pool.waiting():
            self.abandon(request, FAILURE, now_ns, actions)
            self.fail(request, self.failures.closed(request.key), FAILURE, now_ns, actions)
        for connection in [*self.pings]:
            self.lose(connection, self.failures.closed(None), ENDED, now_ns, actions)
        self.pool.close_idle()
        for connection in self.pool.dialling():
            self.dials.pop(connection, None)
            request = self.pool.failed(connection)
            actions.append(Close(connection))
            if request is not None:
                self.fail(request, self.failures.closed(request.key), FAILURE, now_ns, actions)
        return self.settle(now_ns, actions)

    def admits(self, int64_t now_ns):
        """Return True unless the breaker is open. The answer reserves nothing."""
        return self.breaker is None or self.breaker.state_at(now_ns) != OPEN

    def stats(self, int64_t now_ns):
        """Return the node's statistics at a time."""
        return NodeStats(
            self.name,
            None if self.breaker is None else self.breaker.state(now_ns),
            None if self.breaker is None else self.breaker.counts(now_ns),
            self.pool.stats(),
            self.operations,
            self.timeouts,
            self.unsolicited,
            self.abandoned,
        )

    # One request.

    cdef int give(self, Request request, Connection connection, int64_t now_ns, list actions) except -1:
        if connection.at_place == ACTIVE:
            return self.send(request, connection, actions)
        request.at_stage = DIALLING
        self.dials[connection] = now_ns + self.connect_timeout_ns
        actions.append(Dial(connection))
        return 0

    cdef int send(self, Request request, Connection connection, list actions) except -1:
        request.at_stage = SENT
        request.written = True
        join_row(request, connection)
        actions.append(send_of(connection, request.data))
        return 0

    cdef Py_ssize_t parse(self, Request request, Connection connection, object received, Py_ssize_t at) except -2:
        cdef Py_ssize_t end
        cdef tuple parsed
        if not request.replies:
            parsed = request.parse(received, at, request.expected)
            if parsed is None:
                return -1
            request.reply, end = parsed
            return end
        end = at + connection.at
        if connection.replies is None:
            connection.replies = []
        while len(connection.replies) < request.replies:
            parsed = request.parse(received, end, request.expected[len(connection.replies)])
            if parsed is None:
                connection.at = end - at
                return -1
            reply, end = parsed
            connection.replies.append(reply)
        request.reply = connection.replies
        return end

    cdef int complete(self, Request request, Connection connection, int64_t now_ns, list actions) except -1:
        cdef object refused = ()
        cdef Request others = None
        cdef bint is_ping
        if request.replies:
            connection.at = 0
            connection.replies = None
            refused = [reply for reply in request.reply if type(reply) is ERROR_REPLY]
        elif type(request.reply) is ERROR_REPLY:
            refused = (request.reply,)
        leave_row(request, connection)
        if request.follow is not None:
            following = request.follow(request.reply)
            if following is not None:
                request.go_on_as(following)
                return self.send(request, connection, actions)
        is_ping = bool(self.pings) and self.pings.pop(connection, None) is not None
        # After CLIENT_ERROR or ERROR it is not certain that both sides agree where the next command begins.
        if refused and not all([reply.servers for reply in refused]):
            self.pool.discard(connection)
            others = row_taken(connection)
        elif self.closing and connection.request is None:
            self.pool.discard(connection)
        else:
            self.pool.take_back(connection, now_ns, not is_ping)
        if not is_ping:
            self.conclude(request, refused, now_ns, actions)
        if others is not None:
            self.fail_row(others, UNCERTAIN, EXCLUDED, now_ns, actions)
        if self.pool.doomed or self.pool.has_waiting():
            self.settle(now_ns, actions)
        return 0

    cpdef int conclude(self, Request request, object refused, int64_t now_ns, list actions) except -1:
        cdef object outcome = SUCCESS
        if refused:
            if not all([reply.says_nothing_of_the_node for reply in refused]):
                outcome = FAILURE
            if request.replies:
                request.reply = [
                    self.failures.replied(None, reply) if type(reply) is ERROR_REPLY else reply
                    for reply in request.reply
                ]
            else:
                request.error = self.failures.replied(request.key, refused[0])
        self.account(request, outcome, now_ns, actions)
        return self.owner.on_end(request, now_ns, actions)

    cpdef int account(self, Request request, object outcome, int64_t now_ns, list actions) except -1:
        cdef Permit permit = request.permit
        request.at_stage = DONE
        if permit is None or self.breaker is None:
            return 0
        request.permit = None
        self.breaker.end(permit, outcome, now_ns)
        if self.breaker.transitions:
            self.tell_transitions(actions)
            if self.breaker.state_at(now_ns) == OPEN:
                self.refuse_waiting(now_ns, actions)
        return 0

    cdef int fail(self, Request request, object error, object outcome, int64_t now_ns, list actions) except -1:
        request.error = error
        self.account(request, EXCLUDED if self.closing else outcome, now_ns, actions)
        return self.owner.on_end(request, now_ns, actions)

    cpdef int abandon(self, Request request, object outcome, int64_t now_ns, list actions) except -1:
        cdef Connection connection = request.connection
        if request.at_stage == WAITING or request.at_stage == DIALLING:
            return self.pool.give_up(request)
        if connection is None:
            return 0
        self.abandoned += 1
        self.pool.discard(connection)
        others = row_taken(connection)
        if self.pings.pop(connection, None) is not None:
            # The first of the row is a health check, which nobody waits for.
            others = row_without(others, others)
        others = row_without(others, request)
        return self.fail_row(others, CANCELLED if outcome is EXCLUDED else OVERDUE, outcome, now_ns, actions)

    cdef int fail_row(self, Request first, str why, object outcome, int64_t now_ns, list actions) except -1:
        cdef Request request
        while first is not None:
            request = first
            first = request.following
            request.connection = request.following = None
            self.fail(request, self.failures.lost(request.key, why), outcome, now_ns, actions)
        return 0

    cdef int refuse_waiting(self, int64_t now_ns, list actions) except -1:
        cdef Request request
        for request in self.pool.waiting():
            if request.at_stage == WAITING:
                self.abandon(request, FAILURE, now_ns, actions)
                error = self.failures.refused(request.key, BreakerRefusal.OPEN)
                self.fail(request, error, FAILURE, now_ns, actions)
        return 0

    cdef int lose(self, Connection connection, object error, str why, int64_t now_ns, list actions) except -1:
        cdef bint is_ping = self.pings.pop(connection, None) is not None
        cdef Request request = row_taken(connection), others = None
        self.pool.discard(connection)
        if request is not None:
            others = row_without(request, request)
            if not is_ping:
                self.fail(request, error, FAILURE, now_ns, actions)
            self.fail_row(others, why, FAILURE, now_ns, actions)
        return self.settle(now_ns, actions)

    cpdef int settle(self, int64_t now_ns, list actions) except -1:
        while self.pool.has_waiting():
            granted = self.pool.grant(now_ns)
            if granted is None:
                break
            self.give(granted[0], granted[1], now_ns, actions)
        if self.pool.doomed:
            self.close_doomed(actions)
        return 0

    cdef int close_doomed(self, list actions) except -1:
        actions.extend(map(Close, self.pool.doomed))
        self.pool.doomed.clear()
        return 0

    cdef int tell_transitions(self, list actions) except -1:
        for transition in self.breaker.transitions:
            actions.append(Changed(self.index, transition))
        self.breaker.transitions.clear()
        return 0

    cpdef int check_health(self, int64_t now_ns, list actions) except -1:
        """Ask every idle connection at once, under one deadline, that was not used since the last check."""
        cdef Connection connection
        cdef int64_t before_ns = self.checked_ns
        self.checked_ns = now_ns
        for connection in self.pool.take_idle(now_ns):
            if connection.used_ns > before_ns:
                self.pool.take_back(connection, now_ns, False)
            else:
                self.pings[connection] = now_ns + self.health_timeout_ns
                self.send(self.protocol.ping(), connection, actions)
        return 0

    cdef object timeout(self, object key, str fact):
        self.timeouts += 1
        return self.failures.timeout(key, fact)
