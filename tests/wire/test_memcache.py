"""memcache's text protocol as bytes: each reply whole, at every cut, byte by byte, with more behind, and cut short."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen._memcache import Memcache

Said = list[str | tuple[str, str]]

CODEC = Memcache()
VALUE = b"VALUE 0123456789abcdef 0 64\r\n" + b"v" * 64 + b"\r\nEND\r\n"

REPLIES: list[tuple[bytes, str, Said]] = [
    (VALUE, "get", ["hit"]),
    (b"VALUE k 0 0\r\n\r\nEND\r\n", "get", ["hit"]),
    (b"VALUE k 4294967295 1\r\n\n\r\nEND\r\n", "get", ["hit"]),
    (b"VALUE k 0 5 18446744073709551615\r\nhello\r\nEND\r\n", "get", ["hit"]),
    (b"VALUE k 0 7\r\n\r\nEND\r\n\r\nEND\r\n", "get", ["hit"]),
    (b"VALUE " + b"k" * 250 + b" 0 2\r\n\r\n\r\nEND\r\n", "get", ["hit"]),
    (b"VALUE " + b"k" * 500 + b" 0 2\r\n\r\n\r\nEND\r\n", "get", ["hit"]),  # 511 bytes of line
    (b"END\r\n", "get", ["miss"]),
    (b"STORED\r\n", "set", ["stored"]),
    (b"STORED\r\n", "backfill", ["stored"]),
    (b"NOT_STORED\r\n", "set", ["not stored"]),
    (b"DELETED\r\n", "delete", ["deleted"]),
    (b"NOT_FOUND\r\n", "delete", ["not found"]),
    (b"VERSION 1.6.18\r\n", "ping", ["ok"]),
    (10 * b"VALUE k 0 2\r\n\r\n\r\n" + b"END\r\n", "mget", ["all found"]),
    (9 * b"VALUE k 0 5 18446744073709551615\r\nhello\r\n" + b"END\r\n", "mget", ["some missing"]),
    (b"END\r\n", "mget", ["some missing"]),
    (b"SERVER_ERROR busy\r\n", "mget", [("error reply", "SERVER_ERROR busy")]),
    (b"VALUE k 0 1\r\na\r\nSERVER_ERROR out\r\n", "mget", [("error reply", "SERVER_ERROR out")]),
    (b"SERVER_ERROR " + b"e" * 600 + b"\r\n", "mget", [("error reply", "SERVER_ERROR " + "e" * 187)]),
    (b"1\r\n", "incr", ["ok"]),
    (b"18446744073709551615\r\n", "incr", ["ok"]),
    (b"9 \r\n", "incr", ["ok"]),
    (b"NOT_FOUND\r\n", "incr", ["no counter"]),
    (b"CLIENT_ERROR cannot increment\r\n", "incr", [("error reply", "CLIENT_ERROR cannot increment")]),
    (b"STORED\r\n", "add", ["stored"]),
    (b"NOT_STORED\r\n", "add", ["not stored"]),
    (b"ERROR\r\n", "get", [("error reply", "ERROR")]),
    (b"ERROR Too many open connections\r\n", "ping", [("error reply", "ERROR Too many open connections")]),
    (b"CLIENT_ERROR bad data chunk\r\n", "set", [("error reply", "CLIENT_ERROR bad data chunk")]),
    (
        b"SERVER_ERROR out of memory storing object\r\n",
        "set",
        [("error reply", "SERVER_ERROR out of memory storing object")],
    ),
    (b"SERVER_ERROR\r\n", "delete", [("error reply", "SERVER_ERROR")]),
    (b"SERVER_ERROR " + b"e" * 497 + b"\r\n", "get", [("error reply", "SERVER_ERROR " + "e" * 187)]),
    (b"SERVER_ERROR " + b"e" * 498 + b"\r\n", "get", [("error reply", "SERVER_ERROR " + "e" * 187)]),
    (b"CLIENT_ERROR " + b"e\r" * 400 + b"\r\n", "set", [("error reply", "CLIENT_ERROR " + "e\r" * 93 + "e")]),
    (VALUE + b"END\r\n" + VALUE, "get", ["hit", "miss", "hit"]),
]

REFUSED: list[tuple[bytes, str]] = [
    (b"\r\n", "get"),
    (b"\n", "get"),
    (b"+PONG\r\n", "ping"),
    (b"-ERR unknown command 'version'\r\n", "ping"),
    (b"x" * 512, "get"),
    (b"HTTP/1.1 400 Bad Request\r\n", "get"),
    # Several keys, and counters.
    (b"END\n", "mget"),
    (b"STORED\r\n", "mget"),
    (b"VALUE k 0 1\r\nab\r\n", "mget"),
    (b"VALUE k 0 1\r\na\r\nSTORED\r\n", "mget"),
    (b"VALUE k 0 1\r\na\r\nVALUE k 0 x\r\n", "mget"),
    (b"STORED\r\n", "incr"),
    (b"-1\r\n", "incr"),
    (b"111111111111111111111\r\n", "incr"),
    (b"1x\r\n", "incr"),
    # Line ends.
    (b"END\n", "get"),
    (b"STORED\n", "set"),
    (b"VALUE k 0 5\nhello\r\nEND\r\n", "get"),
    (b"VALUE k 0 5\rjunk\r\nhello\r\nEND\r\n", "get"),
    (b"VALUE k 0 5\r\nhello!\nEND\r\n", "get"),
    (b"VALUE k 0 5\r\nhello\r!END\r\n", "get"),
    (b"VALUE k 0 5\r\nhello world\r\nEND\r\n", "get"),
    (b"SERVER_ERROR " + b"e" * 600 + b"\n", "get"),
    # The line of a value.
    (b"VALUE k\r\n", "get"),
    (b"VALUE k 0\r\n", "get"),
    (b"VALUE k 0 \r\n", "get"),
    (b"VALUE k 0 x\r\n", "get"),
    (b"VALUE k 0 -1\r\n", "get"),
    (b"VALUE k -1 5\r\n", "get"),
    (b"VALUE k 0  5\r\n", "get"),
    (b"VALUE k 0 5x\r\n", "get"),
    (b"VALUE k 0 5 7 9\r\n", "get"),
    (b"VALUE k 0 5 cas\r\n", "get"),
    (b"VALUE k 0 1099511627777\r\n", "get"),
    (b"VALUE k 0 18446744073709551621\r\nhello\r\nEND\r\n", "get"),
    (b"VALUE " + b"k" * 501 + b" 0 2\r\n\r\n\r\nEND\r\n", "get"),
    # What follows a value.
    (b"VALUE k 0 5\r\nhello\r\nVALUE l 0 5\r\nhello\r\nEND\r\n", "get"),
    (b"VALUE k 0 5\r\nhello\r\nEND \r\n", "get"),
    (b"VALUE k 0 5\r\nhello\r\nERROR\r\n", "get"),
    # memcache, but nothing that answers the command: the replies are out of step.
    (b"STORED\r\n", "get"),
    (b"NOT_FOUND\r\n", "get"),
    (VALUE, "set"),
    (b"END\r\n", "set"),
    (b"DELETED\r\n", "set"),
    (b"NOT_FOUND\r\n", "set"),
    (b"STORED\r\n", "delete"),
    (b"END\r\n", "delete"),
    (b"VERSION\r\n", "ping"),
    (b"VERSIONS 1\r\n", "ping"),
    (b"VERSION " + b"1" * 600 + b"\r\n", "ping"),
    (b"OK\r\n", "ping"),
    (b"ENDING\r\n", "get"),
    (b"END\r\r\n", "get"),
    (b"CLIENT_ERRO\r\n", "get"),
    (b"ERRORS\r\n", "get"),
    (b"ERROR\rS\r\n", "get"),
    (b"SERVER_ERROR" + b"e" * 600 + b"\r\n", "get"),
]


def said(pieces: Iterable[bytes], command: str) -> Said:
    decoder = CODEC.decoder()
    return [reply for piece in pieces for reply in decoder.feed(piece, command)]


def bytewise(data: bytes) -> list[bytes]:
    return [data[i : i + 1] for i in range(len(data))]


def name(value: object) -> str | None:
    return repr(value[:30]) if isinstance(value, bytes) else None


replies = pytest.mark.parametrize(("data", "command", "expected"), REPLIES, ids=name)
refused = pytest.mark.parametrize(("data", "command"), REFUSED, ids=name)


@replies
def test_a_whole_reply_says_what_it_says(data: bytes, command: str, expected: Said) -> None:
    assert said([data], command) == expected


@replies
def test_a_cut_changes_nothing(data: bytes, command: str, expected: Said) -> None:
    for cut in range(len(data) + 1):
        assert said([data[:cut], data[cut:]], command) == expected, cut
    assert said(bytewise(data), command) == expected
    assert said([b"", *(piece for byte in bytewise(data) for piece in (byte, b""))], command) == expected


@replies
def test_a_reply_cut_short_says_nothing_yet(data: bytes, command: str, expected: Said) -> None:
    for cut in range(len(data)):
        for pieces in ([data[:cut]], bytewise(data[:cut])):
            so_far = said(pieces, command)
            assert len(so_far) < len(expected), cut
            assert so_far == expected[: len(so_far)], cut


@replies
def test_bytes_behind_a_reply_wait_for_their_own_end(data: bytes, command: str, expected: Said) -> None:
    for behind in (data, b"SERVER_ERROR " + b"e" * 600 + b"\r\n"):
        after = said([behind], command)
        for cut in range(len(behind)):
            decoder = CODEC.decoder()
            first = decoder.feed(data + behind[:cut], command)
            assert first[: len(expected)] == expected
            assert len(first) < len(expected) + len(after)
            assert first + decoder.feed(behind[cut:], command) == expected + after


@refused
def test_what_is_no_reply_is_refused_however_it_is_cut(data: bytes, command: str) -> None:
    for pieces in ([data], bytewise(data), *([data[:cut], data[cut:]] for cut in range(1, len(data)))):
        with pytest.raises(ValueError, match=f"not a reply to {command}"):
            said(pieces, command)


def test_a_reply_to_no_request_is_refused() -> None:
    decoder = CODEC.decoder()
    line = ["get", "set"]
    assert decoder.feed(b"END\r\nSTORED\r\n", line) == ["miss", "stored"]
    assert line == []
    with pytest.raises(ValueError, match="not a reply to no request"):
        decoder.feed(b"ERROR\r\n", line)


def test_a_value_larger_than_any_read_is_passed_over_without_being_kept() -> None:
    decoder = CODEC.decoder()
    assert decoder.feed(b"VALUE k 0 536870912\r\n", "get") == []
    for _ in range(8):
        assert decoder.feed(b"\n" * (1 << 26), "get") == []
    assert decoder.feed(b"\r", "get") == []
    assert decoder.feed(b"\nEND\r\nEND\r\n", "get") == ["hit", "miss"]


def test_an_endless_error_line_is_not_kept() -> None:
    decoder = CODEC.decoder()
    assert decoder.feed(b"SERVER_ERROR " + b"e" * 100_000, "get") == []
    for _ in range(100):
        assert decoder.feed(b"e" * 100_000 + b"\r", "get") == []
    assert decoder.feed(b"\n", "get") == [("error reply", "SERVER_ERROR " + "e" * 187)]


# Requests, as memcached's doc/protocol.txt writes them.


@pytest.mark.parametrize("length", range(1, 65))
def test_a_key_is_its_id_in_hex_at_any_length(length: int) -> None:
    codec = Memcache(key_length=length, value_bytes=3)
    most = 16 ** min(length, 16) - 1
    for key in {0, 1, 9, 10, 15, most // 3, most - 1, most, 0x0123456789ABCDEF & most, 0xFEDCBA9876543210 & most}:
        text = f"{key:0{length}x}".encode()
        assert codec.encoded("get", key) == b"get " + text + b"\r\n"
        assert codec.encoded("delete", key) == b"delete " + text + b"\r\n"
        assert codec.encoded("set", key, b"a\r\n") == b"set " + text + b" 0 0 3\r\na\r\n\r\n"
        assert codec.encoded("backfill", key, b"\0\xff\n") == b"set " + text + b" 0 0 3\r\n\0\xff\n\r\n"


@pytest.mark.parametrize("ttl_s", [1, 30 * 24 * 3600])
def test_a_key_that_expires_is_written_with_its_time_to_live(ttl_s: int) -> None:
    for length in (1, 17):
        for value in (b"", b"v" * 64, b"v" * 3000):
            codec = Memcache(length, len(value), ttl_s=ttl_s)
            request = codec.encoded("set", 5, value)
            assert request == f"set {5:0{length}x} 0 {ttl_s} {len(value)}\r\n".encode() + value + b"\r\n"
            assert len(request) <= codec.longest


@pytest.mark.parametrize("length", [1, 16, 17])
def test_a_value_is_sent_whole_at_any_length(length: int) -> None:
    for value in (bytes(range(size)) for size in range(140)):
        codec = Memcache(key_length=length, value_bytes=len(value))
        assert codec.encoded("set", 5, value) == f"set {5:0{length}x} 0 0 {len(value)}\r\n".encode() + value + b"\r\n"


@given(key=st.integers(0, 2**64 - 1), length=st.integers(16, 250), value=st.binary(max_size=3000))
def test_any_set_carries_its_key_length_and_value(key: int, length: int, value: bytes) -> None:
    codec = Memcache(key_length=length, value_bytes=len(value))
    request = codec.encoded("set", key, value)
    assert request == f"set {key:0{length}x} 0 0 {len(value)}\r\n".encode() + value + b"\r\n"
    assert len(request) <= codec.longest


def test_a_ping_asks_for_the_version() -> None:
    assert Memcache(key_length=1, value_bytes=0).encoded("ping") == b"version\r\n"


@pytest.mark.parametrize(("command", "value"), [("set", b""), ("set", b"v" * 65), ("delete", b"v")])
def test_a_value_of_another_length_is_refused(command: str, value: bytes) -> None:
    with pytest.raises(ValueError, match=f"{command} takes a value of {64 if command == 'set' else 0} bytes"):
        CODEC.encoded(command, 1, value)


def test_a_keyspace_that_cannot_be_is_refused() -> None:
    for key_length, value_bytes in ((0, 64), (-1, 64), (16, -1)):
        with pytest.raises(ValueError, match="no keyspace"):
            Memcache(key_length, value_bytes)


# Silent requests: sets and deletes of a load, with `noreply`.

QUIET = Memcache(4, 3, quiet=True, ttl_s=60)
BARRIER = b"VERSION 1.6.18\r\n"

SILENCES: list[tuple[bytes, list[str], Said]] = [
    (BARRIER, ["set", "delete", "backfill", "noop"], ["stored", "deleted", "stored", "ok"]),
    (b"END\r\n" + BARRIER, ["set", "get", "delete", "noop"], ["stored", "miss", "deleted", "ok"]),
    (b"VALUE 0000 0 3\r\nabc\r\nEND\r\n", ["set", "get"], ["stored", "hit"]),
    (b"NOT_FOUND\r\n7\r\n", ["add", "incr", "set", "incr"], ["stored", "no counter", "stored", "ok"]),
    (
        b"SERVER_ERROR out of memory\r\nERROR\r\n" + BARRIER,
        ["set", "set", "set", "noop"],
        [("error reply", "SERVER_ERROR out of memory"), ("error reply", "ERROR"), "stored", "ok"],
    ),
]


@pytest.mark.parametrize(("data", "commands", "expected"), SILENCES, ids=name)
def test_a_later_reply_says_that_requests_were_silent(data: bytes, commands: list[str], expected: Said) -> None:
    for cut in range(len(data)):
        decoder, line = QUIET.decoder(in_load=True), list(commands)
        assert decoder.feed(data[:cut], line) + decoder.feed(data[cut:], line) == expected, cut
    decoder, line = QUIET.decoder(in_load=True), list(commands)
    assert [reply for byte in bytewise(data) for reply in decoder.feed(byte, line)] == expected


@pytest.mark.parametrize("data", [b"STORED\r\n", b"DELETED\r\n", b"EXISTS\r\n", b"x" * 512, b"OK\r\n", b"MN\r\n"])
def test_what_answers_nobody_ends_no_silence(data: bytes) -> None:
    def feed(pieces: list[bytes]) -> None:
        decoder, line = QUIET.decoder(in_load=True), ["set", "get", "noop"]
        for piece in pieces:
            decoder.feed(piece, line)

    for pieces in ([data], bytewise(data)):
        with pytest.raises(ValueError, match="not a reply to set"):
            feed(pieces)


def test_only_sets_and_deletes_of_a_load_are_without_a_reply() -> None:
    for phase, end in (("precheck", b""), ("prefill", b""), ("warmup", b" noreply"), ("measure", b" noreply")):
        for codec, value in ((QUIET, b"abc"), (Memcache(4, 3000, quiet=True, ttl_s=60), b"v" * 3000)):
            stored = codec.encoded("set", 1, value, phase=phase)
            assert stored == b"set 0001 0 60 %d%b\r\n%b\r\n" % (len(value), end, value)
            assert len(stored) + len(b"version\r\n") <= codec.longest
            assert codec.encoded("delete", 1, phase=phase) == b"delete 0001" + end + b"\r\n"
            assert codec.encoded("get", 1, phase=phase) == b"get 0001\r\n"
            assert codec.encoded("noop", phase=phase) == b"version\r\n"


def test_a_log_in_is_the_set_that_memcached_takes_for_one() -> None:
    codec = Memcache(username="us", password="p" * 300)
    assert codec.encoded("auth") == b"set auth 0 0 303\r\nus " + b"p" * 300 + b"\r\n"
    assert codec.longest >= len(codec.encoded("auth"))
    assert codec.decoder().feed(b"STORED\r\n", "auth") == ["ok"]
    assert codec.decoder().feed(b"CLIENT_ERROR authentication failure\r\n", "auth") == [
        ("error reply", "CLIENT_ERROR authentication failure")
    ]
