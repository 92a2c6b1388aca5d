"""The decoders of replies: every vector whole, at every split, with trailing bytes, and truncated."""

from __future__ import annotations

import pytest

from loadgen.verify.reply import Error, Map, Null, Reply, Set, Status
from loadgen.verify.subject import memcache, resp

RESP: list[tuple[bytes, Reply]] = [
    (b"+OK\r\n", Status(b"OK")),
    (b"-ERR no\r\n", Error(b"ERR no")),
    (b":-42\r\n", -42),
    (b"$5\r\na\r\nb\0\r\n", b"a\r\nb\0"),
    (b"$0\r\n\r\n", b""),
    (b"$-1\r\n", Null.BULK),
    (b"*-1\r\n", Null.ARRAY),
    (b"*0\r\n", ()),
    (b"*3\r\n:1\r\n*2\r\n$1\r\na\r\n*-1\r\n+x\r\n", (1, (b"a", Null.ARRAY), Status(b"x"))),
    (b"%1\r\n$1\r\na\r\n:1\r\n", Map(((b"a", 1),))),
    (b"~2\r\n:1\r\n:2\r\n", Set((1, 2))),
    (b"_\r\n", Null.BULK),
    (b"#t\r\n", True),
    (b",1.5\r\n", 1.5),
    (b"=7\r\ntxt:abc\r\n", b"abc"),
]


@pytest.mark.parametrize(("wire", "reply"), RESP)
def test_a_reply_of_resp_is_the_same_at_every_split(wire: bytes, reply: Reply) -> None:
    for split in range(len(wire) + 1):
        decoder = resp.Decoder()
        decoder.feed(wire[:split])
        first = decoder.reply()
        assert (first is None) is (split < len(wire))
        decoder.feed(wire[split:] + b":7\r\n")
        found = decoder.reply() if first is None else first
        assert (found, type(found)) == (reply, type(reply))
        assert decoder.reply() == 7
        assert decoder.reply() is None


@pytest.mark.parametrize(
    "wire", [b"?\r\n", b"HTTP/1.1 400\r\n", b":x\r\n", b"$2\r\nabc\r\n", b"$99999999999\r\n", b"x"]
)
def test_what_is_not_resp_is_told(wire: bytes) -> None:
    decoder = resp.Decoder()
    decoder.feed(wire)
    with pytest.raises(resp.NotRespError):
        decoder.reply()


def test_arrays_in_arrays_are_followed_to_a_bound_only() -> None:
    decoder = resp.Decoder()
    decoder.feed(b"*1\r\n" * 10_000)
    with pytest.raises(resp.NotRespError, match="deep"):
        decoder.reply()


MEMCACHE: list[tuple[bytes, bytes, Reply]] = [
    (b"set a 0 0 x", b"STORED\r\n", Status(b"STORED")),
    (b"get a b", b"VALUE a 1 4\r\nx\r\ny\r\nVALUE b 0 0\r\n\r\nEND\r\n", ((b"a", 1, b"x\r\ny"), (b"b", 0, b""))),
    (b"gets a", b"VALUE a 1 3 77\r\nEND\r\nEND\r\n", ((b"a", 1, b"END", 77),)),
    (b"get a", b"END\r\n", ()),
    (b"get a", b"SERVER_ERROR out of memory\r\n", Error(b"SERVER_ERROR out of memory")),
    (b"incr a 1", b"12\r\n", 12),
    (b"stats", b"STAT pid 7\r\nSTAT version 1 b\r\nEND\r\n", ((b"pid", b"7"), (b"version", b"1 b"))),
    (b"incr a 1", b"CLIENT_ERROR no number\r\n", Error(b"CLIENT_ERROR no number")),
]


@pytest.mark.parametrize(
    ("command", "wire"),
    [
        ((b"get", b"a", b"b"), b"get a b\r\n"),
        ((b"set", b"a", b"0", b"0", b"x y"), b"set a 0 0 3\r\nx y\r\n"),
        # Too few words for a value among them, and a line as it is sent.
        ((b"set", b"a", b"0", b"0"), b"set a 0 0\r\n"),
        ((b"set a 0 0 -1",), b"set a 0 0 -1\r\n"),
    ],
)
def test_a_command_of_memcache_is_a_line_and_its_value(command: tuple[bytes, ...], wire: bytes) -> None:
    assert memcache.Talk().encoded(command) == wire


@pytest.mark.parametrize(("command", "wire", "reply"), MEMCACHE)
def test_a_reply_of_memcache_is_the_same_at_every_split(command: bytes, wire: bytes, reply: Reply) -> None:
    for split in range(len(wire)):
        talk = memcache.Talk()
        talk.encoded(command.split())
        assert talk.feed(wire[:split]) is None
        assert talk.feed(wire[split:]) == reply


def test_cas_takes_the_unique_number_that_the_connection_saw_last() -> None:
    talk = memcache.Talk()
    cas = (b"cas", b"a", b"0", b"0", b"new", b"last")
    assert talk.encoded(cas) == b"cas a 0 0 3 0\r\nnew\r\n"
    talk.encoded((b"gets", b"a"))
    talk.feed(b"VALUE a 0 1 81\r\nx\r\nEND\r\n")
    assert talk.encoded(cas) == b"cas a 0 0 3 81\r\nnew\r\n"


def test_a_value_that_is_longer_than_its_length_says_is_told() -> None:
    talk = memcache.Talk()
    talk.encoded((b"get", b"a"))
    with pytest.raises(memcache.NotMemcacheError):
        talk.feed(b"VALUE a 0 1\r\nxyz\r\nEND\r\n")
