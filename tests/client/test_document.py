"""Every example of docs/CLIENT.md runs as it stands there, and its tables are complete."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from dataclasses import fields
from typing import get_type_hints

import pytest
from places import ROOT
from real_servers import RealServer

from loadgen import client
from loadgen.client import CacheError, Client, NodeStats, Options, PoolStats
from loadgen.client.options import Keywords

TEXT = (ROOT / "docs/CLIENT.md").read_text()
EXAMPLES = re.findall(r"^```python\n(.*?)^```", TEXT, re.M | re.S)
PRINTS = (
    r"b'hello'\nNone\n1\n",
    r"(user:\d ConnectionRefused\n)+",
    r"\{b'loaded from the database'\}\n",
    r"closed 20 \d+\n",
)


@pytest.mark.parametrize("number", range(len(EXAMPLES)), ids=lambda number: f"example{number + 1}")
def test_an_example_runs(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    with RealServer.memcached() as server:
        example = EXAMPLES[number].replace("11211", str(server.port)).replace("timeout_s=0.5", "timeout_s=20")
        exec(compile(example, f"docs/CLIENT.md, example {number + 1}", "exec"), {"__name__": "example"})
    assert re.fullmatch(PRINTS[number], capsys.readouterr().out)


def rows(heading: str) -> list[list[str]]:
    """The cells of the table under a heading."""
    part = TEXT.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in part.splitlines() if line.startswith("| `")]


def test_the_table_of_errors_has_every_error_with_its_base() -> None:
    named = {re.match(r"`(\w+)`", first)[1]: first for first, *_ in rows("Errors")}  # type: ignore[index]
    assert set(named) == {error.__name__ for error in CacheError.__subclasses__()}
    for error in CacheError.__subclasses__():
        bases = [f"`{base.__name__}`" for base in error.__bases__ if base is not CacheError]
        assert re.findall(r"\(an? (`\w+`)\)", named[error.__name__]) == bases


def test_the_table_of_options_has_every_option_with_its_default() -> None:
    told = {first.strip("`"): default for first, default, *_ in rows("Options")}
    assert told.pop("on_transition") == "None"
    assert told.pop("connect_timeout_s") == "`timeout_s`"
    defaults = {field.name: field.default for field in fields(Options) if field.name != "connect_timeout_s"}
    assert {name: eval(default.strip("`")) for name, default in told.items()} == defaults


def test_the_keywords_of_a_client_are_its_options() -> None:
    assert get_type_hints(Keywords) == get_type_hints(Options)


def test_the_guide_names_every_operation_and_every_statistic() -> None:
    operations = {name for name, _ in inspect.getmembers(Client, inspect.isfunction) if not name.startswith("_")}
    assert [name for name in operations if not re.search(rf"`{name}[(`]", TEXT)] == []
    for value in (NodeStats, PoolStats):
        assert [field.name for field in fields(value) if f"{field.name}`" not in TEXT] == []
    assert [name for name in client.__all__ if not hasattr(client, name)] == []


def test_the_client_is_reached_from_the_package() -> None:
    program = "import loadgen; print(loadgen.client.Client.__module__)"
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert printed.stdout == "loadgen.client.client\n"
