"""memcache's meta commands as bytes, as memcached's doc/protocol.txt (1.6) writes them: whole, at every cut, byte by
byte, and cut short; and whose reply a reply is."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen._meta import MemcacheMeta

Said = list[str | tuple[str, str]]

CODEC = MemcacheMeta()
QUIET = MemcacheMeta(quiet=True)
VALUE = b"v" * 64


def hit(number: int = 0, value: bytes = VALUE, flags: bytes = b"") -> bytes:
    return b"VA %d O%08x%b\r\n%b\r\n" % (len(value), number, flags, value)


# Replies to the requests of a load with the numbers 0, 1, …
REPLIES: list[tuple[bytes, list[str], Said]] = [
    (hit(), ["get"], ["hit"]),
    (hit(value=b""), ["get"], ["hit"]),
    (hit(value=b"\r\n\n"), ["get"], ["hit"]),
    (hit(value=b"w" * 3000), ["get"], ["hit"]),
    (hit(flags=b" t-1 f0 s64 h1"), ["get"], ["hit"]),
    (b"EN\r\n", ["get"], ["miss"]),
    (b"EN O00000000\r\n", ["get"], ["miss"]),
    (b"HD O00000000\r\n", ["set"], ["stored"]),
    (b"NS O00000000\r\n", ["set"], ["not stored"]),
    (b"HD O00000000\r\n", ["backfill"], ["stored"]),
    (b"HD O00000000\r\n", ["delete"], ["deleted"]),
    (b"NF O00000000\r\n", ["delete"], ["not found"]),
    (b"MN\r\n", ["ping"], ["ok"]),
    (b"MN\r\n", ["noop"], ["ok"]),
    (b"STORED\r\n", ["auth"], ["ok"]),
    (
        b"CLIENT_ERROR authentication failure\r\n",
        ["auth"],
        [("error reply", "CLIENT_ERROR authentication failure")],
    ),
    (
        b"SERVER_ERROR out of memory storing object\r\n",
        ["set"],
        [("error reply", "SERVER_ERROR out of memory storing object")],
    ),
    (b"ERROR\r\n", ["get"], [("error reply", "ERROR")]),
    (b"SERVER_ERROR " + b"e" * 600 + b"\r\n", ["get"], [("error reply", "SERVER_ERROR " + "e" * 187)]),
    (hit(0) + b"HD O00000001\r\nEN\r\n" + hit(3), ["get", "set", "get", "get"], ["hit", "stored", "miss", "hit"]),
]

# Bytes that are no reply to the first request, or are the reply to another.
REFUSED: list[tuple[bytes, str]] = [
    (b"\r\n", "get"),
    (b"\n", "get"),
    (b"x" * 512, "get"),
    (b"+PONG\r\n", "ping"),
    (b"END\r\n", "get"),
    (b"HD O00000000\r\n", "get"),  # a value was asked for
    (b"HD\r\n", "set"),  # the token is missing
    (b"VA 1\r\nv\r\n", "get"),
    (b"HD O0000000\r\n", "set"),
    (b"HD O0000000G\r\n", "set"),
    (b"HD O000000000\r\n", "set"),
    (b"HD  O00000000\r\n", "set"),
    (b"HD O00000000\n", "set"),
    (b"VA\r\n", "get"),
    (b"VA x O00000000\r\n", "get"),
    (b"VA -1 O00000000\r\n", "get"),
    (b"VA 1099511627777 O00000000\r\n", "get"),
    (b"VA 5 O00000000\r\nhello!\n", "get"),
    (b"VA 5 O00000000\r\nhello\r!", "get"),
    (hit(), "set"),
    (b"EN O00000000\r\n", "set"),
    (b"NF O00000000\r\n", "set"),
    (b"NS O00000000\r\n", "delete"),
    (b"MN\r\n", "get"),
    (b"MN O00000000\r\n", "ping"),
    (b"HD O00000000\r\n", "ping"),
    (b"STORED\r\n", "set"),
    (b"MNX\r\n", "ping"),
    (b"SERVER_ERROR" + b"e" * 600 + b"\r\n", "get"),
]


def said(codec: MemcacheMeta, pieces: list[bytes], commands: list[str]) -> Said:
    decoder, line = codec.decoder(in_load=True), list(commands)
    return [reply for piece in pieces for reply in decoder.feed(piece, line)]


def bytewise(data: bytes) -> list[bytes]:
    return [data[i : i + 1] for i in range(len(data))]


def name(value: object) -> str | None:
    return repr(value[:30]) if isinstance(value, bytes) else None


@pytest.mark.parametrize(("data", "commands", "expected"), REPLIES, ids=name)
def test_a_cut_changes_nothing(data: bytes, commands: list[str], expected: Said) -> None:
    assert said(CODEC, [data], commands) == expected
    assert said(CODEC, bytewise(data), commands) == expected
    for cut in range(len(data)):
        assert said(CODEC, [data[:cut], data[cut:]], commands) == expected, cut
        so_far = said(CODEC, [data[:cut]], commands)
        assert so_far == expected[: len(so_far)] != expected, cut


@pytest.mark.parametrize(("data", "command"), REFUSED, ids=name)
def test_what_is_no_reply_is_refused_however_it_is_cut(data: bytes, command: str) -> None:
    for pieces in ([data], bytewise(data)):
        with pytest.raises(ValueError, match=f"not a reply to {command}"):
            said(CODEC, pieces, [command])


@pytest.mark.parametrize("line", [b"HD O%08x\r\n", b"NF O%08x\r\n"])
@pytest.mark.parametrize("number", [1, 2**31, 2**32 - 1])
def test_the_reply_to_another_request_shows_by_its_token(line: bytes, number: int) -> None:
    assert said(CODEC, [line % number], ["delete", "delete"]) == ["another"]
    assert said(CODEC, [hit(number)], ["get", "get"]) == ["another"]


# Silent requests.

BARRIER = b"MN\r\n"

SILENCES: list[tuple[bytes, list[str], Said]] = [
    (BARRIER, ["get", "set", "delete", "noop"], ["miss", "stored", "deleted", "ok"]),
    (hit(1) + BARRIER, ["get", "get", "get", "noop"], ["miss", "hit", "miss", "ok"]),
    (hit(0) + hit(2) + BARRIER, ["get", "get", "get", "noop"], ["hit", "miss", "hit", "ok"]),
    (b"NF O00000001\r\nNS O00000002\r\n" + BARRIER, ["set", "delete", "set", "noop"],
     ["stored", "not found", "not stored", "ok"]),
    (BARRIER + hit(3) + BARRIER, ["get", "noop", "set", "get", "noop"], ["miss", "ok", "stored", "hit", "ok"]),
    # An error has no token, and counts for the oldest request that is silent.
    (b"SERVER_ERROR out\r\n" + BARRIER, ["set", "set", "noop"], [("error reply", "SERVER_ERROR out"), "stored", "ok"]),
]  # fmt: skip


@pytest.mark.parametrize(("data", "commands", "expected"), SILENCES, ids=name)
def test_a_later_reply_says_that_requests_were_silent(data: bytes, commands: list[str], expected: Said) -> None:
    assert said(QUIET, [data], commands) == expected
    assert said(QUIET, bytewise(data), commands) == expected
    for cut in range(len(data)):
        assert said(QUIET, [data[:cut], data[cut:]], commands) == expected, cut


@pytest.mark.parametrize(
    ("data", "before"),
    [
        (hit(4), []),  # no such request is in flight
        (hit(2**32 - 1), []),
        (BARRIER + hit(0), ["miss", "miss", "ok"]),  # one that has ended
    ],
)
def test_a_reply_to_no_request_in_flight_ends_the_stream(data: bytes, before: Said) -> None:
    assert said(QUIET, [data], ["get", "get", "noop", "get"]) == [*before, "another"]


@given(st.lists(st.sampled_from(["get", "set", "delete"]), min_size=1, max_size=12), st.data())
def test_every_silent_request_has_its_own_outcome(commands: list[str], data: st.DataObject) -> None:
    loud = {"get": lambda n: (hit(n), "hit"), "set": lambda n: (b"NS O%08x\r\n" % n, "not stored"),
            "delete": lambda n: (b"NF O%08x\r\n" % n, "not found")}  # fmt: skip
    silent = {"get": "miss", "set": "stored", "delete": "deleted"}
    text, expected = b"", []
    for number, command in enumerate(commands):
        answer, outcome = loud[command](number)
        if data.draw(st.booleans()):
            text += answer
            expected.append(outcome)
        else:
            expected.append(silent[command])
    text += BARRIER
    cut = data.draw(st.integers(0, len(text)))
    assert said(QUIET, [text[:cut], text[cut:]], [*commands, "noop"]) == [*expected, "ok"]


@given(st.permutations(range(6)), st.booleans())
def test_replies_out_of_step_never_pass_for_those_in_step(order: list[int], quiet: bool) -> None:
    codec = QUIET if quiet else CODEC
    replies = said(codec, [b"".join(map(hit, order)) + BARRIER], ["get"] * 6 + ["noop"])
    if order == sorted(order):
        assert replies == ["hit"] * 6 + ["ok"]
    else:
        assert replies[-1] == "another"
        assert "ok" not in replies


# Requests.


@pytest.mark.parametrize("length", [*range(1, 20), 64, 250])
def test_requests_are_those_of_the_protocol(length: int) -> None:
    for value in (b"", b"v" * 64, b"v" * 3000):
        codec = MemcacheMeta(length, len(value))
        key = f"{10:0{length}x}".encode()
        for number in (0, 0x12AB):
            token = b"O%08x" % number
            assert codec.encoded("get", 10, number=number) == b"mg %b v %b\r\n" % (key, token)
            assert codec.encoded("delete", 10, number=number) == b"md %b %b\r\n" % (key, token)
            stored = codec.encoded("set", 10, value, number=number)
            assert stored == b"ms %b %d %b\r\n%b\r\n" % (key, len(value), token, value)
            assert len(stored) <= codec.longest
        assert codec.encoded("ping") == codec.encoded("noop") == b"mn\r\n"


def test_only_requests_of_a_load_are_quiet() -> None:
    codec = MemcacheMeta(4, 3, quiet=True, ttl_s=60)
    for phase, end in (("precheck", b""), ("prefill", b""), ("warmup", b" q"), ("measure", b" q")):
        assert codec.encoded("get", 1, phase=phase) == b"mg 0001 v O00000000" + end + b"\r\n"
        assert codec.encoded("set", 1, b"abc", phase=phase) == b"ms 0001 3 O00000000 T60" + end + b"\r\nabc\r\n"
        assert codec.encoded("delete", 1, phase=phase) == b"md 0001 O00000000" + end + b"\r\n"
        assert codec.encoded("noop", phase=phase) == b"mn\r\n"


@given(key=st.integers(0, 2**64 - 1), length=st.integers(16, 146), prefix=st.text("abc:_", max_size=40).map(str.encode))
def test_a_key_in_base64_is_the_key(key: int, length: int, prefix: bytes) -> None:
    length += len(prefix)
    codec = MemcacheMeta(length, 3, prefix=prefix, base64_keys=True)
    whole = prefix + f"{key:0{length - len(prefix)}x}".encode()
    sent = base64.b64encode(whole)
    assert codec.encoded("get", key) == b"mg %b v O00000000 b\r\n" % sent
    assert codec.encoded("delete", key) == b"md %b O00000000 b\r\n" % sent
    assert codec.encoded("set", key, b"abc") == b"ms %b 3 O00000000 b\r\nabc\r\n" % sent
    assert len(codec.encoded("set", key, b"abc")) <= codec.longest


def test_flags_are_asked_for_and_a_returned_key_is_compared() -> None:
    codec = MemcacheMeta(4, 3, get_flags="tvf", return_key=True, opaque=False)
    assert codec.encoded("get", 0) == b"mg 0000 v t f k\r\n"
    reply = b"VA 3 t-1 f0 k%b\r\nabc\r\n"
    assert said(codec, [reply % b"0000"], ["get"]) == ["hit"]
    assert said(codec, [reply % b"0001"], ["get"]) == ["another"]
    encoded = MemcacheMeta(4, 3, return_key=True, base64_keys=True)
    assert encoded.encoded("get", 0) == b"mg MDAwMA== v O00000000 k b\r\n"
    assert said(encoded, [b"VA 3 O00000000 kMDAwMA== b\r\nabc\r\n"], ["get"]) == ["hit"]
    assert said(encoded, [b"VA 3 O00000000 kMDAwMQ== b\r\nabc\r\n"], ["get"]) == ["another"]


def test_without_the_flag_v_a_hit_has_no_value() -> None:
    codec = MemcacheMeta(4, 3, get_flags="s")
    assert codec.encoded("get", 0) == b"mg 0000 O00000000 s\r\n"
    assert said(codec, [b"HD O00000000 s3\r\n"], ["get"]) == ["hit"]
    with pytest.raises(ValueError, match="not a reply"):
        said(codec, [b"VA 3 O00000000 s3\r\nabc\r\n"], ["get"])


def test_a_log_in_is_the_set_that_memcached_takes_for_one() -> None:
    assert MemcacheMeta(username="us", password="pä s").encoded("auth") == b"set auth 0 0 8\r\nus p\xc3\xa4 s\r\n"


def test_what_cannot_be_is_refused() -> None:
    for keyspace in (
        {"key_length": 0},
        {"key_length": 251},
        {"value_bytes": -1},
        {"key_length": 187, "base64_keys": True},
    ):
        with pytest.raises(ValueError, match="no keyspace"):
            MemcacheMeta(**keyspace)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="without opaque"):
        MemcacheMeta(quiet=True, opaque=False)
