"""memcache's binary protocol as bytes, as memcached's protocol_binary.h defines them: whole, at every cut, byte by
byte, and cut short; and whose reply a reply is."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen._binary import MemcacheBinary

Said = list[str | tuple[str, str]]

CODEC = MemcacheBinary()
QUIET = MemcacheBinary(quiet=True)
WITH_KEY = MemcacheBinary(return_key=True)
GET, SET, DELETE, NOOP, GETK = 0x00, 0x01, 0x04, 0x0A, 0x0C
GETQ, SETQ, DELETEQ, GETKQ, LOG_IN = 0x09, 0x11, 0x14, 0x0D, 0x21


def message(
    magic: int, opcode: int, number: int = 0, *, status: int = 0, extras: bytes = b"", key: bytes = b"",
    value: bytes = b"", cas: int = 0,
) -> bytes:  # fmt: skip
    body = extras + key + value
    head = struct.pack("!BBHBBHIIQ", magic, opcode, len(key), len(extras), 0, status, len(body), number, cas)
    return head + body


def reply(opcode: int, number: int = 0, status: int = 0, **parts: bytes) -> bytes:
    return message(0x81, opcode, number, status=status, cas=0x0102030405060708, **parts)  # type: ignore[arg-type]


def hit(number: int = 0, opcode: int = GET, value: bytes = b"v" * 64, key: bytes = b"") -> bytes:
    return reply(opcode, number, extras=b"\0\0\0\0", key=key, value=value)


# Replies to the requests of a load with the numbers 0, 1, …
REPLIES: list[tuple[bytes, list[str], Said]] = [
    (hit(), ["get"], ["hit"]),
    (hit(value=b""), ["get"], ["hit"]),
    (hit(value=b"w" * 3000), ["get"], ["hit"]),
    (reply(GET, status=1, value=b"Not found"), ["get"], ["miss"]),
    (reply(GET, status=1), ["get"], ["miss"]),
    (reply(SET), ["set"], ["stored"]),
    (reply(SET, status=5, value=b"Not stored."), ["set"], ["not stored"]),
    (reply(SET, status=3, value=b"Too large."), ["set"], [("error reply", "E2BIG Too large.")]),
    (reply(SET, status=0x82), ["backfill"], [("error reply", "ENOMEM")]),
    (reply(DELETE), ["delete"], ["deleted"]),
    (reply(DELETE, status=1, value=b"Not found"), ["delete"], ["not found"]),
    (reply(NOOP), ["ping"], ["ok"]),
    (reply(NOOP), ["noop"], ["ok"]),
    (reply(LOG_IN, value=b"Authenticated"), ["auth"], ["ok"]),
    (reply(LOG_IN, status=0x20, value=b"Auth failure."), ["auth"], [("error reply", "AUTH_ERROR Auth failure.")]),
    (reply(GET, status=0x81, value=b"e" * 700), ["get"], [("error reply", "UNKNOWN_COMMAND " + "e" * 184)]),
    (reply(GET, status=0x4242, value=b"odd"), ["get"], [("error reply", "STATUS odd")]),
    (hit(0) + reply(SET, 1) + reply(GET, 2, status=1) + hit(3), ["get", "set", "get", "get"],
     ["hit", "stored", "miss", "hit"]),
]  # fmt: skip

REFUSED: list[tuple[bytes, str]] = [
    (b"ERROR\r\n", "get"),
    (message(0x80, GET), "get"),
    (hit(), "set"),
    (reply(SET), "get"),
    (reply(NOOP), "get"),
    (reply(GET), "get"),  # a value has flags
    (reply(GET, extras=b"\0" * 8, value=b"v"), "get"),
    (hit(key=b"k"), "get"),
    (reply(GET)[:4] + b"\x09" + reply(GET)[5:], "get"),  # extras beyond the body
    (reply(GET)[:5] + b"\x01" + reply(GET)[6:], "get"),  # a data type
    (reply(SET)[:8] + b"\xff" * 4 + reply(SET)[12:], "set"),  # a body of 4 GiB
    (hit(opcode=GETQ), "get"),
]


def said(codec: MemcacheBinary, pieces: list[bytes], commands: list[str]) -> Said:
    decoder, line = codec.decoder(in_load=True), list(commands)
    return [answer for piece in pieces for answer in decoder.feed(piece, line)]


def bytewise(data: bytes) -> list[bytes]:
    return [data[i : i + 1] for i in range(len(data))]


def name(value: object) -> str | None:
    return value[:30].hex() if isinstance(value, bytes) else None


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


@pytest.mark.parametrize("number", [1, 2**31, 2**32 - 1])
def test_the_reply_to_another_request_shows_by_its_opaque(number: int) -> None:
    assert said(CODEC, [hit(number)], ["get", "get"]) == ["another"]
    assert said(CODEC, [reply(SET, number)], ["set", "set"]) == ["another"]
    assert said(CODEC, [reply(GET, number, status=0x86)], ["get", "get"]) == ["another"]


def test_a_returned_key_is_compared() -> None:
    key = b"0" * 16
    text = hit(opcode=GETK, key=key) + reply(GETK, 1, status=1, value=b"Not found") + hit(2, GETK, b"other", key)
    for cut in range(len(text)):
        assert said(WITH_KEY, [text[:cut], text[cut:]], ["get"] * 3) == ["hit", "miss", "hit"], cut
    for length in (64, 5):
        assert said(WITH_KEY, [hit(opcode=GETK, key=b"0" * 15 + b"1", value=b"v" * length)], ["get"]) == ["another"]


# Silent requests.

BARRIER = reply(NOOP, 3)

SILENCES: list[tuple[bytes, list[str], Said]] = [
    (BARRIER, ["get", "set", "delete", "noop"], ["miss", "stored", "deleted", "ok"]),
    (hit(1, GETQ) + BARRIER, ["get", "get", "get", "noop"], ["miss", "hit", "miss", "ok"]),
    (reply(DELETEQ, 1, status=1) + reply(SETQ, 2, status=5) + BARRIER, ["set", "delete", "set", "noop"],
     ["stored", "not found", "not stored", "ok"]),
    # An error says whose it is.
    (reply(SETQ, 1, status=0x82) + BARRIER, ["set", "set", "set", "noop"],
     ["stored", ("error reply", "ENOMEM"), "stored", "ok"]),
]  # fmt: skip


@pytest.mark.parametrize(("data", "commands", "expected"), SILENCES, ids=name)
def test_a_later_reply_says_that_requests_were_silent(data: bytes, commands: list[str], expected: Said) -> None:
    assert said(QUIET, [data], commands) == expected
    assert said(QUIET, bytewise(data), commands) == expected
    for cut in range(len(data)):
        assert said(QUIET, [data[:cut], data[cut:]], commands) == expected, cut


def test_a_reply_to_no_request_in_flight_ends_the_stream() -> None:
    for data, before in (
        (hit(4, GETQ), []),
        (hit(2**32 - 1, GETQ), []),
        (reply(NOOP, 1) + hit(0, GETQ), ["miss", "ok"]),
    ):
        assert said(QUIET, [data], ["get", "noop", "get"]) == [*before, "another"]


@given(st.permutations(range(6)), st.booleans())
def test_replies_out_of_step_never_pass_for_those_in_step(order: list[int], quiet: bool) -> None:
    codec, opcode = (QUIET, GETQ) if quiet else (CODEC, GET)
    text = b"".join(hit(number, opcode) for number in order) + reply(NOOP, 6)
    replies = said(codec, [text], ["get"] * 6 + ["noop"])
    if order == sorted(order):
        assert replies == ["hit"] * 6 + ["ok"]
    else:
        assert replies[-1] == "another"
        assert "ok" not in replies


# Requests.


@pytest.mark.parametrize("length", [*range(1, 20), 64, 250])
def test_requests_are_those_of_the_protocol(length: int) -> None:
    for value in (b"", b"v" * 64, b"v" * 3000):
        key = f"{10:0{length}x}".encode()
        for phase, (get, put, remove) in (("prefill", (GET, SET, DELETE)), ("measure", (GETQ, SETQ, DELETEQ))):
            codec = MemcacheBinary(length, len(value), quiet=True, ttl_s=60)
            number = 0x12AB
            assert codec.encoded("get", 10, number=number, phase=phase) == message(0x80, get, number, key=key)
            assert codec.encoded("delete", 10, number=number, phase=phase) == message(0x80, remove, number, key=key)
            stored = codec.encoded("set", 10, value, number=number, phase=phase)
            assert stored == message(0x80, put, number, extras=b"\0\0\0\0\0\0\0\x3c", key=key, value=value)
            assert len(stored) <= codec.longest
            assert codec.encoded("noop", number=7, phase=phase) == message(0x80, NOOP, 7)


def test_a_prefix_begins_every_key() -> None:
    for prefix in (b"a", b"p" * 40):
        codec = MemcacheBinary(len(prefix) + 4, 3, prefix=prefix, return_key=True)
        assert codec.encoded("get", 5) == message(0x80, GETK, key=prefix + b"0005")
        assert codec.encoded("set", 5, b"abc") == message(
            0x80, SET, extras=bytes(8), key=prefix + b"0005", value=b"abc"
        )
        assert said(codec, [hit(opcode=GETK, key=prefix + b"0000", value=b"abc")], ["get"]) == ["hit"]


def test_a_log_in_is_sasl_plain() -> None:
    codec = MemcacheBinary(username="us", password="pä")
    assert codec.encoded("auth", number=1) == message(0x80, LOG_IN, 1, key=b"PLAIN", value=b"\0us\0p\xc3\xa4")


def test_what_cannot_be_is_refused() -> None:
    for keyspace in ({"key_length": 0}, {"key_length": 251}, {"value_bytes": -1}):
        with pytest.raises(ValueError, match="no keyspace"):
            MemcacheBinary(**keyspace)  # type: ignore[arg-type]
