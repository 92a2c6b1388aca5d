"""The first bytes of a value, by which a history knows a write: kept whole however a reply is cut."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import pytest

from loadgen._codec import Codec
from loadgen._memcache import Memcache
from loadgen._resp import Resp
from loadgen.engine._history import History, identity, marked
from loadgen.engine._pipeline_face import PipelineFace
from loadgen.engine._recorder import Recorder

RUN = 0x1234_5678_9ABC_DEF1
HEAD = bytes(range(65, 81))


def resp(value: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(value), value)


def memcache(value: bytes, key: int = 0) -> bytes:
    return b"VALUE %016x 0 %d\r\n%b\r\nEND\r\n" % (key, len(value), value)


CODECS = [pytest.param(Resp, resp, id="resp"), pytest.param(Memcache, memcache, id="memcache")]


@pytest.mark.parametrize(("make", "reply"), CODECS)
@pytest.mark.parametrize("length", [0, 1, 7, 15, 16, 17, 20, 64])
def test_a_head_is_whole_at_every_split(
    make: Callable[..., Codec], reply: Callable[[bytes], bytes], length: int
) -> None:
    value = (HEAD + b"\r\n$END" * 20)[:length]
    text = reply(value)
    for first, second in combinations(range(len(text) + 1), 2):
        decoder = make(run=RUN).decoder()
        replies = [
            name for part in (text[:first], text[first:second], text[second:]) for name in decoder.feed(part, "get")
        ]
        assert replies == ["hit"]
        assert decoder.value_head == value[:16], (first, second)


@pytest.mark.parametrize(("make", "reply"), CODECS)
def test_a_head_is_whole_byte_by_byte_and_not_of_the_value_before(
    make: Callable[..., Codec], reply: Callable[[bytes], bytes]
) -> None:
    decoder = make(run=RUN).decoder()
    for value in (HEAD + b"v" * 48, b"short", HEAD[::-1] + b"w" * 48, b"", HEAD * 4):
        for byte in reply(value):
            decoder.feed(bytes([byte]), "get")
        assert decoder.value_head == value[:16]


def test_an_attribute_before_a_value_does_not_reach_its_head() -> None:
    text = b"|1\r\n$3\r\nttl\r\n$20\r\n" + b"a" * 20 + b"\r\n" + resp(HEAD + b"v" * 48)
    for cut in range(len(text) + 1):
        decoder = Resp(run=RUN).decoder()
        assert decoder.feed(text[:cut], "get") + decoder.feed(text[cut:], "get") == ["hit"]
        assert decoder.value_head == HEAD


@pytest.mark.parametrize(("make", "reply"), CODECS)
def test_an_identity_is_read_on_either_path_at_every_split(
    make: Callable[..., Codec], reply: Callable[[bytes], bytes]
) -> None:
    text = reply(marked(RUN, 0, 77) + b"v" * 48)
    for cut in range(len(text) + 1):
        history = History(0, RUN)
        line = PipelineFace(make(run=RUN), Recorder(), 4, 1000, history=history)
        line.push("get", "measure", 0, 0)
        assert line.feed(text[:cut], 10) == line.feed(text[cut:], 10) == "fed"
        assert int.from_bytes(history.blocks()[16 + 24 : 16 + 32], "little") == 77, cut


@pytest.mark.parametrize("make", [Resp, Memcache])
def test_values_too_short_for_a_mark_are_refused(make: type[Resp | Memcache]) -> None:
    make(value_bytes=16, run=RUN)
    with pytest.raises(ValueError, match="15 bytes has no room for a mark of 16"):
        make(value_bytes=15, run=RUN)


# ── Identities ──────────────────────────────────────────────────────────────────────────────────────────────────────

FOREIGN, UNMARKED = 1 << 63, 1 << 62


def test_a_mark_gives_back_its_identity_for_its_key_and_run_only() -> None:
    head = marked(RUN, 5, 123)
    assert len(head) == 16
    assert identity(RUN, 5, head) == 123
    assert identity(RUN, 6, head) == FOREIGN | 123, "written to another key"
    assert identity(RUN + 1, 5, head) & (FOREIGN | UNMARKED) == FOREIGN | UNMARKED, "of another run"


def test_values_without_a_mark_are_foreign_and_told_apart() -> None:
    found = [identity(RUN, 5, value) for value in (b"", b"\0", b"a", b"b", b"a" * 15, b"a" * 16, bytes(16))]
    assert all(each & (FOREIGN | UNMARKED) == FOREIGN | UNMARKED for each in found)
    assert len(set(found)) == len(found)
    assert identity(RUN, 5, b"a" * 16) == identity(RUN, 6, b"a" * 16), "equal values have equal identities"


def test_a_mark_with_any_byte_changed_is_not_its_write() -> None:
    head = marked(RUN, 5, 123)
    for place in range(16):
        changed = bytes([*head[:place], head[place] ^ 1, *head[place + 1 :]])
        assert identity(RUN, 5, changed) != 123
