"""Every key that tomli finds has a position, and the key's name stands at that position."""

import re

import pytest
import tomli
from hypothesis import given, reject
from hypothesis import strategies as st

from loadgen.config.document.positions import key_positions
from loadgen.config.tables.table import Path

NAMES = st.one_of(
    st.text("abz-_019", min_size=1, max_size=4),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=4),
    st.sampled_from(["a.b", "#", "[x]", "=", '"', "'", "{", "\\", "tab\t"]),
)
TRICKY = ["", "#", "]", "}", "a = 1", "'", '"', "[t]", "\\", ",", "line\nend", "'''", '"""', 'x""', "x''"]
TEXTS = st.one_of(st.sampled_from(TRICKY), st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=6))
SCALARS = ["1", "0x1F", "1_000", "-3.5e-3", "nan", "true", "1979-05-27", "1979-05-27 07:32:00", "07:32:00"]
BLANKS = ["", " ", "\t ", "  "]
NEWLINES = ["\n", "\n\n", ' # a = 1 [x] "\n', "\n  # '''\n", "\t\n"]


@st.composite
def documents(draw: st.DrawFn) -> str:
    """TOML in every notation: headers, dotted keys, arrays of tables, inline tables, all four kinds of string."""
    out: list[str] = []
    newline = draw(st.sampled_from(["\n", "\r\n"]))

    def blank() -> str:
        return draw(st.sampled_from(BLANKS))

    def gap() -> str:
        return draw(st.sampled_from([*BLANKS, *NEWLINES]))

    def name(text: str) -> str:
        if re.fullmatch(r"[A-Za-z0-9_-]+", text) and draw(st.booleans()):
            return text
        if "'" not in text and draw(st.booleans()):
            return f"'{text}'"
        return basic(text)

    def basic(text: str) -> str:
        return '"' + "".join(f"\\u{ord(c):04x}" if c in '"\\\n\t' else c for c in text) + '"'

    def string() -> str:
        text = draw(TEXTS)
        literal = "'" not in text and "\n" not in text
        kind = draw(st.integers(0, 3))
        if kind == 1 and literal:
            return f"'{text}'"
        if kind == 2:
            return '"""' + re.sub(r'"""', r'""\\"', text.replace("\\", "\\\\")) + '"""'
        if kind == 3 and "'''" not in text:
            return f"'''{text}'''"
        return basic(text)

    def value(depth: int) -> str:
        kind = draw(st.integers(0, 3 if depth else 1))
        if kind == 0:
            return draw(st.sampled_from(SCALARS))
        if kind == 1:
            return string()
        if kind == 2:
            elements = [f"{gap()}{value(depth - 1)}{gap()}" for _ in range(draw(st.integers(0, 3)))]
            return "[" + ",".join(elements) + ("," if elements and draw(st.booleans()) else "") + gap() + "]"
        keys = draw(st.lists(NAMES, max_size=3, unique=True))
        return "{" + ",".join(f"{blank()}{assignment(key, depth - 1)}{blank()}" for key in keys) + "}"

    def assignment(key: str, depth: int) -> str:
        dotted = [name(part) for part in (key, *draw(st.lists(NAMES, max_size=2)))]
        return f"{blank()}{f'{blank()}.{blank()}'.join(dotted)}{blank()}={blank()}{value(depth)}"

    def body() -> None:
        for key in draw(st.lists(NAMES, max_size=3, unique=True)):
            out.append(assignment(key, 2) + draw(st.sampled_from(NEWLINES)))

    body()
    for _ in range(draw(st.integers(0, 4))):
        header = f"{blank()}.{blank()}".join(name(part) for part in draw(st.lists(NAMES, min_size=1, max_size=3)))
        opening, closing = draw(st.sampled_from([("[", "]"), ("[[", "]]")]))
        out.append(f"{blank()}{opening}{blank()}{header}{blank()}{closing}" + draw(st.sampled_from(NEWLINES)))
        body()
    return "".join(out).replace("\n", newline)


def paths_of(value: object, path: Path = ()) -> list[Path]:
    if isinstance(value, dict):
        return [p for key, inner in value.items() for p in [(*path, key), *paths_of(inner, (*path, key))]]
    if isinstance(value, list):
        return [p for i, inner in enumerate(value) for p in [(*path, i), *paths_of(inner, (*path, i))]]
    return []


@given(documents())
def test_every_path_that_tomli_returns_has_a_position_at_which_its_name_stands(text: str) -> None:
    try:
        tree = tomli.loads(text)
    except tomli.TOMLDecodeError:
        # A key or a table given twice. Were this the rule, Hypothesis would fail the test for filtering too much.
        reject()
    positions = key_positions(text)
    assert set(paths_of(tree)) == set(positions)
    lines = text.replace("\r\n", "\n").split("\n")
    for path, (line, column) in positions.items():
        key = next(part for part in reversed(path) if isinstance(part, str))
        rest = lines[line - 1][column - 1 :]
        if isinstance(path[-1], int):
            continue
        written = re.match(r'"(?:[^"\\]|\\.)*"|\'[^\']*\'|[A-Za-z0-9_-]+', rest)
        assert written is not None, (path, rest)
        assert next(iter(tomli.loads(f"{written[0]} = 1"))) == key


def test_every_notation_has_the_positions_that_a_reader_would_point_at() -> None:
    text = "top = 1\n[a.b]  # c = 2\n  x.y = [1, '''\n]''', {z = 3}]\n[a]\n[[t]]\n[[t]]\n[t.u]\nv = \"#\" # w = 1\n"
    assert key_positions(text) == {
        ("top",): (1, 1),
        ("a",): (5, 2),
        ("a", "b"): (2, 4),
        ("a", "b", "x"): (3, 3),
        ("a", "b", "x", "y"): (3, 5),
        ("a", "b", "x", "y", 0): (3, 10),
        ("a", "b", "x", "y", 1): (3, 13),
        ("a", "b", "x", "y", 2): (4, 7),
        ("a", "b", "x", "y", 2, "z"): (4, 8),
        ("t",): (6, 3),
        ("t", 0): (6, 3),
        ("t", 1): (7, 3),
        ("t", 1, "u"): (8, 4),
        ("t", 1, "u", "v"): (9, 1),
    }


@pytest.mark.parametrize("text", ["", "\n", "# only a comment", "a=1", "a = { b = 1,\n c = 2 }", "a = [\n 1, # x\n]"])
def test_short_documents_are_scanned_to_their_end(text: str) -> None:
    assert set(key_positions(text)) == set(paths_of(tomli.loads(text)))
