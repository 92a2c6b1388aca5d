"""The forms of all targets: what a number before a body counts, the tokens of each language, and how bytes are read.

A reader takes well-formed bytes apart, as those of the corpus are, and returns what it does not know as a text.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from loadgen.verify.fuzz.form import Form
from loadgen.verify.fuzz.payload import NUMBERINGS as PAYLOAD_NUMBERINGS
from loadgen.verify.fuzz.payload import read as read_payload
from loadgen.verify.fuzz.piece import DEEPEST, Frame, Numbering, Piece

COMMANDS = ("get", "set", "delete", "ping", "hello", "backfill", "auth", "select")
"""The commands that a reply may answer: rows of `loadgen.command`."""

BYTES = Numbering("bytes", lambda body, pieces: b"%d" % len(body))
ITEMS = Numbering("items", lambda body, pieces: b"%d" % pieces)
PAIRS = Numbering("pairs", lambda body, pieces: b"%d" % (pieces // 2))
LINE = Numbering("line", lambda body, pieces: b"")
"""No number: a line is a frame so that it can be left out as a whole."""

_END = b"\r\n"


# ── RESP ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

_RESP = (BYTES, ITEMS, PAIRS)
_STRINGS, _LISTS, _MAPS = b"$=!", b"*~>", b"%|"


def read_resp(data: bytes) -> tuple[Piece, ...]:
    """Return RESP as pieces: strings and aggregates are frames, and every other line is a text."""
    found: list[Piece] = []
    start = 0
    while start < len(data):
        piece, start = _resp_value(data, start, 0)
        found.append(piece)
    return tuple(found)


def _resp_value(data: bytes, start: int, depth: int) -> tuple[Piece, int]:
    """Return the value that begins at a byte, and where the next one begins."""
    end = data.find(_END, start) + 2
    if end < 2:
        return data[start:], len(data)
    kind, digits = data[start : start + 1], data[start + 1 : end - 2]
    if not digits.isdigit() or depth >= DEEPEST:
        return data[start:end], end
    number = int(digits)
    if kind in _STRINGS and data[end + number : end + number + 2] == _END:
        body = data[end : end + number]
        return Frame(_RESP.index(BYTES), kind, _END, (body,) if body else (), _END), end + number + 2
    if kind not in _LISTS and kind not in _MAPS:
        return data[start:end], end
    numbering, elements = (ITEMS, number) if kind in _LISTS else (PAIRS, 2 * number)
    inner: list[Piece] = []
    at = end
    while len(inner) < elements and at < len(data):
        piece, at = _resp_value(data, at, depth + 1)
        inner.append(piece)
    if len(inner) < elements:
        return data[start:end], end
    return Frame(_RESP.index(numbering), kind, _END, tuple(inner), b""), at


def _around(*kinds: bytes) -> tuple[Frame, ...]:
    return tuple(
        Frame(0 if kind in _STRINGS else 1 if kind in _LISTS else 2, kind, _END, (), _END if kind in _STRINGS else b"")
        for kind in kinds
    )


RESP_REPLIES = Form(
    "resp_replies",
    read_resp,
    (
        b"\r\n", b"\n", b"\r", b"\0", b"-", b"+", b":", b"!", b"=", b"_", b"$-1\r\n", b"*-1\r\n", b"$0\r\n\r\n",
        b"_\r\n", b"+OK\r\n", b"$?\r\n", b"*?\r\n", b"*0\r\n", b"|0\r\n", b">0\r\n", b"%1\r\n", b"*2147483648\r\n",
        b"*2147483649\r\n", b"$1099511627776\r\n", b"$1099511627777\r\n", b"-" + b"e" * 600, b"x" * 510, b"1" * 520,
        b"*1\r\n" * 300, b"|0\r\n" * 300, b"#t\r\n", b"(1\r\n", b",inf\r\n",
    ),
    _RESP,
    _around(b"$", b"=", b"!", b"*", b"~", b">", b"%", b"|"),
    words=COMMANDS,
    most_items=6,
)  # fmt: skip

RESP_REQUESTS = Form(
    "resp_requests",
    read_resp,
    (
        b"\r\n", b"\n", b"\r", b"\0", b"*0\r\n", b"*-1\r\n", b"$-1\r\n", b"$0\r\n\r\n", b"*1048577\r\n",
        b"$536870913\r\n", b"*1\r\n", b"*3\r\n", b"get k\r\n", b'set k "a b"\r\n', b"'", b'"', b"\\x00", b"+inf",
        b"-inf", b"nan", b"(1", b"[a", b"(", b"0-1", b"$", b"*", b"EX", b"NX", b"COUNT", b"LIMIT", b"WITHSCORES",
        b"a" * 512, b"*1\r\n" * 300, b" " * 300,
    ),
    _RESP,
    _around(b"$", b"*"),
)  # fmt: skip


# ── memcache ──────────────────────────────────────────────────────────────────────────────────────────────────────────

_VALUE = re.compile(rb"(VALUE \S+ [0-9]+ )([0-9]+)((?: [0-9]+)?\r\n)")
_META_VALUE = re.compile(rb"(VA )([0-9]+)([^\r\n]*\r\n)")
_STORE = re.compile(rb"((?:set|add|replace|append|prepend|cas) \S+ [0-9]+ -?[0-9]+ )([0-9]+)([^\r\n]*\r\n)")


def _with_values(head: re.Pattern[bytes]) -> Callable[[bytes], tuple[Piece, ...]]:
    """Return the reader of lines, where one that `head` matches has a value behind it."""

    def read(data: bytes) -> tuple[Piece, ...]:
        found: list[Piece] = []
        start = 0
        while start < len(data):
            line = head.match(data, start)
            end = line.end() + int(line[2]) if line is not None and len(line[2]) < 7 else -1
            if line is not None and data[end : end + 2] == _END:
                body = data[line.end() : end]
                found.append(Frame(0, line[1], line[3], (body,) if body else (), _END))
                start = end + 2
                continue
            end = data.find(_END, start) + 2
            end = end if end >= 2 else len(data)
            found.append(data[start:end])
            start = end
        return tuple(found)

    return read


MEMCACHE_REPLIES = Form(
    "memcache_replies",
    _with_values(_VALUE),
    (
        b"\r\n", b"\n", b"\r", b"\0", b" ", b"END\r\n", b"VALUE k 0 1\r\n", b"VALUE ", b"ERROR", b"ERROR\r\n",
        b"SERVER_ERROR ", b"CLIENT_ERROR ", b"STORED\r\n", b"x" * 510, b"1" * 520, b"SERVER_ERROR " + b"e" * 600,
        b" 18446744073709551615", b"VALUE k 0 1099511627776\r\n",
    ),
    (BYTES,),
    words=COMMANDS[:-2],
    most_items=6,
)  # fmt: skip

_DIALECT_COMMANDS = ("get", "set", "delete", "ping", "backfill", "auth", "noop")

META_REPLIES = Form(
    "meta_replies",
    _with_values(_META_VALUE),
    (
        b"\r\n", b"\n", b"\r", b"\0", b" ", b"EN\r\n", b"HD\r\n", b"NF\r\n", b"NS\r\n", b"MN\r\n", b"VA ", b" O",
        b" kk", b"VA 1 O00000000\r\n", b" O00000001", b" t-1", b"ERROR\r\n", b"SERVER_ERROR ", b"STORED\r\n",
        b"x" * 510, b"SERVER_ERROR " + b"e" * 600, b"VA 1099511627776\r\n",
    ),
    (BYTES,),
    words=_DIALECT_COMMANDS,
    most_items=6,
)  # fmt: skip


def read_messages(data: bytes) -> tuple[Piece, ...]:
    """Return memcache's binary messages: of each its header and its body are texts."""
    found: list[Piece] = []
    start = 0
    while len(data) - start >= 24:
        body = start + 24
        end = body + int.from_bytes(data[start + 8 : start + 12])
        if end > len(data):
            break
        found += [part for part in (data[start:body], data[body:end]) if part]
        start = end
    return (*found, data[start:]) if start < len(data) else tuple(found)


BINARY_REPLIES = Form(
    "binary_replies",
    read_messages,
    (
        b"\0", b"\x81", b"\x80", b"\xff", b"\0\x01", b"\0\0\0\x04", b"\xff\xff\xff\xff", b"\x81\x0a" + bytes(22),
        b"\x81\x00\x00\x00\x04" + bytes(19), b"ERROR\r\n", b"x" * 600,
    ),
    words=_DIALECT_COMMANDS,
    most_items=6,
)  # fmt: skip

MEMCACHE_REQUESTS = Form(
    "memcache_requests",
    _with_values(_STORE),
    (
        b"\r\n", b"\n", b"\r", b"\0", b" ", b" noreply", b"get ", b"gets ", b"set k 0 0 1\r\na\r\n", b"mn\r\n",
        b"mg k v\r\n", b"ms k 1\r\na\r\n", b"a" * 251, b"x" * 2000, b" 18446744073709551615", b"-1",
    ),
    (BYTES,),
)  # fmt: skip


# ── Texts ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

_TOML_TOKEN = re.compile(rb"[A-Za-z0-9_]+|[ \t]+|\"{3}|[^A-Za-z0-9_ \t]", re.DOTALL)


def read_lines(data: bytes) -> tuple[Piece, ...]:
    """Return each line as a frame of its tokens."""
    return tuple(
        Frame(0, b"", b"", tuple(_TOML_TOKEN.findall(line.removesuffix(b"\n"))), b"\n" * line.endswith(b"\n"))
        for line in data.splitlines(keepends=True)
    )


TOML = Form(
    "toml",
    read_lines,
    (
        b"\n", b"\r\n", b"\r", b"\0", b"\xff", b'"', b"'", b'"""', b"'''", b"=", b".", b",", b"{", b"}", b"[", b"]",
        b"[[", b"]]", b"#", b"true", b"false", b"inf", b"-inf", b"nan", b"0x10", b"1_000", b"1979-05-27",
        b"1979-05-27T07:32:00Z", b"10:00:00", b'"10s"', b'"1us"', b'"100y"', b'"50%"', b"\\u0000", b"\\uD800", b"\\",
        b"{}", b"[]", b"[[]]", b"[" * 40, b"a." * 40, b"\xe2\x80\xae", b"\xc2\x9b", b'""', b"{a=1}", b"[1,2,3]",
    ),
    (LINE,),
    (Frame(0, b"[", b"", (), b"]"), Frame(0, b'"', b"", (), b'"'), Frame(0, b"{ a = ", b"", (), b" }")),
    words=("configuration", "scenario"),
    most_items=2,
)  # fmt: skip

_EXPRESSION_TOKEN = re.compile(rb"[A-Za-z_\xc2\xb5]+|[0-9.]+|[ ]+|[<>=!]+|.", re.DOTALL)

EXPRESSIONS = Form(
    "expressions",
    lambda data: tuple(_EXPRESSION_TOKEN.findall(data)),
    (
        b" and ", b" or ", b" not ", b"not", b"<", b"<=", b">", b">=", b"==", b"!=", b"=", b"+", b"-", b"*", b"/",
        b"(", b")", b"[", b"]", b",", b"%", b"ms", b"us", b"\xc2\xb5s", b"/s", b"/min", b" MB", b"p99", b"p99[get]",
        b"errors[node 1]", b"growth(fds)", b"count(wrong)", b"ok", b"1e9", b".5", b"5.", b"\0", b"\xff", b"\n",
        b"(" * 50, b"-" * 50, b"not " * 50, b"[a, b]", b"[node 999999999]", b"1/0", b"0 * p99", b"\xe2\x89\xa4",
    ),
    most_items=2,
)  # fmt: skip


# ── HTTP ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

_JSON_TOKEN = re.compile(rb'"[^"]*"|[-0-9.]+|[a-z]+|\s+|.', re.DOTALL)
_LENGTH = re.compile(rb"(Content-Length: )([0-9]+)(\r\n\r\n)")


def read_http(data: bytes) -> tuple[Piece, ...]:
    """Return a request as the lines of its head, and a frame of the tokens of its body."""
    length = _LENGTH.search(data)
    if length is None:
        return tuple(data.splitlines(keepends=True))
    body = tuple(_JSON_TOKEN.findall(data[length.end() :]))
    lines = data[: length.start()].splitlines(keepends=True)
    return (*lines, Frame(0, length[1], length[3], body, b""))


HTTP = Form(
    "http",
    read_http,
    (
        b"\r\n", b"\n", b"\r", b"\0", b"\xff", b": ", b" ", b"/", b"?", b"%", b"%00", b"%2f", b"%zz", b"..", b"{",
        b"}", b"[", b"]", b'"', b",", b":", b"null", b"true", b"-1", b"1e400", b'"\\ud800"', b'"\\u0000"', b"\\", b"{}",
        b"[]", b"[" * 250, b'{"a":' * 250, b"POST", b"DELETE", b"PATCH", b"HEAD", b"OPTIONS", b"/proxies",
        b"/proxies/a", b"/proxies/a/toxics",
        b"/populate", b"/reset", b"/metrics", b"/loadgen/effects", b"/loadgen/draws", b"HTTP/1.0",
        b"HTTP/2.0", b"Transfer-Encoding: chunked\r\n", b"Expect: 100-continue\r\n", b"Connection: close\r\n",
        b"Content-Length: 0\r\n", b"0\r\n\r\n", b"5\r\nhello\r\n", b"ffffffff\r\n", b"A: " + b"h" * 1500 + b"\r\n",
        b'"type":"slicer"', b'"stream":"upstream"', b'"toxicity":2', b'"attributes":{"latency":9}', b'"127.0.0.1:0"',
    ),
    (BYTES,),
    most_items=5,
)  # fmt: skip


PAYLOADS = Form(
    "payloads",
    read_payload,
    (
        b"\0", b"\xff", b"\xc0\x01", b"\xc1\x00\x01", b"\xc2\x00\x00\x00\x01", b"\xc3\x05\x05hello",
        b"\xc3\x02\x40\x00aa",
        b"\x80\xff\xff\xff\xff", b"\x81\xff\xff\xff\xff\xff\xff\xff\xff", b"\x40\x00", b"\x7f\xff", b"\x01a",
        b"\x81a\x02", b"\xf1\x00\x00\x03", b"\xf4\xff\xff\xff\xff\xff\xff\xff\xff\x09", b"\xe0\x00",
        b"\xf0\x00\x00\x00\x00",
        b"\0\0\0\0\0\0\xf8\x7f", b"\0\0\0\0\0\0\xf0\x7f", b"\0" * 16,
    ),
    PAYLOAD_NUMBERINGS,
    (Frame(0, b"", b"", (), b""), Frame(1, b"", b"", (), b"")),
    numbers=(
        b"\x00", b"\x01", b"\x02", b"\x3f", b"\x40\x00", b"\x40\x40", b"\x7f\xff", b"\x80\x00\x00\x00\x01",
        b"\x80\x00\x01\x00\x00", b"\x80\x7f\xff\xff\xff", b"\x80\xff\xff\xff\xff", b"\x81\0\0\0\x01\0\0\0\0",
        b"\x81" + b"\xff" * 8, b"\xc0\x05", b"\xc1\x05\x00", b"\xc3\x05\x05", b"\xff", b"\x07\0\0\0\0\0",
        b"\x13\0\0\0\xff\xff", b"\xff\xff\xff\xff\x01\0", b"",
    ),
    most_items=1,
)  # fmt: skip
