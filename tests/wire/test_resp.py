"""RESP2 and RESP3 as bytes: each reply whole, at every cut, byte by byte, with more behind it, and cut short."""

from collections.abc import Iterable

import hiredis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen._resp import Resp

Said = list[str | tuple[str, str]]

CODEC = Resp()
VALUE = b"v" * 64
EVERY_TYPE = (
    b"+status\r\n-ERR in an element\r\n:-7\r\n,3.25\r\n#t\r\n(12345678901234567890123\r\n_\r\n$4\r\n\r\n\r\n\r\n"
    b"=8\r\ntxt:text\r\n!5\r\nERR x\r\n$-1\r\n*-1\r\n$0\r\n\r\n*0\r\n%0\r\n~0\r\n*2\r\n:1\r\n*1\r\n+deep\r\n"
    b"%1\r\n+key\r\n~2\r\n:1\r\n:2\r\n|1\r\n+ttl\r\n:3600\r\n+what it belongs to\r\n:0\r\n"
)  # 20 elements: what an attribute says is none
PUSH = b">3\r\n$7\r\nmessage\r\n+channel\r\n$5\r\nhello\r\n"
ATTRIBUTE = b"|2\r\n+popularity\r\n%1\r\n$1\r\na\r\n,0.19\r\n+server\r\n*2\r\n:1\r\n_\r\n"
HELLO_RESP2 = (
    b"*14\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$6\r\n7.0.15\r\n$5\r\nproto\r\n:2\r\n$2\r\nid\r\n:3\r\n"
    b"$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n"
)
HELLO_RESP3 = b"%7" + HELLO_RESP2[3:].replace(b":2\r\n", b":3\r\n", 1)

MANY = b"*10\r\n"
REPLIES: list[tuple[bytes, str, Said]] = [
    (MANY + 10 * (b"$64\r\n" + VALUE + b"\r\n"), "mget", ["all found"]),
    (MANY + 9 * b"$1\r\na\r\n" + b"$-1\r\n", "mget", ["some missing"]),
    (MANY + b"_\r\n" + 9 * b"$0\r\n\r\n", "mget", ["some missing"]),
    (MANY + 10 * b"$-1\r\n", "mget", ["some missing"]),
    (MANY + 5 * b"$6\r\n$-1\r\n+\r\n$-1\r\n", "mget", ["some missing"]),
    (b"-CROSSSLOT Keys in request\r\n", "mget", [("error reply", "CROSSSLOT Keys in request")]),
    (b"+OK\r\n", "mset", ["all stored"]),
    (b"-TRYAGAIN Multiple keys\r\n", "mset", [("error reply", "TRYAGAIN Multiple keys")]),
    (b":1\r\n", "incr", ["ok"]),
    (b":0\r\n", "incr", ["ok"]),
    (b":-9223372036854775808\r\n", "incr", ["ok"]),
    (b"-ERR value is not an integer\r\n", "incr", [("error reply", "ERR value is not an integer")]),
    (b"$64\r\n" + VALUE + b"\r\n", "get", ["hit"]),
    (b"$0\r\n\r\n", "get", ["hit"]),
    (b"$1\r\n\n\r\n", "get", ["hit"]),
    (b"$9\r\n\r\n$-1\r\n\r\n\r\n", "get", ["hit"]),
    (b"=8\r\ntxt:text\r\n", "get", ["hit"]),
    (b"$-1\r\n", "get", ["miss"]),
    (b"_\r\n", "get", ["miss"]),
    (b"+OK\r\n", "set", ["stored"]),
    (b"+OK\r\n", "backfill", ["stored"]),
    (b"$-1\r\n", "set", ["not stored"]),
    (b"_\r\n", "backfill", ["not stored"]),
    (b":1\r\n", "delete", ["deleted"]),
    (b":12\r\n", "delete", ["deleted"]),
    (b":0\r\n", "delete", ["not found"]),
    (b":-1\r\n", "delete", ["not found"]),
    (b":1099511627777\r\n", "delete", ["deleted"]),
    (b":9223372036854775807\r\n", "delete", ["deleted"]),
    (b":-9223372036854775808\r\n", "delete", ["not found"]),
    (b"*-1\r\n", "get", ["miss"]),
    (b"*-1\r\n", "set", ["not stored"]),
    (b"$0\r\n\r\n", "get", ["hit"]),
    (b"+PONG\r\n", "ping", ["ok"]),
    (b"+\r\n", "ping", ["ok"]),
    (b"$4\r\nPONG\r\n", "ping", ["ok"]),
    (b"+OK\r\n", "auth", ["ok"]),
    (HELLO_RESP2, "hello", ["ok"]),
    (HELLO_RESP3, "hello", ["ok"]),
    (b"*0\r\n", "hello", ["ok"]),
    (b"*20\r\n" + EVERY_TYPE, "hello", ["ok"]),
    (b"%10\r\n" + EVERY_TYPE, "hello", ["ok"]),
    (b"~20\r\n" + EVERY_TYPE, "hello", ["ok"]),
    (b"-ERR unknown command\r\n", "get", [("error reply", "ERR unknown command")]),
    (b"-\r\n", "set", [("error reply", "")]),
    (
        b"-OOM command not allowed when used memory > 'maxmemory'.\r\n",
        "set",
        [("error reply", "OOM command not allowed when used memory > 'maxmemory'.")],
    ),
    (b"-NOAUTH Authentication required.\r\n", "hello", [("error reply", "NOAUTH Authentication required.")]),
    (b"!21\r\nSYNTAX invalid syntax\r\n", "get", [("error reply", "SYNTAX invalid syntax")]),
    (b"!0\r\n\r\n", "delete", [("error reply", "")]),
    (b"!300\r\n" + b"e" * 300 + b"\r\n", "get", [("error reply", "e" * 200)]),
    (b"-" + b"e" * 509 + b"\r\n", "get", [("error reply", "e" * 200)]),
    (b"-" + b"e" * 510 + b"\r\n", "get", [("error reply", "e" * 200)]),
    (b"-" + b"e" * 511 + b"\r\n", "get", [("error reply", "e" * 200)]),
    (b"+" + b"p" * 509 + b"\r\n", "ping", ["ok"]),
    (PUSH + b"$-1\r\n", "get", ["push", "miss"]),
    (PUSH + PUSH + b":1\r\n" + PUSH + b":0\r\n", "delete", ["push", "push", "deleted", "push", "not found"]),
    (b">0\r\n+OK\r\n", "set", ["push", "stored"]),
    (b">20\r\n" + EVERY_TYPE + b"-ERR no\r\n", "get", ["push", ("error reply", "ERR no")]),
    (ATTRIBUTE + b"$2\r\nhi\r\n", "get", ["hit"]),
    (b"|10\r\n" + EVERY_TYPE + b"+OK\r\n", "set", ["stored"]),
    (ATTRIBUTE + b"|0\r\n" + ATTRIBUTE + b"_\r\n", "get", ["miss"]),
    (PUSH + ATTRIBUTE + PUSH + b"!3\r\nERR\r\n", "get", ["push", "push", ("error reply", "ERR")]),
    (ATTRIBUTE + HELLO_RESP3, "hello", ["ok"]),
]

REFUSED: list[tuple[bytes, str]] = [
    # No RESP at all.
    (b"\r\n", "get"),
    (b"\n", "get"),
    (b"\0", "get"),
    (b"HTTP/1.1 400 Bad Request\r\n\r\n", "get"),
    (b"STORED\r\n", "set"),
    (b"\x16\x03\x01\x02\x00", "ping"),
    # Several keys, and counters.
    (b"*-1\r\n", "mget"),
    (b"*0\r\n", "mget"),
    (b"*11\r\n", "mget"),
    (b"~10\r\n", "mget"),
    (b"+OK\r\n", "mget"),
    (b"$1\r\na\r\n", "mget"),
    (MANY + b":1\r\n", "mget"),
    (MANY + b"$-2\r\n", "mget"),
    (MANY + b"$01\r\na\r\n", "mget"),
    (MANY + b"$1\r\nab\r\n", "mget"),
    (MANY + b"$1\r\na\n\r\n", "mget"),
    (b"+QUEUED\r\n", "mset"),
    (b"$-1\r\n", "mset"),
    (b"+OK\r\n", "incr"),
    (b":1.5\r\n", "incr"),
    (b"$1\r\n1\r\n", "incr"),
    # Line ends.
    (b"+OK\n", "set"),
    (b"$\n", "get"),
    (b"+\n", "ping"),
    (b"-ERR\n", "get"),
    (b"-" + b"e" * 600 + b"\n", "get"),
    (b"$5X\nhello\r\n", "get"),
    (b"$5\rX\nhello\r\n", "get"),
    (b"$5\r\nhello!\n", "get"),
    (b"$5\r\nhello\r!", "get"),
    (b"$5\r\nhello world\r\n", "get"),
    (b"!5\r\nhello!\n", "get"),
    (b">1\r\n$5\r\nhelloXX$-1\r\n", "get"),
    (b">1\r\n$5\r\nhello\rX", "get"),
    (b"*1\r\n:1\n", "hello"),
    # Lengths.
    (b"$\r\n", "get"),
    (b"$-\r\n", "get"),
    (b"$-2\r\n", "get"),
    (b"$-1x\r\n", "get"),
    (b"$+5\r\nhello\r\n", "get"),
    (b"$ 5\r\nhello\r\n", "get"),
    (b"$0x5\r\nhello\r\n", "get"),
    (b"$5 \r\nhello\r\n", "get"),
    (b"$1099511627777\r\n", "get"),
    (b"$9223372036854775807\r\n", "get"),
    (b"$18446744073709551621\r\nhello\r\n", "get"),
    (b"$" + b"9" * 400 + b"\r\n", "get"),
    (b"!-1\r\n", "get"),
    (b"*-1\r\n", "hello"),
    (b"*2147483649\r\n", "hello"),
    (b"%9223372036854775807\r\n", "hello"),
    (b">-1\r\n", "get"),
    (b"|-1\r\n", "get"),
    (b":\r\n", "delete"),
    (b":one\r\n", "delete"),
    (b":9223372036854775808\r\n", "delete"),
    (b":-9223372036854775809\r\n", "delete"),
    (b":" + b"9" * 400 + b"\r\n", "delete"),
    (b":1x\r\n", "delete"),
    # Numbers as nobody spells them.
    (b":01\r\n", "delete"),
    (b":-01\r\n", "delete"),
    (b":-0\r\n", "delete"),
    (b":+1\r\n", "delete"),
    (b"$-01\r\n", "get"),
    (b"*-01\r\n", "get"),
    (b"$05\r\nhello\r\n", "get"),
    (b"$00\r\n\r\n", "get"),
    (b"*01\r\n:1\r\n", "hello"),
    (b"*1\r\n$05\r\nhello\r\n", "hello"),
    (b"*1\r\n*-01\r\n", "hello"),
    # A CR within a line.
    (b"+PONG\r+PONG\r\n", "ping"),
    (b"+\r\r\n", "ping"),
    (b"-ERR\r+OK\r\n", "set"),
    (b"-ERR " + b"e\r" * 400 + b"\r\n", "get"),
    (b"-ERR " + b"e" * 600 + b"\re\r\n", "get"),
    (b"*1\r\n+a\rb\r\n", "hello"),
    # Streamed types, which no server sends unasked.
    (b"$?\r\n;4\r\nHell\r\n;0\r\n", "get"),
    (b"*?\r\n:1\r\n.\r\n", "hello"),
    # Lines that are longer than anything RESP has.
    (b"+" + b"p" * 510 + b"\r\n", "ping"),
    (b"$" + b"0" * 600, "get"),
    (b">1\r\n+" + b"p" * 510 + b"\r\n", "get"),
    (b"*1\r\n-" + b"e" * 510 + b"\r\n", "hello"),
    # Inside an aggregate.
    (b"*1\r\n\r\n", "hello"),
    (b"*1\r\n\n", "hello"),
    (b"*1\r\nxyz\r\n", "hello"),
    (b"*1\r\n$-2\r\n", "hello"),
    (b"*1\r\n*1099511627777\r\n", "hello"),
    (b"*1\r\n" + PUSH, "hello"),
    (b"*2147483648\r\n" + b"*2147483648\r\n" * 600, "hello"),
    # RESP, but nothing that answers the command: the replies are out of step.
    (b"+OK\r\n", "get"),
    (b":1\r\n", "get"),
    (b"*1\r\n$1\r\na\r\n", "get"),
    (b"*-1\r\n", "delete"),
    (b"*-1\r\n", "ping"),
    (b",1.5\r\n", "get"),
    (b"#t\r\n", "get"),
    (b"(123\r\n", "get"),
    (b"+PONG\r\n", "set"),
    (b"+QUEUED\r\n", "set"),
    (b"$2\r\nOK\r\n", "set"),
    (b":1\r\n", "set"),
    (b"$1\r\n1\r\n", "delete"),
    (b"+OK\r\n", "delete"),
    (b"$-1\r\n", "delete"),
    (b"_\r\n", "ping"),
    (b"$-1\r\n", "ping"),
    (b"+OK\r\n", "hello"),
    (b"$2\r\nOK\r\n", "hello"),
    (b"_x\r\n", "get"),
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
    for behind in (data, b"-ERR " + b"e" * 600 + b"\r\n"):
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


def test_a_reply_to_no_request_is_refused_and_a_push_is_not() -> None:
    decoder = CODEC.decoder()
    line = ["get", "set"]
    assert decoder.feed(b"$-1\r\n+OK\r\n" + PUSH, line) == ["miss", "stored", "push"]
    assert line == []
    with pytest.raises(ValueError, match="not a reply to no request"):
        decoder.feed(b"+PONG\r\n", line)


def test_replies_before_a_refusal_are_not_lost() -> None:
    replies: Said = []
    with pytest.raises(ValueError, match="not a reply to delete"):
        CODEC.decoder().feed(b"$-1\r\n$-1\r\n$-1\r\n", ["get", "set", "delete"], replies)
    assert replies == ["miss", "not stored"]


def test_a_body_larger_than_any_read_is_passed_over_without_being_kept() -> None:
    decoder = CODEC.decoder()
    assert decoder.feed(b"$536870912\r\n", "get") == []
    for _ in range(8):
        assert decoder.feed(b"\n" * (1 << 26), "get") == []
    assert decoder.feed(b"\r", "get") == []
    assert decoder.feed(b"\n$-1\r\n", "get") == ["hit", "miss"]


def test_no_number_of_attributes_exhausts_the_stack() -> None:
    assert said([b"|0\r\n" * 1_000_000 + b"$-1\r\n"], "get") == ["miss"]


def test_no_depth_exhausts_the_stack() -> None:
    assert said([b"*1\r\n" * 1_000_000 + b":1\r\n"], "hello") == ["ok"]


def test_an_endless_error_line_is_not_kept() -> None:
    decoder = CODEC.decoder()
    assert decoder.feed(b"-ERR " + b"e" * 100_000, "get") == []
    for _ in range(100):
        assert decoder.feed(b"e" * 100_000, "get") == []
    assert decoder.feed(b"\r", "get") == []
    assert decoder.feed(b"\n", "get") == [("error reply", "ERR " + "e" * 196)]


def test_an_error_that_is_not_utf_8_keeps_every_byte() -> None:
    assert said([b"-ERR \xff\xfe\0\r\n"], "get") == [("error reply", "ERR \xff\xfe\0")]


# Requests.


def packed(*words: str | bytes) -> bytes:
    request: bytes = hiredis.pack_command(words)  # type: ignore[arg-type]  # its stub means a tuple of one
    return request


@pytest.mark.parametrize("length", range(1, 65))
def test_a_key_is_its_id_in_hex_at_any_length(length: int) -> None:
    codec = Resp(key_length=length, value_bytes=3)
    most = 16 ** min(length, 16) - 1
    for key in {0, 1, 9, 10, 15, most // 3, most - 1, most, 0x0123456789ABCDEF & most, 0xFEDCBA9876543210 & most}:
        text = f"{key:0{length}x}"
        assert codec.encoded("get", key) == packed("GET", text)
        assert codec.encoded("set", key, b"a\r\n") == packed("SET", text, b"a\r\n")
        assert codec.encoded("backfill", key, b"\0\xff\n") == packed("SET", text, b"\0\xff\n")
        assert codec.encoded("delete", key) == packed("DEL", text)


@pytest.mark.parametrize("ttl_ms", [1, 999, 30 * 24 * 3600 * 1000])
def test_a_key_that_expires_is_written_with_its_time_to_live(ttl_ms: int) -> None:
    for length, prefix in ((1, b""), (17, b""), (56, b"p" * 40)):
        for value in (b"", b"v" * 64, b"v" * 3000):
            codec = Resp(length, len(value), prefix=prefix, ttl_ms=ttl_ms)
            key = prefix.decode() + f"{5:0{length - len(prefix)}x}"
            for command in ("set", "backfill"):
                request = codec.encoded(command, 5, value)
                assert request == packed("PSETEX", key, str(ttl_ms), value)
                assert len(request) <= codec.longest
            assert codec.encoded("get", 5) == packed("GET", key)


@pytest.mark.parametrize("length", [1, 16, 17])
def test_a_value_is_sent_whole_at_any_length(length: int) -> None:
    for value in (bytes(range(size)) for size in range(140)):
        codec = Resp(key_length=length, value_bytes=len(value))
        assert codec.encoded("set", 5, value) == packed("SET", f"{5:0{length}x}", value)


@given(key=st.integers(0, 2**64 - 1), length=st.integers(16, 1000), value=st.binary(max_size=3000))
def test_any_request_is_what_hiredis_would_send(key: int, length: int, value: bytes) -> None:
    codec = Resp(key_length=length, value_bytes=len(value))
    text = f"{key:0{length}x}"
    assert codec.encoded("get", key) == packed("GET", text)
    assert codec.encoded("delete", key) == packed("DEL", text)
    assert codec.encoded("set", key, value) == packed("SET", text, value)
    assert len(codec.encoded("set", key, value)) <= codec.longest


@pytest.mark.parametrize(
    ("codec", "command", "words"),
    [
        (Resp(), "ping", ("PING",)),
        (Resp(version=3), "ping", ("PING",)),
        (Resp(), "hello", ("HELLO", "2")),
        (Resp(version=3), "hello", ("HELLO", "3")),
        (Resp(version=3, password="secret"), "hello", ("HELLO", "3", "AUTH", "default", "secret")),
        (Resp(version=3, username="me", password="pä ss"), "hello", ("HELLO", "3", "AUTH", "me", "pä ss")),
        (Resp(password="secret"), "auth", ("AUTH", "secret")),
        (Resp(username="me", password="x" * 5000), "auth", ("AUTH", "me", "x" * 5000)),
    ],
)
def test_a_greeting_is_what_hiredis_would_send(codec: Resp, command: str, words: tuple[str, ...]) -> None:
    assert codec.encoded(command) == packed(*words)
    assert len(codec.encoded(command)) <= codec.longest


@pytest.mark.parametrize(("command", "value"), [("set", b""), ("set", VALUE[1:]), ("set", VALUE + b"v"), ("get", b"v")])
def test_a_value_of_another_length_is_refused(command: str, value: bytes) -> None:
    with pytest.raises(ValueError, match=f"{command} takes a value of {64 if command == 'set' else 0} bytes"):
        CODEC.encoded(command, 1, value)


def test_a_keyspace_that_cannot_be_is_refused() -> None:
    for key_length, value_bytes in ((0, 64), (-1, 64), (16, -1)):
        with pytest.raises(ValueError, match="no keyspace"):
            Resp(key_length, value_bytes)
