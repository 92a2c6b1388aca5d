"""Lines of a ledger: whole, escaped, and read while they are written."""

import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from loadgen.jobs.ledger import Entry, File, Tail, What, parse

NUMBERS = some.integers(0, 2**63)


@given(
    some.builds(Entry, some.sampled_from(What), some.text(), NUMBERS, some.text(), NUMBERS, NUMBERS, NUMBERS, NUMBERS,
                some.text())
)  # fmt: skip
def test_an_entry_is_one_line_that_is_read_back(entry: Entry):
    line = entry.line()
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert parse(line[:-1]) == entry


@pytest.mark.parametrize("line", [b"", b"begin", b"begin 1 x - 0 0 0 0 -", b"never 1 2 - 0 0 0 0 -", b"\xff\xfe"])
def test_what_is_no_entry_is_none(line: bytes):
    assert parse(line) is None


def test_a_tail_returns_whole_lines_only_and_each_once(tmp_path: Path):
    path = tmp_path / "ledger"
    tail = Tail(path)
    assert [*tail.news()] == []
    first = Entry(What.BEGIN, "1.0", 5)
    second = replace(first, what=What.END)
    path.write_bytes(first.line() + second.line()[:7])
    assert [*tail.news()] == [first]
    with path.open("ab") as file:
        file.write(second.line()[7:] + b"no entry\n")
    assert [*tail.news()] == [second]
    assert tail.damaged == 1
    assert [*tail.news()] == []


def test_processes_that_write_at_once_leave_whole_lines(tmp_path: Path):
    path = tmp_path / "ledger"
    children = []
    for number in range(4):
        if (pid := os.fork()) == 0:
            with File(str(path)) as ledger:
                for n in range(500):
                    ledger.write(Entry(What.BEGIN, f"{number}.{n}", n, "w" * (n % 50)))
            os._exit(0)
        children.append(pid)
    for pid in children:
        os.waitpid(pid, 0)
    tail = Tail(path)
    assert len({entry.job for entry in tail.news()}) == 2_000
    assert tail.damaged == 0


def test_a_full_disk_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    with File(str(tmp_path / "ledger")) as ledger:
        monkeypatch.setattr(os, "write", lambda fd, data: len(data) - 1)
        with pytest.raises(OSError, match="full") as found:
            ledger.write(Entry(What.BEGIN, "1.0"))
        assert found.value.errno == errno.ENOSPC
