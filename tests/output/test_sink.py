"""Outputs and their readers: a slow reader gets everything, and no load waits for a reader that does not read."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest

from loadgen.errors import OutputError, ReaderGone
from loadgen.output.paper import sink

TEXT = "0123456789abcde\n" * 40_000
"""More than any pipe holds."""


@pytest.fixture
def pipe() -> Iterator[tuple[int, TextIO]]:
    reader, writer = os.pipe()
    with open(writer, "w", encoding="utf-8") as stream:  # noqa: PTH123 - a descriptor
        yield reader, stream


def everything(reader: int, into: list[bytes]) -> None:
    while part := os.read(reader, 10_000):
        into.append(part)


def test_a_writer_does_not_wait_for_a_slow_reader_who_gets_everything(pipe: tuple[int, TextIO]) -> None:
    reader, stream = pipe
    one = sink.Sink(stream)
    one.write(TEXT)  # Nobody reads: this returns.
    one.write("the end\n")
    received: list[bytes] = []
    thread = threading.Thread(target=everything, args=(reader, received))
    thread.start()
    sink.settle()
    stream.close()
    thread.join()
    os.close(reader)
    assert b"".join(received).decode() == f"{TEXT}the end\n"


def test_a_reader_that_takes_nothing_is_given_up(pipe: tuple[int, TextIO], monkeypatch: pytest.MonkeyPatch) -> None:
    reader, stream = pipe
    monkeypatch.setattr(sink, "PATIENCE_S", 0.05)
    sink.Sink(stream).write(TEXT)
    with pytest.raises(OutputError, match=r"its reader took nothing for 0\.05 s$"):
        sink.settle()
    sink.settle()  # It is not tried again.
    os.close(reader)


def test_a_stream_that_was_closed_is_said_and_the_others_get_everything(pipe: tuple[int, TextIO]) -> None:
    reader, stream = pipe
    gone, closed = os.pipe()
    with open(closed, "w", encoding="utf-8") as early:  # noqa: PTH123 - a descriptor
        sink.Sink(early).write(TEXT)
    sink.Sink(stream).write(TEXT)
    received: list[bytes] = []
    thread = threading.Thread(target=everything, args=(reader, received))
    thread.start()
    with pytest.raises(OutputError, match=r"could not be written to .*: it is closed$"):
        sink.settle()
    stream.close()
    thread.join()
    os.close(reader)
    os.close(gone)
    assert b"".join(received).decode() == TEXT


def test_what_is_kept_for_a_reader_is_bounded(pipe: tuple[int, TextIO], monkeypatch: pytest.MonkeyPatch) -> None:
    reader, stream = pipe
    monkeypatch.setattr(sink, "PATIENCE_S", 0.05)
    one = sink.Sink(stream)
    with pytest.raises(OutputError, match="took nothing"):
        one.write(TEXT * 10)
    os.close(reader)


def test_a_reader_that_has_gone_is_its_own_kind_of_trouble(pipe: tuple[int, TextIO]) -> None:
    reader, stream = pipe
    os.close(reader)
    with pytest.raises(ReaderGone):
        sink.Sink(stream).write("x\n")


def test_a_fifo_waits_for_its_reader_but_not_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    monkeypatch.setattr(sink, "READER_S", 0.05)
    with pytest.raises(OutputError, match=r"^nobody reads .*fifo, a FIFO: start its reader first, or name a file$"):
        sink.open_results(str(path))
    monkeypatch.setattr(sink, "READER_S", 20.0)
    read: list[str] = []
    thread = threading.Thread(target=lambda: read.append(path.read_text()))
    thread.start()
    with sink.open_results(str(path)) as stream:
        sink.Sink(stream).write("x\n")
    thread.join()
    assert read == ["x\n"]
