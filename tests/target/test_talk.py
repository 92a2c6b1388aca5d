"""A server's answers about itself, of any type, size and pace: none takes long, grows without bound or crashes us."""

from __future__ import annotations

import random
import threading
import time
import tracemalloc

import pytest
from faulty_server import FaultyServer, Peer, Script, answers, good_reply, never_answers, says
from in_process import invoked_load
from real_servers import RealServer
from runs import plan

from loadgen.plan import Endpoint, Plan, Target
from loadgen.server_plan import HOST
from loadgen.target.talk import conversation as conversation_module
from loadgen.target.talk import counters, identity, memcache, ready
from loadgen.target.talk.conversation import MOST_BYTES, Conversation, NoAnswerError, Silence
from loadgen.target.talk.identity import identify
from loadgen.target.talk.resp import MOST_ELEMENTS, Asker, Reply, ReplyKind

PATIENCE_S = 0.3
ANSWERED_S = 30.0
"""Of a server that answers: longer than any machine keeps it waiting."""

SEED = 20261128

# Each type of RESP2 and RESP3, and what is none.
ODD_REPLIES = {
    "null": b"$-1\r\n",
    "null array": b"*-1\r\n",
    "RESP3 null": b"_\r\n",
    "integer": b":1\r\n",
    "long integer": b":" + b"9" * 5000 + b"\r\n",
    "empty array": b"*0\r\n",
    "array": b"*2\r\n$1\r\na\r\n:2\r\n",
    "map": b"%1\r\n+redis_version\r\n+7\r\n",
    "map with a list as its key": b"%1\r\n*0\r\n:1\r\n",
    "set": b"~1\r\n:1\r\n",
    "double": b",1.5\r\n",
    "long double": b"," + b"1" * 5000 + b"\r\n",
    "boolean": b"#t\r\n",
    "big number": b"(" + b"1" * 5000 + b"\r\n",
    "verbatim": b"=8\r\ntxt:none\r\n",
    "error": b"-ERR unknown command 'INFO'\r\n",
    "blob error": b"!7\r\nERR no.\r\n",
    "push": b">1\r\n+x\r\n",
    "attribute": b"|1\r\n+a\r\n+b\r\n:1\r\n",
    "no UTF-8": b"$4\r\n\xff\xfe\x00\x80\r\n",
    "error of no UTF-8": b"-ERR \xff\xfe\r\n",
    "1 MB of text": b"$1048576\r\n" + b"x" * 1048576 + b"\r\n",
    "long length": b"$" + b"9" * 5000 + b"\r\n",
    "length beyond memory": b"$99999999999\r\n",
    "elements beyond memory": b"*2147483647\r\n",
    "pairs beyond memory": b"%2147483647\r\n",
    "elements beyond memory in the end": b"*2\r\n+x\r\n*2147483647\r\n",
    "deep nesting": b"*1\r\n" * 20_000,
    "wide nesting": b"*9999\r\n" * 9,
    "no protocol": b"\x15\x03\x03\x00\x02",
    "nothing": b"",
}


def then_closes(data: bytes) -> Script:
    """Reads one request, answers it so, and ends the connection."""

    def script(peer: Peer) -> None:
        next(peer.requests())
        peer.send(data)

    return script


def asked(script: Script, *words: bytes, patience_s: float = ANSWERED_S) -> Reply | Silence:
    """What comes of one question to a server with this script."""
    with FaultyServer(script) as server:
        try:
            with Conversation(Endpoint(HOST, server.port, HOST), patience_s) as conversation:
                return Asker(conversation).ask(*(words or (b"INFO",)))
        except NoAnswerError as end:
            return end.silence


def random_reply(chance: random.Random, depth: int = 0) -> bytes:
    """A reply of any type, nested at most six deep; one in ten is broken somewhere."""
    count = chance.choice((0, 1, 2, 3, 7))

    def parts(number: int) -> bytes:
        return b"".join(random_reply(chance, depth + 1) for _ in range(number))

    kinds = b"+-:$_#,(=!" if depth > 5 else b"+-:$_#,(=!*~%>|"
    kind = bytes([chance.choice(kinds)])
    body = chance.randbytes(chance.choice((0, 1, 5, 300)))
    line = bytes(byte for byte in body if byte not in b"\r\n")
    match kind:
        case b"+" | b"-":
            reply = kind + line + b"\r\n"
        case b":" | b"(":
            reply = b"%b%d\r\n" % (kind, chance.choice((0, -1, 7, 2**63, -(2**63), 10**30)))
        case b",":
            reply = b"," + chance.choice((b"1.5", b"inf", b"-inf", b"nan", b"1e400", b"x")) + b"\r\n"
        case b"#":
            reply = b"#" + chance.choice((b"t", b"f", b"x", b"")) + b"\r\n"
        case b"_":
            reply = b"_\r\n"
        case b"$" | b"=" | b"!":
            text = b"txt:" + body if kind == b"=" else body
            reply = b"%b%d\r\n%b\r\n" % (kind, chance.choice((len(text), len(text), len(text), -1, 10**12)), text)
        case b"%" | b"|":
            reply = b"%b%d\r\n" % (kind, count) + parts(2 * count)
        case _:
            reply = b"%b%d\r\n" % (kind, chance.choice((count, count, count, -1, 10**9))) + parts(count)
    if depth == 0 and chance.random() < 0.1 and reply:
        place = chance.randrange(len(reply))
        reply = reply[:place] + chance.randbytes(2) + reply[place + 1 :]
    return reply


# ── One question ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "kind", "text"),
    [
        ("null", ReplyKind.OTHER, "$-1"),
        ("RESP3 null", ReplyKind.OTHER, "_"),
        ("integer", ReplyKind.OTHER, ":1"),
        ("map", ReplyKind.OTHER, "%1"),
        ("boolean", ReplyKind.OTHER, "#t"),
        ("double", ReplyKind.OTHER, ",1.5"),
        ("verbatim", ReplyKind.TEXT, "none"),
        ("error", ReplyKind.ERROR, "ERR unknown command 'INFO'"),
        ("no UTF-8", ReplyKind.TEXT, r"\xff\xfe" + "\0" + r"\x80"),
        ("elements beyond memory", ReplyKind.GARBAGE, "*2147483647"),
        ("elements beyond memory in the end", ReplyKind.GARBAGE, "*2"),
        ("wide nesting", ReplyKind.GARBAGE, "*9999"),
        ("deep nesting", ReplyKind.GARBAGE, "*1"),
        ("map with a list as its key", ReplyKind.GARBAGE, "%1"),
        ("long integer", ReplyKind.GARBAGE, ":" + "9" * 199),
        ("no protocol", ReplyKind.GARBAGE, "\x15\x03\x03\0\x02"),
    ],
)
def test_a_reply_of_any_type_is_understood(name: str, kind: ReplyKind, text: str) -> None:
    assert asked(then_closes(ODD_REPLIES[name])) == Reply(kind, text)


def test_text_without_an_end_is_given_as_far_as_the_limit() -> None:
    reply = asked(says(ODD_REPLIES["1 MB of text"]))
    assert isinstance(reply, Reply)
    assert (reply.kind, set(reply.text)) == (ReplyKind.CUT, {"x"})
    assert MOST_BYTES - 100 < len(reply.text) < MOST_BYTES


@pytest.mark.parametrize("cut", [1, 2, 3, 5, 8])
def test_elements_are_counted_wherever_the_reply_is_cut(cut: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation_module, "_CHUNK", cut)
    within = b"*%d\r\n" % (MOST_ELEMENTS - 10) + b"*5\r\n"
    assert asked(then_closes(within + b"*5\r\n")) is Silence.CLOSED
    assert asked(then_closes(within + b"*6\r\n")) == Reply(ReplyKind.GARBAGE, f"*{MOST_ELEMENTS - 10}")


def test_text_that_looks_like_aggregates_is_text() -> None:
    text = b"# Server\r\nredis_version:7.0.15\r\n*1:2\r\nfield:*99999\r\n"
    assert asked(then_closes(b"$%d\r\n%b\r\n" % (len(text), text))) == Reply(ReplyKind.TEXT, text.decode())


def test_pushes_are_passed_over() -> None:
    push = b">2\r\n+invalidate\r\n*1\r\n+k\r\n"
    assert asked(then_closes(push * 3 + b"+OK\r\n" + push)) == Reply(ReplyKind.TEXT, "OK")


# ── Bounds ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def floods(begin: bytes, data: bytes) -> Script:
    """As much as is taken, and always more."""

    def script(peer: Peer) -> None:
        peer.send(begin)
        while True:
            peer.send(data)

    return script


def drips(begin: bytes, stopped: threading.Event) -> Script:
    """A byte at a time, sooner than any timeout of one read."""

    def script(peer: Peer) -> None:
        peer.send(begin)
        while not stopped.wait(PATIENCE_S / 10):
            peer.send(b"x")

    return script


def only(port: int, protocol: str, **more: str) -> Target:
    """A target of one server."""
    return Target(protocol, (Endpoint("127.0.0.1", port, "127.0.0.1"),), **more)


@pytest.mark.parametrize("begin", [b"", b"$100000\r\n", b"+", b"%1\r\n$5\r\nproto\r\n$100000\r\n", b"VERSION "])
@pytest.mark.parametrize("protocol", ["resp", "memcache"])
def test_an_answer_that_comes_in_drops_ends_with_the_deadline(begin: bytes, protocol: str) -> None:
    stopped = threading.Event()
    with FaultyServer(drips(begin, stopped)) as server:
        began_s = time.monotonic()
        target = only(server.port, protocol)
        assert ready.ask(target, PATIENCE_S).state is not ready.State.READY or protocol == "memcache"
        assert ready.instance(target, PATIENCE_S) in (ready.Instance(), None)
        # Two questions, each with a deadline, beside whatever else this machine does.
        assert time.monotonic() - began_s < 2 * PATIENCE_S + 5
        stopped.set()


@pytest.mark.parametrize(
    ("begin", "data"),
    [
        (b"$99999999999\r\n", b"x" * 65536),
        (b"", b">1\r\n+x\r\n" * 4096),
        (b"+", b"x" * 65536),
        (b"-ERR ", b"x" * 65536),
        (b"", b"STAT pid 1\r\n" * 4096),
        (b"*9999\r\n", b"*1\r\n+x\r\n" * 4096),
    ],
)
def test_an_endless_answer_is_cut_at_its_size_and_takes_no_memory(begin: bytes, data: bytes) -> None:
    with FaultyServer(floods(begin, data)) as server:
        tracemalloc.start()
        try:
            for protocol in ("resp", "memcache"):
                ready.instance(only(server.port, protocol), 30)
                with Conversation(Endpoint(HOST, server.port, HOST), 30) as conversation:
                    assert Asker(conversation).ask(b"INFO").kind in (ReplyKind.CUT, ReplyKind.GARBAGE)
                    assert conversation.received <= MOST_BYTES
            most_bytes = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert most_bytes < 40 * MOST_BYTES


def test_sending_to_a_server_that_reads_nothing_ends_with_the_deadline() -> None:
    def deaf(peer: Peer) -> None:
        done.wait(30)

    done = threading.Event()
    with FaultyServer(deaf) as server:
        with (
            Conversation(Endpoint(HOST, server.port, HOST), PATIENCE_S) as conversation,
            pytest.raises(NoAnswerError) as end,
        ):
            conversation.tell(b"x" * (64 << 20))
        done.set()
    assert end.value.silence is Silence.LATE


# ── Who is asked this way ───────────────────────────────────────────────────────────────────────────────────────────


def test_no_reply_of_a_random_kind_is_an_error_or_outlasts_the_deadline() -> None:
    chance = random.Random(SEED)
    current = [b""]

    def script(peer: Peer) -> None:
        for _ in peer.requests():
            peer.send(current[0])
            return

    found: set[ReplyKind | Silence] = set()
    states: set[ready.State] = set()
    with FaultyServer(script) as server:
        for case in range(400):
            current[0] = random_reply(chance)
            words = f"case {case} of seed {SEED}: {current[0][:200]!r}"
            try:
                with Conversation(Endpoint(HOST, server.port, HOST), 10) as conversation:
                    found.add(Asker(conversation).ask(b"INFO", b"server").kind)
            except NoAnswerError as end:
                found.add(end.silence)
            protocol = ("resp", "memcache")[case % 2]
            target = only(server.port, protocol)
            states.add(ready.ask(target, 10).state)
            assert ready.instance(target, 10) in (ready.Instance(), None), words
            assert "redis" not in identify(plan(server.port, f"target.protocol={protocol}").target), words
    assert found - {Silence.BROKEN} == {*ReplyKind, Silence.CLOSED} - {ReplyKind.CUT}
    assert {ready.State.READY, ready.State.SILENT, ready.State.FOREIGN} <= states


@pytest.mark.parametrize("name", ODD_REPLIES)
def test_a_run_goes_on_whatever_info_answers(name: str) -> None:
    """`INFO` on a connection of its own; the load's are answered well."""

    def script(peer: Peer) -> None:
        for request in peer.requests():
            if request[0] == b"INFO":
                peer.send(ODD_REPLIES[name])
                return
            peer.send(good_reply(request))

    with FaultyServer(script) as server:
        assert identify(plan(server.port).target) == ""


def test_a_whole_run_goes_on_when_info_answers_null() -> None:
    with FaultyServer(answers(ODD_REPLIES["null"], to=b"INFO")) as server:
        finished = invoked_load(server.port, "--duration", "100ms")
    assert finished.status == 0
    assert finished.records[0]["identity"] is None


def test_a_version_is_cut_and_found_in_text_that_has_no_end() -> None:
    text = b"# Server\r\nredis_version:" + b"7" * 200_000 + b"\r\nrun_id:"
    with FaultyServer(answers(b"$%d\r\n%b" % (10 * len(text), text * 10), to=b"INFO")) as server:
        assert identify(plan(server.port).target) == "redis " + "7" * identity.LONGEST_VERSION


def test_many_silent_servers_are_not_waited_for_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "PATIENCE_S", 0.1)
    monkeypatch.setattr(identity, "PATIENCE_FOR_ALL_S", 0.2)
    with FaultyServer(never_answers) as server:
        asks: Plan = plan(server.port)
        began_s = time.monotonic()
        assert identify(asks.at(*asks.target.endpoints * 100).target) == ""
        assert time.monotonic() - began_s < 5


@pytest.mark.parametrize(
    ("protocol", "reply", "pid"),
    [
        ("resp", b"process_id:", 0),
        ("resp", b"process_id:123\r\n", 123),
        ("resp", b"process_id:" + b"1" * 5000 + b"\r\n", 0),
        ("memcache", b"STAT pid " + b"1" * 5000 + b"\r\nEND\r\n", 0),
        ("memcache", b"STAT pid 77\r\nEND\r\n", 77),
        ("memcache", b"ERROR\r\n", 0),
    ],
)
def test_a_process_id_of_any_length_is_no_trouble(protocol: str, reply: bytes, pid: int) -> None:
    data = b"$%d\r\n%b\r\n" % (len(reply), reply) if protocol == "resp" else reply
    with FaultyServer(then_closes(data)) as server:
        target = only(server.port, protocol)
        assert ready.instance(target, 10) == ready.Instance(pid)


def test_a_server_behind_a_password_says_who_it_is() -> None:
    with RealServer.redis() as server:
        server.client().config_set("requirepass", "secret-1")
        assert identify(plan(server, "target.password=secret-1").target).startswith("redis ")
        assert identify(plan(server, "target.password=wrong").target) == identify(plan(server).target) == ""


@pytest.mark.parametrize("version", [b"VERSION 1.6.18\r\n", b"VERSION 1.6.18\n"])
def test_memcached_says_who_it_is(version: bytes) -> None:
    with FaultyServer(answers(version)) as server:
        assert identify(plan(server.port, "target.protocol=memcache").target) == "memcached 1.6.18"


def test_a_line_without_an_end_is_cut() -> None:
    with FaultyServer(floods(b"VERSION ", b"1" * 65536)) as server:
        with Conversation(Endpoint(HOST, server.port, HOST), 10) as conversation:
            assert len(memcache.line(conversation, b"version\r\n")) == memcache.LONGEST_LINE


# ── How a server is greeted that was just started ───────────────────────────────────────────────────────────────────


def state(script: Script, protocol: str = "resp", patience_s: float = ANSWERED_S, **more: str) -> ready.State:
    with FaultyServer(script) as server:
        return ready.ask(only(server.port, protocol, **more), patience_s).state


def closes_on(*commands: bytes) -> Script:
    def script(peer: Peer) -> None:
        for request in peer.requests():
            if request[0] in commands:
                return
            peer.send(good_reply(request))

    return script


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        (b"-NOPERM this user has no permissions to run the 'ping' command\r\n", ready.State.READY),
        (b"-MISCONF Errors writing to the AOF file\r\n", ready.State.READY),
        (b"-ERR unknown command 'PING'\r\n", ready.State.READY),
        (b"$4\r\nPONG\r\n", ready.State.READY),
        (b"-LOADING Redis is loading the dataset in memory\r\n", ready.State.BUSY),
        (b"-NOAUTH Authentication required.\r\n", ready.State.LOCKED),
        (b"-WRONGPASS invalid username-password pair\r\n", ready.State.LOCKED),
        (b"-DENIED Redis is running in protected mode\r\n", ready.State.UNWILLING),
        (b"-ERR max number of clients reached\r\n", ready.State.UNWILLING),
        (b":1\r\n", ready.State.FOREIGN),
        (b"ERROR\r\n", ready.State.FOREIGN),
    ],
)
def test_an_error_from_a_live_server_is_an_answer(reply: bytes, found: ready.State) -> None:
    assert state(answers(reply, to=b"PING")) is found


def test_a_proxy_that_closes_on_the_greeting_is_ready() -> None:
    assert state(closes_on(b"PING")) is ready.State.READY
    assert state(closes_on(b"version"), "memcache") is ready.State.READY
    assert state(closes_on(b"PING", b"GET")) is ready.State.SILENT
    assert state(closes_on(b"HELLO"), precheck="hello") is ready.State.SILENT


def test_without_a_precheck_a_server_is_ready_when_it_accepts_a_connection() -> None:
    for protocol in ("resp", "memcache"):
        assert state(never_answers, protocol, precheck="none") is ready.State.READY
        assert state(never_answers, protocol, PATIENCE_S) is ready.State.SILENT
    # A password is sent all the same, and its refusal is final.
    locked = answers(b"-WRONGPASS no\r\n", to=b"AUTH")
    assert state(locked, precheck="none", password="x") is ready.State.LOCKED


# ── Counters ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("protocol", ["memcache", "resp"])
def test_counters_are_the_operations_since_an_earlier_reading_of_the_same_process(protocol: str) -> None:
    with RealServer.memcached() if protocol == "memcache" else RealServer.redis() as server:
        endpoint = Endpoint(server.host, server.port, server.host)
        before = counters.read(endpoint, protocol)
        with Conversation(endpoint, ANSWERED_S) as conversation:
            if protocol == "memcache":
                for request in (
                    b"set k 0 0 1\r\n1\r\n",
                    b"get k\r\n",
                    b"incr k 1\r\n",
                    b"delete k\r\n",
                    b"delete k\r\n",
                ):
                    memcache.line(conversation, request)
            else:
                asker = Asker(conversation)
                for words in ("SETEX k 9 1", "GET k", "INCRBY k 1", "DEL k", "UNLINK k", "MGET a b"):
                    asker.ask(*words.encode().split())
        after = counters.read(endpoint, protocol)
        assert before is not None
        assert after is not None
        many = {"get_many": 1} if protocol == "resp" else {}
        assert after.since(before) == {"get": 1, "set": 1, "increment": 1, "delete": 2, **many}
        server.stop()
        assert counters.read(endpoint, protocol) is None
        server.start()
        another = counters.read(endpoint, protocol)
        assert another is not None
        assert another.since(after) is None


def test_a_server_that_says_nothing_of_counters_has_none() -> None:
    with FaultyServer(says(b"ERROR\r\n")) as server:
        assert counters.read(Endpoint("127.0.0.1", server.port, "127.0.0.1"), "memcache") is None
