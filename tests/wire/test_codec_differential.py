"""The codecs against a second opinion: hiredis for RESP, a few plain lines of Python for memcache.

hiredis differs in some points, and the streams contain only what both can express: hiredis returns an attribute as a
reply of its own and counts it as an element inside an aggregate; it knows neither blob errors nor streamed types.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import hiredis
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from loadgen._codec import Codec
from loadgen._memcache import Memcache
from loadgen._resp import Resp
from loadgen.verify.fuzz.forms import COMMANDS

Said = list[str | tuple[str, str]]


@dataclass(frozen=True)
class Item:
    """A piece of a stream: a reply to a command, or a push or an attribute, which answer none."""

    data: bytes
    command: str | None = None
    attribute: bool = False


# RESP values, as bytes. Text is what may stand in a line; hiredis decodes errors as UTF-8, and we keep their bytes.
text = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40).map(str.encode)
body = st.binary(max_size=40) | st.sampled_from([b"\r\n", b"$-1\r\n", b"x" * 700, b"\r", b"\n"])
number = st.integers(-(2**63), 2**63 - 1)


def bulk(value: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(value), value)


def aggregate(kind: bytes, elements: list[bytes], per_entry: int = 1) -> bytes:
    return b"%b%d\r\n" % (kind, len(elements) // per_entry) + b"".join(elements)


null = st.just(b"_\r\n") | st.just(b"$-1\r\n")
ok = st.just(b"+OK\r\n")
# What a map may have as its key in Python; each key once, for a dict has no more.
hashable = st.one_of(
    text.map(lambda t: b"+%b\r\n" % t),
    number.map(lambda n: b":%d\r\n" % n),
    body.map(bulk),
    st.floats(allow_nan=False, allow_infinity=False).map(lambda x: b",%b\r\n" % repr(x).encode()),
    st.booleans().map(lambda b: b"#t\r\n" if b else b"#f\r\n"),
    st.integers(2**63, 2**80).map(lambda n: b"(%d\r\n" % n),
    null,
)
scalar = st.one_of(
    hashable,
    body.map(lambda t: b"=%d\r\ntxt:%b\r\n" % (len(t) + 4, t)),
    text.map(lambda t: b"-ERR %b\r\n" % t),
    st.just(b"*-1\r\n"),
)
value = st.recursive(
    scalar,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda e: aggregate(b"*", e)),
        st.lists(inner, max_size=4).map(lambda e: aggregate(b"~", e)),
        st.lists(st.tuples(hashable, inner), max_size=3).map(lambda e: aggregate(b"%", [x for kv in e for x in kv], 2)),
    ),
    max_leaves=8,
)
pairs = st.lists(st.tuples(hashable, value), max_size=4).map(lambda e: [x for kv in e for x in kv])

ANSWERS = {
    "get": body.map(bulk) | null | st.just(b"*-1\r\n"),
    "set": ok | null | st.just(b"*-1\r\n"),
    "backfill": ok,
    "delete": (st.integers(-1, 5) | number).map(lambda n: b":%d\r\n" % n),
    "ping": text.map(lambda t: b"+%b\r\n" % t) | body.map(bulk),
    "hello": pairs.map(lambda e: aggregate(b"%", e, 2)) | pairs.map(lambda e: aggregate(b"*", e)),
    "auth": ok,
}
error = (text | st.text("e", min_size=450, max_size=700).map(str.encode)).map(lambda t: b"-ERR %b\r\n" % t)
push = st.lists(value, min_size=1, max_size=4).map(lambda e: Item(aggregate(b">", [b"$10\r\ninvalidate\r\n", *e])))
attribute = pairs.map(lambda e: Item(aggregate(b"|", e, 2), attribute=True))


@st.composite
def resp_reply(draw: st.DrawFn) -> list[Item]:
    """A reply and what comes before it: pushes first, for a server writes attributes together with their reply."""
    command = draw(st.sampled_from(sorted(ANSWERS)))
    answer = draw(error if draw(st.integers(0, 7)) == 0 else ANSWERS[command])
    before = draw(st.lists(push, max_size=2)) + draw(st.lists(attribute, max_size=2))
    return [*before, Item(answer, command)]


def as_hiredis_says(items: list[Item]) -> Said:
    """What hiredis makes of the stream, in our words."""
    nothing = object()
    reader = hiredis.Reader(notEnoughData=nothing)
    reader.feed(b"".join(item.data for item in items))
    said: Said = []
    for item in items:
        reply = reader.gets()
        assert reply is not nothing
        if item.attribute:
            continue
        if isinstance(reply, hiredis.PushNotification):
            assert item.command is None
            said.append("push")
        elif isinstance(reply, hiredis.ReplyError):
            said.append(("error reply", str(reply)[:200]))
        elif item.command == "get":
            said.append("miss" if reply is None else "hit")
        elif item.command in ("set", "backfill"):
            said.append("not stored" if reply is None else "stored")
        elif item.command == "delete":
            said.append("deleted" if reply > 0 else "not found")
        else:
            said.append("ok")
    assert reader.gets() is nothing
    assert not reader.has_data()
    return said


def as_plain_python_says(data: bytes, commands: list[str]) -> Said:
    """What a valid memcache stream says, with no thought for cuts, bounds or speed."""
    said: Said = []
    for command in commands:
        first, _, data = data.partition(b"\r\n")
        word = first.split(b" ")[0].decode()
        if word in ("ERROR", "CLIENT_ERROR", "SERVER_ERROR"):
            said.append(("error reply", first.decode("latin-1")[:200]))
        elif word == "VALUE":
            length = int(first.split(b" ")[3])
            assert command == "get"
            assert data[length : length + 7] == b"\r\nEND\r\n"
            data = data[length + 7 :]
            said.append("hit")
        else:
            said.append({"END": "miss", "VERSION": "ok"}.get(word) or word.lower().replace("_", " "))
    assert data == b""
    return said


memcache_error = st.tuples(
    st.sampled_from([b"ERROR ", b"CLIENT_ERROR ", b"SERVER_ERROR "]),
    text | st.text("e", min_size=450, max_size=700).map(str.encode),
).map(b"".join)
memcache_value = st.builds(
    lambda key, flags, value, cas: b"VALUE %b %d %d%b\r\n%b\r\nEND" % (key, flags, len(value), cas, value),
    st.text("0123456789abcdef", min_size=1, max_size=250).map(str.encode),
    st.integers(0, 2**32 - 1),
    body | st.just(b"END\r\n"),
    st.just(b"") | st.integers(0, 2**64 - 1).map(lambda cas: b" %d" % cas),
)
MEMCACHE_ANSWERS = {
    "get": memcache_value | st.just(b"END"),
    "set": st.sampled_from([b"STORED", b"NOT_STORED"]),
    "backfill": st.sampled_from([b"STORED", b"NOT_STORED"]),
    "delete": st.sampled_from([b"DELETED", b"NOT_FOUND"]),
    "ping": text.map(lambda t: b"VERSION " + t + b"."),
}


@st.composite
def memcache_reply(draw: st.DrawFn) -> Item:
    command = draw(st.sampled_from(sorted(MEMCACHE_ANSWERS)))
    return Item(draw(memcache_error if draw(st.integers(0, 5)) == 0 else MEMCACHE_ANSWERS[command]) + b"\r\n", command)


@st.composite
def pieces(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """The stream as reads deliver it: cut anywhere, or at every byte."""
    if draw(st.integers(0, 5)) == 0:
        cuts = list(range(len(data)))
    else:
        cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=12)))
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def as_we_say(codec: Codec, pieces: list[bytes], commands: list[str]) -> Said:
    decoder, in_line = codec.decoder(), list(commands)
    said = [reply for piece in pieces for reply in decoder.feed(piece, in_line)]
    assert in_line == []
    return said


@given(st.data())
def test_resp_says_what_hiredis_says_wherever_it_is_cut(data: st.DataObject) -> None:
    items = [item for reply in data.draw(st.lists(resp_reply(), max_size=12)) for item in reply]
    stream = b"".join(item.data for item in items)
    commands = [item.command for item in items if item.command]
    expected = as_hiredis_says(items)
    for kind in {reply if isinstance(reply, str) else reply[0] for reply in expected}:
        event(kind)
    assert as_we_say(Resp(), data.draw(pieces(stream)), commands) == expected


ODD = (
    b":01", b":-01", b":-0", b":+1", b":", b":-", b":1x", b":9223372036854775808", b":-9223372036854775809", b": 1",
    b"$-01", b"$+1", b"$-2", b"$01", b"$", b"$-", b"*-01", b"*-2", b"*+1", b"*01",
    b"+PONG\r+PONG", b"+\r", b"+a\nb", b"-ERR\r+OK", b"-\r",
)  # fmt: skip
EVEN = (
    b":1", b":0", b":-1", b":1099511627777", b":9223372036854775807", b":-9223372036854775808", b"$-1", b"*-1", b"_",
    b"+", b"+OK", b"-", b"-ERR",
)  # fmt: skip


@pytest.mark.parametrize("line", [*ODD, *EVEN])
def test_what_hiredis_refuses_is_no_reply_to_any_command(line: bytes) -> None:
    reader = hiredis.Reader()
    reader.feed(line + b"\r\n")
    refused = False
    try:
        reader.gets()
    except hiredis.ProtocolError:
        refused = True
    assert refused == (line in ODD)
    answered = 0
    for command in COMMANDS:
        with contextlib.suppress(ValueError):
            answered += len(Resp().decoder().feed(line + b"\r\n", command))
    assert bool(answered) != refused


@given(st.data())
def test_memcache_says_what_plain_python_says_wherever_it_is_cut(data: st.DataObject) -> None:
    items = data.draw(st.lists(memcache_reply(), max_size=12))
    stream = b"".join(item.data for item in items)
    commands = [item.command for item in items if item.command]
    assert as_we_say(Memcache(), data.draw(pieces(stream)), commands) == as_plain_python_says(stream, commands)
