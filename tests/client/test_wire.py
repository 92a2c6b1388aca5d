"""Requests and replies of both protocols: each reply whole, at every split, with more behind it, and broken."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.client import _text as text
from loadgen.client import meta, reply
from loadgen.client._text import Text
from loadgen.client.meta import Item, Meta
from loadgen.client.reply import ErrorReply, Malformed, Parser

SERVER = ErrorReply("SERVER_ERROR out of memory storing object", servers=True)
CLIENT = ErrorReply("CLIENT_ERROR bad data chunk", servers=False)
UNKNOWN = ErrorReply("ERROR", servers=False)

FOUND = {b"a": b"1", b"c": b"\r\n"}
STATS = {"pid": "17", "version": "1.6 x", "empty": ""}

REPLIES: list[tuple[Parser, Any, bytes, Any]] = [
    (text.value, b"k", b"END\r\n", None),
    (text.value, b"k", b"VALUE k 0 5\r\nvalue\r\nEND\r\n", b"value"),
    (text.value, b"k", b"VALUE k 7 0\r\n\r\nEND\r\n", b""),
    (text.value, b"k", b"VALUE k 0 7\r\n\r\nEND\r\n\r\nEND\r\n", b"\r\nEND\r\n"),
    (text.item, b"k", b"VALUE k 0 1 18446744073709551615\r\nv\r\nEND\r\n", (b"v", (1 << 64) - 1)),
    (text.values, [b"a", b"b", b"c"], b"END\r\n", {}),
    (text.values, [b"a", b"b", b"c"], b"VALUE a 0 1\r\n1\r\nVALUE c 0 2\r\n\r\n\r\nEND\r\n", FOUND),
    (text.STORED, None, b"STORED\r\n", True),
    (text.STORED, None, b"NOT_STORED\r\n", False),
    (text.STORED, None, b"EXISTS\r\n", False),
    (text.STORED, None, b"NOT_FOUND\r\n", None),
    (text.DELETED, None, b"DELETED\r\n", True),
    (text.TOUCHED, None, b"NOT_FOUND\r\n", False),
    (text.count, None, b"18446744073709551615\r\n", (1 << 64) - 1),
    (text.count, None, b"9  \r\n", 9),
    (text.count, None, b"NOT_FOUND\r\n", None),
    (meta.value, b"k", b"EN\r\n", None),
    (meta.value, b"k", b"EN kk\r\n", None),
    (meta.value, b"k", b"VA 5 kk\r\nvalue\r\n", b"value"),
    (meta.value, b"k", b"VA 4 kk\r\nEN\r\n\r\n", b"EN\r\n"),
    (meta.item, b"k", b"VA 0 kk c12\r\n\r\n", (b"", 12)),
    (meta.item, b"k", b"EN\r\n", None),
    (meta.whole_item, b"k", b"VA 1 kk c3 t-1\r\nv\r\n", Item(b"v", 3, None, False, False, False)),
    (meta.whole_item, b"k", b"VA 0 kk c3 t30 W\r\n\r\n", Item(b"", 3, 30, True, False, False)),
    (meta.whole_item, b"k", b"VA 1 kk c3 t9 X Z\r\nv\r\n", Item(b"v", 3, 9, False, True, True)),
    (meta.whole_item, b"k", b"EN\r\n", None),
    (meta.STORED, None, b"HD\r\n", True),
    (meta.STORED, None, b"NS\r\n", False),
    (meta.STORED, None, b"NF\r\n", None),
    (meta.DONE, None, b"EN\r\n", False),
    (meta.count, None, b"VA 2\r\n42\r\n", 42),
    (meta.count, None, b"NF\r\n", None),
    (meta.ALIVE, None, b"MN\r\n", True),
    (reply.version, None, b"VERSION 1.6.18\r\n", "1.6.18"),
    (reply.stats, None, b"END\r\n", {}),
    (reply.stats, None, b"STAT pid 17\r\nSTAT version 1.6 x\r\nSTAT empty \r\nEND\r\n", STATS),
]

PARSERS = {parser: expected for parser, expected, _, _ in REPLIES}
ERRORS = [(SERVER.text, SERVER), (CLIENT.text, CLIENT), ("ERROR", UNKNOWN)]
VECTORS = REPLIES + [(p, e, f"{line}\r\n".encode(), error) for p, e in PARSERS.items() for line, error in ERRORS]


@pytest.mark.parametrize(("parse", "expected", "sent", "meant"), VECTORS)
def test_a_reply_is_read_at_every_split_and_no_further(parse: Parser, expected: Any, sent: bytes, meant: Any) -> None:
    for received in (sent, bytearray(sent)):
        assert parse(received, 0, expected) == (meant, len(sent))
    for end in range(len(sent)):
        assert parse(sent[:end], 0, expected) is None
    # With another reply before it and more behind it.
    for behind in (b"", b"\r\n", b"END\r\n", b"VALUE"):
        assert parse(b"MN\r\n" + sent + behind, 4, expected) == (meant, 4 + len(sent))


BROKEN: list[tuple[Parser, Any, bytes]] = [
    (text.value, b"k", b"VALUE other 0 1\r\nv\r\nEND\r\n"),
    (text.value, b"k", b"VALUE k 0 1\r\nvv\r\nEND\r\n"),
    (text.value, b"k", b"VALUE k 0 -1\r\n\r\nEND\r\n"),
    (text.value, b"k", b"VALUE k 0 1_0\r\n"),
    (text.value, b"k", b"VALUE k 0 99999999999\r\n"),
    (text.value, b"k", b"VALUE k 0\r\n"),
    (text.value, b"k", b"VALUE k 0 1\r\nv\r\nVALUE k 0 1\r\nv\r\nEND\r\n"),
    (text.value, b"k", b"STORED\r\n"),
    (text.value, b"k", b"\r\n"),
    (text.values, [b"a", b"b"], b"VALUE b 0 0\r\n\r\nVALUE a 0 0\r\n\r\nEND\r\n"),
    (text.values, [b"a", b"b"], b"VALUE a 0 0\r\n\r\nVALUE a 0 0\r\n\r\nEND\r\n"),
    (text.values, [b"a"], b"VALUE a 0 0\r\nxx"),
    (text.count, None, b"-1\r\n"),
    (text.count, None, b"99999999999999999999999\r\n"),
    (text.STORED, None, b"stored\r\n"),
    (meta.value, b"k", b"VA 1 kother\r\nv\r\n"),
    (meta.value, b"k", b"VA 1\r\nv\r\n"),
    (meta.value, b"k", b"VA\r\n"),
    (meta.value, b"k", b"EN kother\r\n"),
    (meta.value, b"k", b"VA 1 kk\r\nvv\r\n"),
    (meta.item, b"k", b"VA 1 kk\r\nv\r\n"),
    (meta.count, None, b"VA 1\r\nx\r\n"),
    (meta.DONE, None, b"OK\r\n"),
    (reply.version, None, b"VERSIO\r\n"),
    (reply.stats, None, b"STATS\r\n"),
]


@pytest.mark.parametrize(("parse", "expected", "sent"), BROKEN)
def test_what_breaks_the_protocol_is_refused_at_every_split(parse: Parser, expected: Any, sent: bytes) -> None:
    with pytest.raises(Malformed):
        parse(sent, 0, expected)
    for end in range(len(sent)):
        # Before it is complete, it may look well. It is never taken for a reply.
        try:
            found = parse(sent[:end], 0, expected)
        except Malformed:
            continue
        assert found is None


@pytest.mark.parametrize("parse", PARSERS)
def test_a_line_without_an_end_is_refused_at_the_limit(parse: Parser) -> None:
    assert parse(b"x" * (reply.LONGEST_LINE - 1), 0, PARSERS[parse]) is None
    with pytest.raises(Malformed, match="longer than"):
        parse(b"x" * reply.LONGEST_LINE, 0, PARSERS[parse])


def test_a_reply_to_stats_has_a_limit() -> None:
    with pytest.raises(Malformed, match="longer than"):
        reply.stats(b"STAT a b\r\n" * 200_000, 0, None)


@pytest.mark.parametrize("parse", PARSERS)
@given(data=st.binary(max_size=60), head=st.sampled_from([b"", b"VALUE k ", b"VA ", b"EN", b"STAT ", b"END\r\n", b"1"]))
def test_any_bytes_are_a_reply_or_incomplete_or_malformed(parse: Parser, head: bytes, data: bytes) -> None:
    try:
        found = parse(head + data, 0, PARSERS[parse])
    except Malformed:
        return
    assert found is None or 0 < found[1] <= len(head + data)


@given(value=st.binary(max_size=300), split=st.integers(0, 400))
def test_any_value_comes_back_as_it_is(value: bytes, split: int) -> None:
    sent = b"VALUE k 0 %d\r\n%b\r\nEND\r\n" % (len(value), value)
    assert text.value(sent[:split], 0, b"k") == (None if split < len(sent) else (value, len(sent)))
    sent = b"VA %d kk\r\n%b\r\n" % (len(value), value)
    assert meta.value(sent[:split], 0, b"k") == (None if split < len(sent) else (value, len(sent)))


def test_requests_are_the_bytes_of_the_protocol() -> None:
    lines, flags = Text(), Meta()
    assert lines.get(b"k").data == b"get k\r\n"
    assert lines.store("set", b"k", b"v", 9).data == b"set k 0 9 1\r\nv\r\n"
    assert lines.store("cas", b"k", b"v", 0, 7).data == b"cas k 0 0 1 7\r\nv\r\n"
    assert lines.increment(b"k", -3, None, 0).data == b"decr k 3\r\n"
    assert lines.get_many([b"%d" % n for n in range(120)]).data.count(b"get ") == 3
    assert flags.get(b"k").data == b"mg k k v\r\n"
    assert flags.store("add", b"k", b"v", 9).data == b"ms k 1 T9 ME\r\nv\r\n"
    assert flags.store("cas", b"k", b"v", 0, 7).data == b"ms k 1 T0 C7\r\nv\r\n"
    assert flags.increment(b"k", -3, 5, 60).data == b"ma k v D3 MD N60 J5\r\n"
    assert meta.meta_get(b"k", 30, 5).data == b"mg k k c t v N30 R5\r\n"


def test_only_reads_may_be_sent_twice() -> None:
    for protocol in (Text(), Meta()):
        reads = [
            protocol.get(b"k"),
            protocol.gets(b"k"),
            protocol.get_many([b"k"]),
            protocol.version(),
            protocol.stats(),
        ]
        writes = [
            *(protocol.store(verb, b"k", b"", 0) for verb in meta.MODES),
            protocol.increment(b"k", 1, None, 0),
            protocol.delete(b"k"),
            protocol.touch(b"k", 0),
            protocol.set_many({b"k": b""}, 0),
            protocol.delete_many([b"k"]),
        ]
        assert all(request.reads for request in reads)
        assert not any(request.reads for request in writes)
    # With its flags, it can make an item and give the right to compute away.
    assert not meta.meta_get(b"k", 30, None).reads
