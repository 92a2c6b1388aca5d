"""Requests of several keys, and counters: as bytes, and their replies key by key."""

from __future__ import annotations

import re

import hiredis
import pytest

from loadgen._binary import MemcacheBinary
from loadgen._codec import Codec
from loadgen._memcache import Memcache
from loadgen._meta import MemcacheMeta
from loadgen._resp import Resp
from loadgen._siblings import Siblings
from loadgen.engine._chain import Chain
from loadgen.engine._pipeline_face import PipelineFace
from loadgen.engine._recorder import Recorder
from loadgen.engine._slots import BySlot, Slots

THREE = Siblings(8, 3)
MEASURE = 3


def key(number: int, prefix: bytes = b"") -> bytes:
    return prefix + b"%0*x" % (16 - len(prefix), number)


@pytest.mark.parametrize("prefix", [b"", b"user:"])
@pytest.mark.parametrize("value", [b"v", b"v" * 64, b"v" * 65])
def test_resp_sends_what_hiredis_would(prefix: bytes, value: bytes) -> None:
    codec = Resp(16, len(value), prefix=prefix, siblings=THREE)
    keys = [key(number, prefix) for number in (6, 7, 0)]
    assert codec.encoded("mget", 6) == hiredis.pack_command(("MGET", *keys))
    pairs = [word for each in keys for word in (each, value)]
    assert codec.encoded("mset", 6, value) == hiredis.pack_command(("MSET", *pairs))
    assert codec.encoded("incr", 6) == hiredis.pack_command(("INCR", b"counter:" + key(6, prefix)))
    for command in ("mget", "mset", "incr"):
        assert codec.longest >= len(codec.encoded(command, 6, value if command == "mset" else b""))


def test_sixty_four_keys_are_the_most() -> None:
    codec = Resp(16, 1, siblings=Siblings(1000, 64))
    assert codec.encoded("mget", 999) == hiredis.pack_command(("MGET", key(999), *map(key, range(63))))
    assert codec.encoded("mset", 0, b"v").startswith(b"*129\r\n")
    with pytest.raises(ValueError, match="1 to 64 of the keys"):
        Siblings(1000, 65)


@pytest.mark.parametrize(
    ("prefix", "name"),
    [(b"", b"counter:{%s}"), (b"{tag}:", b"counter:%s"), (b"{}:", b"counter:{%s}")],
)
def test_a_counter_of_a_cluster_has_the_slot_of_its_key(prefix: bytes, name: bytes) -> None:
    codec = Resp(24, 1, prefix=prefix, by_slot=True)
    plain = prefix + b"%0*x" % (24 - len(prefix), 7)
    if prefix != b"{}:":
        assert codec.encoded("incr", 7) == hiredis.pack_command(("INCR", name % plain))
    else:
        # An empty tag hashes the whole key, and a tag around it would end within it.
        assert b"counter:{{}:" in codec.encoded("incr", 7)


def test_text_asks_for_all_keys_at_once() -> None:
    codec = Memcache(16, 1, prefix=b"k:", siblings=THREE)
    assert codec.encoded("mget", 6) == b"get " + b" ".join(key(n, b"k:") for n in (6, 7, 0)) + b"\r\n"
    assert codec.encoded("incr", 6) == b"incr counter:" + key(6, b"k:") + b" 1\r\n"
    assert codec.encoded("add", 6) == b"add counter:" + key(6, b"k:") + b" 0 0 1\r\n0\r\n"
    silent = Memcache(16, 1, quiet=True, ttl_s=9).encoded("add", 6, phase="measure")
    assert silent == b"add counter:" + key(6) + b" 0 9 1 noreply\r\n0\r\n"


def test_meta_and_binary_create_the_counters_that_they_add_to() -> None:
    meta = MemcacheMeta(16, 1, ttl_s=7)
    assert re.fullmatch(rb"ma counter:" + key(6) + rb" N7 O0000002a\r\n", meta.encoded("incr", 6, number=42))
    based = MemcacheMeta(16, 1, base64_keys=True, opaque=False).encoded("incr", 6)
    assert based == b"ma Y291bnRlcjowMDAwMDAwMDAwMDAwMDA2 N0 b\r\n"
    binary = MemcacheBinary(16, 1, ttl_s=7).encoded("incr", 6, number=42)
    head = b"\x80\x05\x00\x18\x14\x00\x00\x00\x00\x00\x00\x2c\x00\x00\x00\x2a" + bytes(8)
    assert binary == head + bytes(7) + b"\x01" + bytes(8) + bytes(3) + b"\x07" + b"counter:" + key(6)


@pytest.mark.parametrize("cut", range(40))
def test_meta_and_binary_say_if_a_counter_was_there(cut: int) -> None:
    header = b"\x81\x05\x00\x00\x00\x00\x00%c\x00\x00\x00%c" + bytes(12)
    cases: list[tuple[Codec, bytes, str]] = [
        (MemcacheMeta(opaque=False), b"HD\r\n", "ok"),
        (MemcacheMeta(opaque=False), b"NF\r\n", "no counter"),
        (MemcacheMeta(opaque=False), b"NS\r\n", "no counter"),
        (MemcacheBinary(), header % (0, 8) + bytes(8), "ok"),
        (MemcacheBinary(), header % (1, 9) + b"Not found", "no counter"),
    ]
    for codec, reply, outcome in cases:
        decoder = codec.decoder()
        assert decoder.feed(reply[:cut], "incr") + decoder.feed(reply[cut:], "incr") == [outcome]
        of_a_get = b"VA 1\r\nx\r\n" if isinstance(codec, MemcacheMeta) else b"\x81\x00" + reply[2:]
        with pytest.raises(ValueError, match="not a reply to incr"):
            codec.decoder().feed(of_a_get, "incr")


def line(codec: Codec, *, backfill: bool = False, siblings: Siblings = THREE) -> tuple[PipelineFace, Recorder]:
    recorder = Recorder(False, codec.commands)
    return PipelineFace(codec, recorder, 8, 10**9, backfill=backfill, siblings=siblings), recorder


def block(number: int, value: bytes = b"a") -> bytes:
    return b"VALUE %s 0 %d\r\n%s\r\n" % (key(number), len(value), value)


MISSING = [
    (Resp(16, 1, siblings=THREE), b"*3\r\n$1\r\na\r\n$-1\r\n$1\r\na\r\n", [7]),
    (Resp(16, 1, siblings=THREE), b"*3\r\n$-1\r\n$-1\r\n$2\r\nab\r\n", [6, 7]),
    (Resp(16, 1, siblings=THREE), b"*3\r\n" + 3 * b"$1\r\na\r\n", []),
    (Memcache(16, 1, siblings=THREE), block(6) + block(0) + b"END\r\n", [7]),
    (Memcache(16, 1, siblings=THREE), block(0, b"abc") + b"END\r\n", [6, 7]),
    (Memcache(16, 1, siblings=THREE), block(7) + block(0) + block(6) + b"END\r\n", []),
    (Memcache(16, 1, siblings=THREE), b"END\r\n", [6, 7, 0]),
]


@pytest.mark.parametrize(("codec", "reply", "missing"), MISSING)
def test_each_missing_key_is_counted_and_owed_however_the_reply_is_cut(
    codec: Codec, reply: bytes, missing: list[int]
) -> None:
    for cut in range(len(reply)):
        pipe, recorder = line(codec, backfill=True)
        pipe.push("mget", "measure", 0, 0, key=6)
        assert [pipe.feed(piece, 5) for piece in (reply[:cut], reply[cut:])] == ["fed", "fed"]
        told = recorder.counts(MEASURE)["tallies"]["mget"]
        assert (told["ok"], told["hits"], told["misses"]) == (1, not missing, bool(missing))
        assert (told["keys"], told["keys_found"]) == (3, 3 - len(missing))
        assert pipe.owed_now() == missing


@pytest.mark.parametrize(
    ("codec", "reply", "fed"),
    [
        (Resp(16, 1, siblings=THREE), b"*2\r\n$1\r\na\r\n$-1\r\n", "corrupt reply"),
        (Memcache(16, 1, siblings=THREE), block(1) + b"END\r\n", "wrong answer"),
        (Memcache(16, 1, siblings=THREE), block(6) + block(6) + b"END\r\n", "wrong answer"),
    ],
)
def test_values_of_other_keys_are_no_reply(codec: Codec, reply: bytes, fed: str) -> None:
    pipe, _ = line(codec)
    pipe.push("mget", "measure", 0, 0, key=6)
    assert pipe.feed(reply, 5) == fed


def test_every_key_of_an_mset_is_counted() -> None:
    pipe, recorder = line(Resp(16, 1, siblings=THREE))
    pipe.push("mset", "measure", 0, 0, key=6)
    pipe.feed(b"+OK\r\n", 5)
    told = recorder.counts(MEASURE)["tallies"]["mset"]
    assert (told["hits"], told["keys"], told["keys_found"]) == (1, 3, 3)


def test_keys_of_a_request_have_one_slot_and_a_slot_with_few_has_short_requests() -> None:
    slots = Slots(16, b"", 3, [(0, 16383, 0)])
    count = 50_000
    chain = Chain(count, 4, BySlot(slots))
    of_slot: dict[int, list[int]] = {}
    for number in range(count):
        of_slot.setdefault(slots.slot_of(number), []).append(number)
    assert {len(keys) for keys in of_slot.values()} >= {1, 2, 3, 4, 5}
    for number in range(0, count, 7):
        keys = of_slot[slots.slot_of(number)]
        at = keys.index(number)
        assert chain.of(number) == (keys[at:] + keys[:at])[:4]
