"""The tables of docs/RESULTS.md and the JSON Schema have the same source."""

from __future__ import annotations

import os
import re

import pytest
from places import ROOT

from loadgen.record.schema.field import Table, field, fields, part, record
from loadgen.record.schema.records import RECORD, TABLES
from loadgen.record.schema.shape import COUNT, TEXT

RESULTS = ROOT / "docs" / "RESULTS.md"
TABLE = re.compile(r"\| Field \| Meaning \|\n\|---\|---\|\n(?:\|.*\n)+")


def section(text: str, heading: str) -> tuple[int, int]:
    """From where to where the section of a heading goes."""
    found = re.search(rf"^##+ `{heading}`\n(?:(?!##).*\n?)*", text, re.MULTILINE)
    assert found is not None
    return found.span()


@pytest.mark.parametrize("heading", TABLES)
def test_the_document_has_the_tables_of_the_schema(heading: str) -> None:
    """`RESULTS=write` in the environment writes them anew; read their diff before you keep them."""
    text = RESULTS.read_text(encoding="utf-8")
    begin, end = section(text, heading)
    tables = [table.markdown() for table in TABLES[heading]]
    assert len(TABLE.findall(text[begin:end])) == len(tables)
    if os.environ.get("RESULTS") == "write":
        written = iter(tables)
        anew = TABLE.sub(lambda _: next(written), text[begin:end])
        RESULTS.write_text(text[:begin] + anew + text[end:], encoding="utf-8")
        text = RESULTS.read_text(encoding="utf-8")
        begin, end = section(text, heading)
    assert TABLE.findall(text[begin:end]) == tables


def test_every_record_has_its_table() -> None:
    kinds = [kind["properties"]["type"]["const"] for kind in RECORD["oneOf"]]
    assert set(kinds) < set(TABLES)
    for kind, schema in zip(kinds, RECORD["oneOf"], strict=True):
        assert TABLES[kind][0].schema is schema


def test_a_table_is_schema_and_markdown_at_once() -> None:
    table = record(
        "made-up",
        field("number", COUNT, "from 1"),
        fields({"a": TEXT, "b": COUNT}, "of two kinds", optional=("b",)),
        field("rare", TEXT, "only here", optional=True),
    )
    assert isinstance(table, Table)
    assert table.schema["required"] == ["type", "ts", "number", "a"]
    assert [*table.schema["properties"]] == ["type", "ts", "number", "a", "b", "rare"]
    assert table.schema["properties"]["b"] is COUNT
    assert table.markdown().splitlines()[2:] == [
        "| `number` | from 1 |",
        "| `a`, `b` | of two kinds |",
        "| `rare` | only here |",
    ]
    assert [*part(field("a", TEXT, "")).schema["properties"]] == ["a"]
