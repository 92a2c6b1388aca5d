"""The connections of one worker. `_pool.pxd` describes their life."""

from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.errno cimport EAGAIN, ETIMEDOUT
from libc.stdint cimport UINT64_MAX, int64_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc

cimport cython

from loadgen._buffer cimport BLOCK, Cursor
from loadgen.engine._codecs cimport codec_of
from loadgen.engine._connection cimport (
    ASKING_BYTES, CONNECT_TIMEOUT, CONNECTING, DOWN, END_OF_FILE, GONE, GREETING, LOCAL, NOTHING, PARKED, PROTOCOL,
    READY, RESET, TLS_FAILED, TURNED_AWAY, UNASKED, WRONG_VALUE,
    Read, connection_begin, connection_close, connection_encode, connection_finish, connection_flush,
    connection_free, connection_has_unsent, connection_init, connection_read, connection_received,
)
from loadgen.engine._histogram cimport Histogram, counts_clear, counts_free, counts_init, counts_record
from loadgen.engine._life cimport (
    has_lived, life_begin, life_unbounded, lives_init, ramp_init, ramp_room,
)
from loadgen._mark cimport MARK_BYTES
from loadgen.engine._pipeline cimport (
    ANSWERS_NOBODY, FED, WRONG_ANSWER, Fed, pipeline_abandon, pipeline_feed, pipeline_finish, pipeline_free,
    pipeline_init, pipeline_push,
)
from loadgen.engine._history cimport History
from loadgen.engine._random cimport random_seed, random_unit
from loadgen._request cimport (
    ASK, BARRIER, ERROR_REPLY, GREET, PHASES, PRECHECK, READ, SELECT, SET_UP, Commands, Request,
)
from loadgen.engine._schedule cimport NEVER
from loadgen.engine._server cimport server_free, server_init
from loadgen.engine._transport cimport HANDSHAKING
from loadgen.engine._values cimport SPLICE

FAILURE_NAMES = ("", "refused", "connect timeout", "unreachable", "turned away", "closed by server", "reset", "stalled",
                 "protocol", "unasked reply", "local limit", "wrong answer", "tls")
OPENED_AT_A_TIME = OPENING

cdef enum:
    BACKOFF_STREAM = 6

# A lost connection is retried after 100 ms, then after twice as long each time, up to 5 s. Up to half of the delay is
# subtracted at random.
cdef int64_t FIRST_BACKOFF_NS = 100_000_000


cdef class Sender:
    """The user of a pool. This base class does nothing."""

    cdef void fill(self, Connection *c, int64_t now_ns) noexcept:
        pass

    cdef void woke_late(self, int64_t now_ns) noexcept:
        pass

    cdef void all_tried(self) noexcept:
        pass

    cdef void recycled(self, Connection *c, int64_t now_ns) noexcept:
        pass

    cdef bint wants_more(self, Connection *c) noexcept:
        return False

    cdef void on_timer(self) noexcept:
        pass

    cdef void on_swept(self) noexcept:
        pass


@cython.final
cdef class Pool(Watcher):
    """The connections of worker `index` of a plan, for `sender`; with a history, values are marked."""

    def __cinit__(self, plan, int index, Commands table, Reactor reactor, Transport net, Sender sender,
                  History history):
        cdef int i
        cdef uint64_t run = 0 if history is None else history.marks.run
        own = plan.workers[index]
        self.sender = sender
        self.reactor = reactor
        self.time = reactor.time
        self.net = net
        self.encrypted = plan.target.tls is not None
        self.connect_timeout_ns = plan.wire.connect_timeout_ns
        self.longest_backoff_ns = plan.wire.longest_backoff_ns
        self.late_ns = NEVER
        self.examples = {}
        random_seed(&self.random, own.seed, BACKOFF_STREAM)
        value_bytes = plan.workload.value_bytes
        target = plan.target
        speaks = target.speaks
        self.codec = codec_of(plan, table, run)
        greetings = target.greetings(resets=plan.wire.life.reconnect_by == "reset")
        self.turned_away_by = tuple(words.encode() for words in target.turned_away_by)
        self.hello_counts = speaks.begins_with_hello
        # A protocol without keys has PINGs as its load, so a server without PING cannot be used.
        self.may_ask_by_get = speaks.has_keys and "ping" in greetings
        for i, greeting in enumerate(greetings):
            self.greetings[i] = table.number(greeting)
        self.n_greetings = len(greetings)
        self.readonly = table.number("readonly") if "readonly" in greetings else -1
        self.values = Values(value_bytes, own.seed)
        if history is not None:
            self.values.marks = history.marks
        self.connections_before = sum([sum(worker.connections) for worker in plan.workers[:index]])
        self.n_servers = len(target.placements)
        self.capacity = sum(own.connections)
        lives_init(&self.lives, plan.wire.life)
        ramp_init(&self.ramp, plan, index)
        for i in range(PHASES):
            counts_init(&self.connect[i])
            counts_init(&self.handshake[i])
        if target.topology is not None:
            self.late_connections = max(1, self.capacity // self.n_servers)
            self.n_servers += SPARE
            self.capacity += SPARE * self.late_connections
        self.capacity += sum(own.idle)
        self.endpoints = []
        self.buffer = <char *>malloc(READ_BUFFER)
        self.servers = <Server *>PyMem_Calloc(self.n_servers, sizeof(Server))
        self.connections = <Connection *>PyMem_Calloc(max(self.capacity, 1), sizeof(Connection))
        if self.buffer == NULL or self.servers == NULL or self.connections == NULL:
            raise MemoryError()

    cdef int add_server(self, endpoint) except -1:
        if endpoint is not None:
            self.set_address(len(self.endpoints), endpoint)
        self.endpoints.append(endpoint)
        return 0

    cdef int set_address(self, int server, endpoint) except -1:
        server_free(&self.servers[server])
        return server_init(&self.servers[server], endpoint)

    cdef int add(self, int server, plan, Sink sink, bint reads_only=False) except -1:
        cdef int number = self.n_connections
        cdef Connection *c = &self.connections[number]
        self.n_connections += 1
        cdef int barrier = self.codec.commands.first(BARRIER) if plan.target.memcache.quiet else -1
        pipeline_init(&c.pipe, plan.wire.pipeline_depth, plan.wire.request_timeout_ns, barrier)
        connection_init(c, plan.wire.pipeline_depth, self.longest_request(plan),
                        self.codec.siblings.most if plan.workload.value_bytes >= SPLICE else 0)
        c.pipe.pushes = &self.pushes
        c.server = server
        c.reads_only = reads_only
        c.process = (self.connections_before + number) * (c.pipe.mask + 1)
        c.sink = <void *>sink
        return 0

    cdef int add_parked(self, int server, plan, Sink sink) except -1:
        cdef Connection *c = &self.connections[self.n_connections]
        self.n_connections += 1
        self.n_parked += 1
        pipeline_init(&c.pipe, 1, plan.wire.request_timeout_ns, -1)
        connection_init(c, 1, self.longest_request(plan), 0)
        c.pipe.pushes = &self.pushes
        c.server = server
        c.sink = <void *>sink
        c.parks = True
        return 0

    cdef int close(self) except -1:
        cdef int i
        for i in range(self.n_connections):
            if self.connections[i].stream >= 0:
                self.reactor.forget(self.connections[i].stream)
                connection_close(&self.connections[i], self.net)
        self.reactor.close()
        self.sender = None
        return 0

    def __dealloc__(self):
        cdef int i
        if self.connections != NULL:
            for i in range(self.n_connections):
                pipeline_free(&self.connections[i].pipe)
                if self.connections[i].out != NULL:
                    connection_free(&self.connections[i])
        for i in range(PHASES):
            counts_free(&self.connect[i])
            counts_free(&self.handshake[i])
        PyMem_Free(self.connections)
        if self.servers != NULL:
            for i in range(self.n_servers):
                server_free(&self.servers[i])
        PyMem_Free(self.servers)
        free(self.buffer)

    cdef Py_ssize_t longest_request(self, plan) except -1:
        """Return the most bytes that a request takes in an out-buffer, where a spliced value takes none."""
        # In a cluster, an ASKING may stand in front.
        asking = ASKING_BYTES if plan.target.topology is not None else 0
        if plan.workload.value_bytes < SPLICE:
            return self.codec.longest + asking
        # The bytes that a codec puts around a key or credentials fit in two blocks. A password may be long.
        credentials = len(plan.target.username.encode()) + len(plan.target.password.encode())
        # Of several keys, each has a block around it.
        keys = plan.workload.keys_per_request
        names = plan.workload.keyspace.length * keys + BLOCK * (keys - 1)
        return asking + 2 * BLOCK + MARK_BYTES + max(names, credentials)

    cdef void on_timer(self) noexcept:
        self.sender.on_timer()

    cdef void on_swept(self) noexcept:
        self.sender.on_swept()

    # ── Bytes ───────────────────────────────────────────────────────────────────────────────────────────────────────

    cdef void on_stream(self, void *owner, bint readable, bint writable) noexcept:
        cdef Connection *c = <Connection *>owner
        cdef int64_t now_ns
        cdef bint refused
        if self.over:
            # The server sends bytes that are no longer awaited, or closes the connection.
            self.reactor.forget(c.stream)
            c.abandoned = True
            return
        if c.state == CONNECTING:
            self.on_connecting(c, connection_finish(c, self.net), self.time.now_ns())
            return
        if writable and c.state != DOWN:
            refused = c.pipe.refused_end != 0
            now_ns = self.time.now_ns()
            if now_ns > self.late_ns:
                self.sender.woke_late(now_ns)
            self.flush(c, now_ns)
            if refused and c.state == READY:
                # The refused request has had its reply, and its place in the out-buffer may be free only now.
                self.sender.fill(c, self.time.now_ns())
        if readable and c.state > CONNECTING:
            self.receive(c)

    cdef void on_connecting(self, Connection *c, int connected, int64_t now_ns) noexcept:
        """Handle what came of a stream that connects."""
        if connected < 0:
            self.drop(c, now_ns)
            return
        if connected == 0:
            if c.connected_ns:
                # A part of the handshake waits for the socket.
                self.reactor.watch(c.stream, c, True)
            return
        if c.connected_ns == 0:
            c.connected_ns = now_ns
            counts_record(&self.connect[self.phase], now_ns - c.begun_ns)
        elif connected != HANDSHAKING:
            c.secured_ns = now_ns
            counts_record(&self.handshake[self.phase], now_ns - c.connected_ns)
        if connected == HANDSHAKING:
            self.reactor.watch(c.stream, c, False)
        else:
            self.greet(c, now_ns)

    cdef void receive(self, Connection *c) noexcept:
        cdef Cursor cursor
        cdef Fed fed
        cdef int reason
        cdef int64_t now_ns, received = 0
        cdef uint32_t kept = c.pipe.kept
        cdef Read read = connection_read(c, self.net, self.buffer, READ_BUFFER, &received)
        self.rx[self.phase] += received
        if read == NOTHING:
            return
        now_ns = self.heard_ns = self.time.now_ns()
        if now_ns > self.late_ns:
            self.sender.woke_late(now_ns)
        if read == GONE:
            self.drop(c, now_ns)
            return
        cursor.at = self.buffer
        cursor.end = self.buffer + kept + received
        fed = pipeline_feed(&c.pipe, self.codec, <Sink>c.sink, self.scheduled, &cursor, now_ns)
        if fed != FED:
            reason = UNASKED if fed == ANSWERS_NOBODY else WRONG_VALUE if fed == WRONG_ANSWER else PROTOCOL
            self.explain_garbage(c, reason, &cursor)
            self.fail(c, reason, now_ns)
        elif c.state == GREETING:
            self.greeted(c, now_ns)
        elif c.leaving and c.pipe.head == c.pipe.tail:
            self.depart(c, now_ns)
        elif self.lives.on and has_lived(c, now_ns) and self.sender.wants_more(c):
            self.renew(c, now_ns)
        else:
            self.sender.fill(c, now_ns)

    cdef void flush(self, Connection *c, int64_t now_ns) noexcept:
        cdef uint32_t i = c.pipe.written
        cdef Request *r
        cdef int64_t ours_ns
        cdef bint unsent, waited = c.watched_for_room
        cdef int64_t sent
        cdef bint alive = connection_flush(c, self.net, self.values, &sent)
        self.tx[self.phase] += sent
        unsent = connection_has_unsent(c)
        if unsent or c.watched_for_room or self.scheduled:
            # The slow path: some bytes waited for the socket, or there is a schedule whose lag is recorded.
            while i != c.pipe.written:
                r = &c.pipe.ring[i & c.pipe.mask]
                if self.scheduled:
                    # When bytes waited for the socket, the generator's part of the lag ends with the encoding.
                    ours_ns = (r.made_ns if waited else now_ns) - r.ready_ns
                    r.send_ns = now_ns
                    (<Sink>c.sink).sent(r, ours_ns, c.doubt_ns)
                else:
                    r.send_ns = now_ns
                i += 1
        if not unsent:
            c.doubt_ns = 0
        if not alive:
            self.read_the_rest(c, now_ns)
        elif unsent != c.watched_for_room:
            c.watched_for_room = unsent
            self.reactor.watch(c.stream, c, unsent)

    cdef void read_the_rest(self, Connection *c, int64_t now_ns) noexcept:
        """Read the replies on a connection that takes no more bytes, then drop the connection."""
        cdef Cursor cursor
        cdef int64_t received = 1
        cdef uint32_t kept
        cdef int failure = c.failure, error = c.error
        cdef Read read
        while (c.state == READY or self.encrypted and c.state == GREETING) and received:
            received = 0
            kept = c.pipe.kept
            read = connection_read(c, self.net, self.buffer, READ_BUFFER, &received)
            self.rx[self.phase] += received
            # The replies arrived after the attempt to write.
            now_ns = self.time.now_ns()
            if read == GONE:
                if c.failure == TLS_FAILED:
                    # The server has said why it takes no bytes.
                    failure, error = c.failure, c.error
                break
            if read == NOTHING:
                continue
            cursor.at = self.buffer
            cursor.end = self.buffer + kept + received
            if pipeline_feed(&c.pipe, self.codec, <Sink>c.sink, self.scheduled, &cursor, now_ns) != FED:
                break
        c.failure = failure
        c.error = error
        self.drop(c, now_ns)

    # ── The life of a connection ────────────────────────────────────────────────────────────────────────────────────

    cdef void open_all(self, bint fresh, int64_t now_ns) noexcept:
        cdef Connection *c
        cdef int i
        for i in range(self.n_connections):
            c = &self.connections[i]
            if c.state != DOWN and (fresh or c.abandoned):
                self.active -= c.state == READY
                self.parked -= c.state == PARKED
                self.opening -= c.state < READY
                self.reactor.forget(c.stream)
                connection_close(c, self.net)
                c.renewed = False
            c.abandoned = False
        self.over = False
        self.connecting = True
        self.next_to_open = 0
        self.ramp.next_ns = now_ns + self.ramp.offset_ns
        self.open_more(now_ns)

    cdef void open_more(self, int64_t now_ns) noexcept:
        """Open the next connections of the connect phase. In other phases, connections wait for their retry time."""
        cdef Connection *c
        if not self.connecting or self.in_open_more or self.over:
            return
        # A connect that is refused at once calls this function from within the loop, which itself opens the next.
        self.in_open_more = True
        while self.next_to_open < self.n_connections and self.opening < OPENING and ramp_room(&self.ramp, now_ns):
            c = &self.connections[self.next_to_open]
            if c.state == DOWN:
                self.open_one(c, now_ns)
                if c.put_off:
                    break
                self.ramp.next_ns += self.ramp.gap_ns
            self.next_to_open += 1
        self.in_open_more = False
        if self.opening == 0 and self.next_to_open >= self.n_connections:
            self.connecting = False
            self.sender.all_tried()

    cdef void move(self, int server, endpoint, int64_t now_ns) noexcept:
        cdef Connection *c
        cdef int i
        if endpoint == self.endpoints[server]:
            return
        self.endpoints[server] = endpoint
        if endpoint is not None:
            self.set_address(server, endpoint)
        for i in range(self.n_connections):
            c = &self.connections[i]
            if c.server != server:
                continue
            c.backoff_ns = 0
            if c.state == DOWN:
                c.retry_ns = now_ns
            elif c.state < READY:
                self.aim_anew(c, now_ns)
            elif c.pipe.head == c.pipe.tail:
                self.depart(c, now_ns)
            else:
                c.leaving = True

    cdef bint is_ramping(self) noexcept:
        return (self.ramp.gap_ns and self.connecting and not self.over and self.opening < OPENING
                and self.next_to_open < self.n_connections)

    cdef void depart(self, Connection *c, int64_t now_ns) noexcept:
        self.reactor.forget(c.stream)
        self.active -= not c.parks
        self.parked -= c.parks
        connection_close(c, self.net)
        c.leaving = False
        c.doubt_ns = 0
        c.departed = True
        c.retry_ns = now_ns
        self.sender.recycled(c, now_ns)

    cdef void aim_anew(self, Connection *c, int64_t now_ns) noexcept:
        self.reactor.forget(c.stream)
        connection_close(c, self.net)
        pipeline_abandon(&c.pipe, <Sink>c.sink, UINT64_MAX, now_ns)
        # The next server is greeted with all that a connection begins with.
        c.departed = c.departed or c.renewed
        c.renewed = False
        self.opening -= 1
        self.open_one(c, now_ns)
        self.open_more(now_ns)

    cdef void open_one(self, Connection *c, int64_t now_ns) noexcept:
        if self.endpoints[c.server] is None:
            c.retry_ns = now_ns + FIRST_BACKOFF_NS
            return
        self.opening += 1
        c.attempt_end_ns = now_ns + self.connect_timeout_ns
        c.address = self.servers[c.server].first
        c.tried = 0
        c.put_off = False
        self.try_addresses(c, now_ns)

    cdef void try_addresses(self, Connection *c, int64_t now_ns) noexcept:
        cdef const Server *server = &self.servers[c.server]
        cdef int left = server.count - c.tried
        cdef int connected
        if c.tried:
            c.address = (c.address + 1) % server.count
        c.tried += 1
        # Connections that are opened in one go begin one after the other.
        c.begun_ns = self.time.now_ns()
        c.connected_ns = c.secured_ns = 0
        c.deadline_ns = now_ns + (c.attempt_end_ns - now_ns) // left
        if not connection_begin(c, self.net, &server.addresses[c.address]):
            if c.error == EAGAIN and self.opening > 1:
                # The others that are being opened fill the server's backlog. It has room when one of them is accepted.
                self.opening -= 1
                c.put_off = True
                c.retry_ns = now_ns
            else:
                self.drop(c, now_ns)
            return
        connected = connection_finish(c, self.net) if self.net.at_once else 0
        if connected != 0:
            self.on_connecting(c, connected, self.time.now_ns())
        elif self.reactor.watch(c.stream, c, True) < 0:
            self.fail(c, LOCAL, now_ns)

    cdef void greet(self, Connection *c, int64_t now_ns) noexcept:
        """Send the next greeting. Greetings go one at a time, so that later replies cannot hide a refused AUTH."""
        cdef Request *r
        if c.state == CONNECTING:
            c.state = GREETING
            c.greetings = 0
            c.deadline_ns = c.attempt_end_ns
            self.servers[c.server].first = c.address
            if self.reactor.watch(c.stream, c, False) < 0:
                self.fail(c, LOCAL, now_ns)
                return
        while c.greetings < self.n_greetings and self.is_spared(c, c.greetings):
            c.greetings += 1
        if c.greetings == self.n_greetings:
            self.ready(c, now_ns)
            return
        r = pipeline_push(&c.pipe)
        r.command = self.greetings[c.greetings]
        if c.by_get and self.codec.rows[r.command].kind == ASK:
            r.command = self.codec.commands.first(READ)
        r.phase = PRECHECK
        r.key = 0
        r.intended_ns = r.made_ns = r.send_ns = r.ready_ns = now_ns
        c.greetings += 1
        (<Sink>c.sink).planned(r)
        connection_encode(c, 1, self.codec, self.values)
        self.flush(c, now_ns)

    cdef void greeted(self, Connection *c, int64_t now_ns) noexcept:
        """Handle a reply to the greeting, or a part of one."""
        if c.pipe.head != c.pipe.tail:
            return
        if c.pipe.decoder.outcome == ERROR_REPLY and self.turns_away(c):
            self.fail(c, TURNED_AWAY, now_ns)
        else:
            self.greet(c, now_ns)

    cdef bint is_spared(self, const Connection *c, int greeting) noexcept:
        """True for a greeting that a connection need not send.

        A renewed one does not ask again if the server is there, and only one to a replica says that it reads.
        """
        cdef int command = self.greetings[greeting]
        return (c.renewed and self.codec.rows[command].kind == ASK
                or command == self.readonly and not c.reads_only)

    cdef bint turns_away(self, Connection *c) noexcept:
        """Keep the text of an error in reply to a greeting. True when the error ends the connection."""
        cdef int kind = self.codec.rows[self.greetings[c.greetings - 1]].kind
        text = <bytes>c.pipe.decoder.error[:c.pipe.decoder.error_length]
        turned_away = (text.startswith(self.turned_away_by) or kind == SELECT or kind == SET_UP
                       or self.hello_counts and kind == GREET)
        self.examples.setdefault("turned away" if turned_away else "greeting", text.decode("utf-8", "replace"))
        return turned_away

    cdef void ready(self, Connection *c, int64_t now_ns) noexcept:
        cdef bint kept = c.renewed and self.lives.by_reset
        c.state = PARKED if c.parks else READY
        c.first = c.pipe.head
        c.backoff_ns = 0
        self.opening -= 1
        self.active += not c.parks
        self.parked += c.parks
        self.opened += not kept
        self.resets += kept
        self.recycled += (c.renewed and not kept) or c.departed
        self.reconnects += c.was_ready and not c.renewed and not c.departed
        if not c.parks and not c.renewed and not c.departed:
            (<Sink>c.sink).opened(self.phase)
        c.was_ready = True
        c.renewed = c.departed = False
        if self.lives.on:
            life_begin(c, &self.lives, now_ns, 1)
        if c.by_get:
            self.examples.setdefault("greeted by GET", "")
        self.open_more(now_ns)
        self.sender.fill(c, now_ns)

    cdef void fail(self, Connection *c, int reason, int64_t now_ns) noexcept:
        c.failure = reason
        c.error = 0
        self.drop(c, now_ns)

    cdef void drop(self, Connection *c, int64_t now_ns) noexcept:
        """Drop a connection that was lost or never became ready; c.failure is the reason. Its requests are lost.

        The connection is retried after a backoff. When the server ends a connection on which it has answered, it
        recycles the connection: that is retried at once, and requests that had not reached the server are sent again.
        """
        cdef int was = c.state
        cdef bint hung_up = c.failure == END_OF_FILE or c.failure == RESET
        cdef bint recycled = was == READY and c.pipe.head != c.first and hung_up
        cdef bint ask_by_get = (
            self.may_ask_by_get and not c.by_get and was == GREETING and hung_up and c.greetings == self.n_greetings
        )
        cdef uint64_t received = connection_received(c, self.net) if recycled else UINT64_MAX
        if c.stream >= 0:
            self.reactor.forget(c.stream)
            connection_close(c, self.net)
        c.state = DOWN
        c.leaving = False
        c.doubt_ns = 0
        pipeline_abandon(&c.pipe, <Sink>c.sink, received, now_ns)
        c.by_get = ask_by_get or was == READY and c.by_get
        if ask_by_get:
            # Proxies close a connection on a command that they do not know. It is a failure only if a GET ends so too.
            self.opening -= 1
            self.open_one(c, now_ns)
            return
        if (was == CONNECTING or was == DOWN) and c.tried < self.servers[c.server].count:
            self.try_addresses(c, now_ns)
            return
        self.failures[c.failure] += 1
        self.explain(c)
        if self.connecting and c.failure == CONNECT_TIMEOUT and self.opened == 0:
            # No connection has become ready yet: the others, OPENING at a time, would only time out as well.
            self.next_to_open = self.n_connections
        c.renewed = False
        if was >= READY:
            self.active -= was == READY
            self.parked -= was == PARKED
            self.parked_closed += was == PARKED
            self.closed += 1
            if was == READY:
                (<Sink>c.sink).closed(self.phase)
        else:
            self.opening -= 1
            self.failed += 1
            (<Sink>c.sink).refused(self.phase, now_ns)
        if recycled:
            c.retry_ns = now_ns
            self.sender.recycled(c, now_ns)
        else:
            c.backoff_ns = min(max(2 * c.backoff_ns, FIRST_BACKOFF_NS), self.longest_backoff_ns)
            c.retry_ns = now_ns + <int64_t>(c.backoff_ns * (1 - 0.5 * random_unit(&self.random)))
        self.open_more(now_ns)

    # ── Lives that end as planned ───────────────────────────────────────────────────────────────────────────────────

    cdef void begin_lives(self, int64_t now_ns) noexcept:
        cdef Connection *c
        cdef int i
        self.lives.on = self.lives.requests or self.lives.time_ns
        for i in range(self.n_connections if self.lives.on else 0):
            c = &self.connections[i]
            if c.quota == 0 and not c.parks:
                # Lives of a time that begin together end one after the other.
                life_begin(c, &self.lives, now_ns, (i + 1) / <double>self.n_connections)

    cdef void end_lives(self) noexcept:
        cdef int i
        self.lives.on = False
        for i in range(self.n_connections):
            life_unbounded(&self.connections[i])

    cdef void renew(self, Connection *c, int64_t now_ns) noexcept:
        """Begin the next life of a connection whose requests all have their replies."""
        self.active -= 1
        c.renewed = True
        if self.lives.by_reset:
            c.state = GREETING
            c.greetings = 0
            c.deadline_ns = now_ns + self.connect_timeout_ns
            self.opening += 1
            self.greet(c, now_ns)
            return
        self.reactor.forget(c.stream)
        connection_close(c, self.net)
        pipeline_finish(&c.pipe, <Sink>c.sink, now_ns)
        c.doubt_ns = 0
        c.retry_ns = now_ns
        self.sender.recycled(c, now_ns)

    cdef void explain(self, Connection *c) noexcept:
        name = FAILURE_NAMES[c.failure]
        if name not in self.examples:
            self.examples[name] = self.net.words(c.error) if c.error else ""
            if c.failure == CONNECT_TIMEOUT and c.connected_ns and self.encrypted and not c.secured_ns:
                self.examples[name] = self.net.words(ETIMEDOUT)

    cdef void explain_garbage(self, Connection *c, int reason, Cursor *cursor) noexcept:
        """Keep the first bytes that were not understood, or that belong to another request than the oldest."""
        name = FAILURE_NAMES[reason]
        cdef uint32_t number
        if name in self.examples:
            return
        words = repr(<bytes>cursor.at[:min(cursor.end - cursor.at, 40)])[1:]
        if reason == WRONG_VALUE:
            # The request has left the pipeline, and is the one before its head.
            number = c.pipe.head - 1
            asked = self.codec.shown(&c.pipe.ring[number & c.pipe.mask], number)
            words += f" in reply to {repr(asked)[1:]}"
        self.examples[name] = words

    cdef void leave_all(self, int64_t now_ns) noexcept:
        cdef Connection *c
        cdef int i
        for i in range(self.n_connections):
            c = &self.connections[i]
            # This includes a connection that is being greeted, and one whose last request was refused and is partly
            # unsent.
            c.abandoned = c.pipe.head != c.pipe.tail or connection_has_unsent(c)
            pipeline_finish(&c.pipe, <Sink>c.sink, now_ns)
        self.over = True

    # ── The worker's calls ──────────────────────────────────────────────────────────────────────────────────────────

    def connection_counts(self):
        """Return the fields of `snapshot.ConnectionCounts`, by name."""
        return {
            "opened": self.opened,
            "failed": self.failed,
            "closed": self.closed,
            "reconnects": self.reconnects,
            "recycled": self.recycled,
            "resets": self.resets,
            "active": self.active,
            "resumed": self.net.resumptions(),
            "idle": self.parked,
            "idle_closed": self.parked_closed,
        }

    def connect_times(self, int phase):
        """Return the histograms `connect` and `handshake` of a phase."""
        return {
            "connect": Histogram.copy_of(&self.connect[phase]),
            "handshake": Histogram.copy_of(&self.handshake[phase]),
        }

    def clear_connect_times(self, int phase):
        """Forget a phase's times, for another load."""
        counts_clear(&self.connect[phase])
        counts_clear(&self.handshake[phase])

    def failure_counts(self):
        """Return the number of failed attempts and lost connections, by reason."""
        return {FAILURE_NAMES[i]: self.failures[i] for i in range(1, FAILURES) if self.failures[i]}

    def push_counts(self):
        """Return what was pushed on the connections, by the words of `phase.Push`."""
        counts = {
            "invalidations": self.pushes.invalidations,
            "invalidated_keys": self.pushes.keys,
            "flushes": self.pushes.flushes,
            "others": self.pushes.others,
        }
        return {name: count for name, count in counts.items() if count}

    def down(self):
        """Return the number of connections to each server that are not ready."""
        cdef int i
        down = [0] * len(self.endpoints)
        for i in range(self.n_connections):
            down[self.connections[i].server] += not self.connections[i].parks and self.connections[i].state != READY
        return down

    def failure_examples(self):
        """Return the text of the first failure of each reason."""
        return self.examples
