"""The history of requests: invented bytes and times in, exact records out."""

from __future__ import annotations

import os
import resource
import struct
import zlib
from pathlib import Path
from typing import NamedTuple, Self

import pytest

from loadgen._resp import Resp
from loadgen.engine._history import History, identity, marked, refuses
from loadgen.engine._pipeline_face import PipelineFace
from loadgen.engine._recorder import Recorder
from loadgen.verify.history._operations import RECORD_BYTES
from loadgen.verify.history.file import BLOCK, Metadata, header, read

RUN = 0xABCD_EF01_2345_6789
OPEN = 2**63 - 1
TIMEOUT = 1000
READ, WRITE, DELETE = range(3)
OK, NOT_DONE, UNKNOWN, MISS = range(4)


class Record(NamedTuple):
    call: int
    back: int
    key: int
    value: int
    process: int
    op: int
    outcome: int
    server: int


def records(blocks: bytes) -> list[Record]:
    """The records of whole blocks, each checked."""
    found: list[Record] = []
    while blocks:
        magic, _, count, crc = struct.unpack_from("<4I", blocks)
        body = blocks[16 : 16 + count * RECORD_BYTES]
        assert magic == BLOCK
        assert len(body) == count * RECORD_BYTES
        assert crc == zlib.crc32(body)
        found += [Record(*fields) for fields in struct.iter_unpack("<2q2QI2BH", body)]
        blocks = blocks[16 + len(body) :]
    return found


class Line(PipelineFace):
    """A pipeline of RESP with a history, as `kept`."""

    history: History

    def __new__(cls, share: float = 1.0) -> Self:
        history = History(3, RUN, share)
        line = super().__new__(cls, Resp(run=RUN), Recorder(), 8, TIMEOUT, history=history)
        line.history = history
        return line

    def __init__(self, share: float = 1.0) -> None:
        pass

    def kept(self) -> list[Record]:
        return records(self.history.blocks())


def hit(key: int, value: int) -> bytes:
    return b"$64\r\n" + marked(RUN, key, value) + b"v" * 48 + b"\r\n"


@pytest.mark.parametrize(
    ("command", "value", "reply", "expected"),
    [
        ("get", 0, hit(5, 9), (9, READ, OK)),
        ("get", 0, b"$-1\r\n", (0, READ, MISS)),
        ("set", 7, b"+OK\r\n", (7, WRITE, OK)),
        ("set", 7, b"$-1\r\n", (7, WRITE, NOT_DONE)),
        ("backfill", 7, b"+OK\r\n", (7, WRITE, OK)),
        ("delete", 0, b":1\r\n", (0, DELETE, OK)),
        ("delete", 0, b":0\r\n", (0, DELETE, MISS)),
        ("set", 7, b"-OOM no memory left\r\n", (7, WRITE, NOT_DONE)),
    ],
)
def test_a_reply_closes_the_record_of_its_request(
    command: str, value: int, reply: bytes, expected: tuple[int, int, int]
) -> None:
    line = Line()
    line.push("ping", "measure", 100, 100)
    line.push(command, "measure", 90, 100, key=5, value=value)
    line.feed(b"+PONG\r\n" + reply, 200)
    assert line.kept() == [Record(100, 200, 5, expected[0], 1, expected[1], expected[2], 0)]


def test_an_error_that_does_not_say_that_nothing_was_done_leaves_a_write_open() -> None:
    line = Line()
    line.push("set", "measure", 100, 100, key=5, value=7)
    line.feed(b"-ERR Connection timed out\r\n", 200)
    assert line.kept() == [Record(100, OPEN, 5, 7, 0, WRITE, UNKNOWN, 0)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"OOM command not allowed when used memory > 'maxmemory'.", True),
        (b"READONLY You can't write against a read only replica.", True),
        (b"OOM", True),
        (b"OOMPH", False),
        (b"ERR Connection timed out", False),
        (b"SERVER_ERROR out of memory storing object", True),
        (b"SERVER_ERROR object too large for cache", True),
        (b"SERVER_ERROR timeout", False),
        (b"CLIENT_ERROR bad data chunk", True),
        (b"ERROR", True),
        (b"", False),
    ],
)
def test_refusals_are_told_from_other_errors(text: bytes, expected: bool) -> None:
    assert refuses(text) is expected


def test_a_timeout_stays_open_and_its_late_reply_closes_nothing() -> None:
    line = Line()
    line.push("set", "measure", 100, 100, key=5, value=7)
    line.push("get", "measure", 100, 900, key=5)
    line.expire(100 + TIMEOUT)
    line.feed(b"+OK\r\n" + hit(5, 7), 100 + TIMEOUT + 1)
    assert line.kept() == [
        Record(100, OPEN, 5, 7, 0, WRITE, UNKNOWN, 0),
        Record(900, 101 + TIMEOUT, 5, 7, 1, READ, OK, 0),
    ]


def test_a_timed_out_request_that_is_not_written_may_still_go_out() -> None:
    line = Line()
    line.push("set", "measure", 100, 100, key=5, value=7, written=False)
    line.expire(100 + TIMEOUT)
    assert [record.outcome for record in line.kept()] == [UNKNOWN]


def test_a_lost_connection_leaves_open_what_was_sent_and_closes_what_was_not() -> None:
    line = Line()
    line.push("set", "prefill", 100, 100, key=5, value=7)
    line.push("set", "prefill", 100, 100, key=6, value=8, written=False)
    line.abandon()
    assert [(r.key, r.outcome, r.back) for r in line.kept()] == [(5, UNKNOWN, OPEN), (6, NOT_DONE, 100)]


def test_what_is_unfinished_is_open_where_it_was_sent() -> None:
    line = Line()
    line.push("delete", "measure", 100, 100, key=5)
    line.push("set", "measure", 100, 100, key=6, value=8, written=False)
    line.finish(300)
    assert [(r.key, r.outcome, r.back) for r in line.kept()] == [(5, UNKNOWN, OPEN), (6, NOT_DONE, 300)]


def test_garbage_leaves_its_request_open() -> None:
    line = Line()
    line.push("set", "measure", 100, 100, key=5, value=7)
    line.feed(b"HTTP/1.1 400 Bad Request\r\n", 200)
    assert line.kept() == [Record(100, OPEN, 5, 7, 0, WRITE, UNKNOWN, 0)]


def test_a_request_that_is_sent_again_has_one_record_from_when_it_was_due() -> None:
    line = Line()
    line.push("set", "measure", 50, 100, key=5, value=7)
    line.abandon(received=0)
    assert line.kept() == []
    line.take_requeued(500)
    line.feed(b"+OK\r\n", 600)
    assert line.kept() == [Record(50, 600, 5, 7, 0, WRITE, OK, 0)]


def test_a_request_that_is_sent_again_and_refused_stays_open() -> None:
    line = Line()
    line.push("set", "measure", 50, 100, key=5, value=7)
    line.abandon(received=0)
    line.take_requeued(500)
    line.feed(b"-OOM no memory left\r\n", 600)
    assert line.kept() == [Record(50, OPEN, 5, 7, 0, WRITE, UNKNOWN, 0)]


def test_greetings_are_not_in_a_history() -> None:
    line = Line()
    line.push("get", "precheck", 0, 0)
    line.push("ping", "measure", 0, 0)
    line.feed(b"$-1\r\n+PONG\r\n", 10)
    assert line.kept() == []


def test_a_sample_has_all_requests_of_a_key_or_none() -> None:
    line, keys = Line(share=0.25), range(400)
    for key in keys:
        for _ in range(3):
            line.push("get", "measure", 0, 0, key=key)
            line.feed(b"$-1\r\n", 10)
    found = [record.key for record in line.kept()]
    sampled = sorted(set(found))
    assert sorted(found) == sorted(3 * sampled)
    assert 60 < len(sampled) < 140


def test_a_larger_sample_has_the_keys_of_a_smaller_one() -> None:
    def of(share: float) -> set[int]:
        line = Line(share)
        for key in range(300):
            line.push("get", "measure", 0, 0, key=key)
            line.feed(b"$-1\r\n", 10)
        return {record.key for record in line.kept()}

    assert of(0.1) < of(0.3) < of(1.0) == set(range(300))


def fill(history: History, requests: int) -> None:
    """End this many reads by a miss."""
    line = PipelineFace(Resp(run=RUN), Recorder(), 8, TIMEOUT, history=history)
    for number in range(requests):
        line.push("get", "measure", number, number, key=number)
        line.feed(b"$-1\r\n", number + 1)


def test_a_file_has_whole_blocks_of_several_workers(tmp_path: Path) -> None:
    path = tmp_path / "history"
    path.write_bytes(header(Metadata(workers=2)))
    histories = [History(n, RUN, file=os.open(path, os.O_WRONLY | os.O_APPEND)) for n in range(2)]
    for _ in range(3):
        for history in histories:
            fill(history, 700)
    for history in histories:
        history.close()
        assert history.counts() == {
            "records": 2100, "ok": 0, "not_done": 0, "unknown": 0, "miss": 2100, "undrawn": 0,
        }  # fmt: skip
    back = read(path)
    assert (len(back.operations), back.unclosed) == (4200, ())


def test_a_full_disk_ends_a_history_with_its_last_whole_block(tmp_path: Path) -> None:
    path = tmp_path / "history"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    path.write_bytes(header(Metadata(workers=1)))
    history = History(0, RUN, file=os.open(path, os.O_WRONLY | os.O_APPEND))
    # A limit on a file's size ends a write as a full disk does: after a part of it.
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        fill(history, 5000)
        history.write_out()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    history.close()
    assert history.error
    assert history.counts()["records"] == 2048 == len(read(path).operations)
    assert (read(path).torn_bytes, read(path).unclosed) == (0, (0,))


def test_identities_are_of_a_worker() -> None:
    assert identity(RUN, 1, marked(RUN, 1, 3 << 48 | 1)) == 3 << 48 | 1


@pytest.mark.parametrize(("worker", "run", "share"), [(1 << 14, RUN, 1.0), (-1, RUN, 1.0), (0, 0, 1.0), (0, RUN, 0.0)])
def test_histories_out_of_range_are_refused(worker: int, run: int, share: float) -> None:
    with pytest.raises(ValueError, match="no history is kept"):
        History(worker, run, share)
