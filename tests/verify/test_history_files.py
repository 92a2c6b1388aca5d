"""The binary file of a history: what was written comes back, and what is damaged is refused with its place."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from simulated_register import simulated

from loadgen.errors import OutputError, UsageError
from loadgen.verify.history import file
from loadgen.verify.history._operations import CAS, CAS_TO, READ, RECORD_BYTES, WRITE, Operations
from loadgen.verify.history.file import Metadata, Writer

METADATA = Metadata("loadgen test", "virtual", "resp", "key:%d", 0.25, {"seed": 7})
HEAD = 16
"""Bytes of a block before its records."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A history of two blocks, of 3 and 2 operations."""
    with Writer(tmp_path / "some.lghist", METADATA, worker=3) as writer:
        writer.write(some(3))
        writer.write(some(2))
    return tmp_path / "some.lghist"


def some(count: int) -> Operations:
    found = Operations()
    for number in range(count):
        found.append(WRITE, 2**63 + number, 2**64 - 2, -5, 10**18 + number, 2**32 - 1, 2, 2**16 - 1)
    return found


def rows(operations: Operations) -> list[tuple[int, ...]]:
    return [operations[index] for index in range(len(operations))]


def first_block(path: Path) -> int:
    """The offset of the first block."""
    return path.read_bytes().index(struct.pack("<II", file.BLOCK, 3))


def test_a_record_has_forty_bytes_in_the_order_of_the_format() -> None:
    found = Operations()
    found.append(READ, 3, 4, 1, 2, 5, 3, 6)
    assert bytes(memoryview(found)) == struct.pack("<qqQQIBBH", 1, 2, 3, 4, 5, 0, 3, 6)
    assert RECORD_BYTES == 40


def test_what_was_written_comes_back(path: Path) -> None:
    back = file.read(path)
    assert back.metadata == METADATA
    assert rows(back.operations) == rows(some(3)) + rows(some(2))
    assert (back.blocks, back.torn_bytes) == (2, 0)
    assert file.is_history(path)


def test_a_history_of_many_blocks_comes_back(tmp_path: Path) -> None:
    whole = simulated(1, 500)
    with Writer(tmp_path / "h", Metadata()) as writer:
        for start in range(0, 500, 7):
            writer.write(whole.chosen(range(start, min(start + 7, 500))))
    assert rows(file.read(tmp_path / "h").operations) == rows(whole)


def test_a_torn_last_block_is_left_out_and_counted_wherever_it_is_cut(path: Path) -> None:
    whole = path.read_bytes()[:-HEAD]
    """Without the empty block at the end."""
    last = HEAD + 2 * RECORD_BYTES
    for kept in range(1, last):
        path.write_bytes(whole[: len(whole) - last + kept])
        back = file.read(path)
        assert (len(back.operations), back.blocks, back.torn_bytes) == (3, 1, kept)


def test_a_block_that_is_torn_in_the_middle_is_left_out_wherever_it_is_cut(path: Path) -> None:
    whole, first = path.read_bytes(), first_block(path)
    length = HEAD + 3 * RECORD_BYTES
    for kept in range(1, length):
        path.write_bytes(whole[: first + kept] + whole[first + length :])
        back = file.read(path)
        assert rows(back.operations) == rows(some(2))
        assert (back.blocks, back.torn_blocks, back.torn_bytes) == (1, 1, kept)


def test_bytes_between_blocks_that_begin_none_are_damage(path: Path) -> None:
    whole, first = path.read_bytes(), first_block(path)
    for between in (b"x", b"GBLx", b"GBLK" + b"\x01" * 13):
        path.write_bytes(whole[:first] + between + whole[first:])
        with pytest.raises(UsageError, match=rf"no block at offset {first}\b|at offset {first} claims"):
            file.read(path)


def test_a_worker_is_unclosed_until_its_last_block_is_empty(tmp_path: Path) -> None:
    with Writer(tmp_path / "h", Metadata(workers=3)) as writer:
        writer.write(some(1))
    assert file.read(tmp_path / "h").unclosed == (1, 2)
    Writer(tmp_path / "h", worker=2).close()
    assert file.read(tmp_path / "h").unclosed == (1,)
    Writer(tmp_path / "h", worker=2).write(some(1))
    back = file.read(tmp_path / "h")
    assert (back.unclosed, back.blocks) == ((1, 2), 2)


def test_a_history_that_an_exception_ended_is_not_closed(tmp_path: Path) -> None:
    def fail() -> None:
        with Writer(tmp_path / "h", Metadata(workers=1)) as writer:
            writer.write(some(1))
            raise InterruptedError

    with pytest.raises(InterruptedError):
        fail()
    assert file.read(tmp_path / "h").unclosed == (0,)


@pytest.mark.parametrize(
    ("at", "said"),
    [
        (4, "the checksum of the block at offset {} is wrong"),
        (-16, "there is no block at offset {}, where one must begin"),
        (-5, "the block at offset {} claims"),
        (-1, "the checksum of the block at offset {} is wrong"),
    ],
)
def test_a_damaged_block_is_refused_with_its_offset(path: Path, at: int, said: str) -> None:
    block = first_block(path)
    data = bytearray(path.read_bytes())
    data[block + HEAD + at] ^= 0x40
    path.write_bytes(data)
    with pytest.raises(UsageError, match=said.format(block)):
        file.read(path)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is no history: it does not begin with"),
        (b"PK\x03\x04 something", "is no history"),
        (b"LGHIST2\n" + bytes(9), "is a history of version 2, and this loadgen reads version 1"),
        (file.MAGIC, "the metadata at offset 8 is damaged"),
        (file.MAGIC + struct.pack("<I", 5) + b"nope!", "the metadata at offset 8 is damaged"),
        (file.MAGIC + struct.pack("<I", 1 << 31), "the metadata at offset 8 is damaged"),
        (file.MAGIC + struct.pack("<I", 13) + b'{"version":7}', "of another version"),
        (file.MAGIC + struct.pack("<I", 28) + b'{"version":1,"sampling":"x"}', "a field has another type"),
    ],
)
def test_what_is_no_history_is_refused(tmp_path: Path, data: bytes, said: str) -> None:
    (tmp_path / "h").write_bytes(data)
    with pytest.raises(UsageError, match=said):
        file.read(tmp_path / "h")


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ([(6, 1, 1, 0, 1)], "op 6 is unknown"),
        ([(READ, 1, 1, 0, 1, 0, 4)], "outcome 4 is unknown"),
        ([(READ, 1, 1, 2, 1)], "returns before its call"),
        ([(CAS, 1, 1, 0, 1)], "the record after a cas has its new value"),
        ([(CAS_TO, 1, 1, 0, 1)], "a cas that is not there"),
        ([(READ, 1, 1, 0, 1), (CAS_TO, 1, 1, 0, 1)], "it has the new value of a cas"),
    ],
)
def test_a_record_that_is_none_is_refused_with_its_offset(
    tmp_path: Path, records: list[tuple[int, ...]], said: str
) -> None:
    found = some(2)
    for record in records:
        found.append(*record)
    with Writer(tmp_path / "h", METADATA, worker=3) as writer:
        writer.write(found)
    place = first_block(tmp_path / "h") + HEAD + (len(found) - 1) * RECORD_BYTES
    with pytest.raises(UsageError, match=f"the record at offset {place} is none: .*{said}"):
        file.read(tmp_path / "h")


def test_a_block_of_no_whole_records_is_not_made() -> None:
    with pytest.raises(ValueError, match="no whole records"):
        file.block(b"x" * 41)


def test_files_that_cannot_be_read_or_written_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="could not be read: No such file"):
        file.read(tmp_path / "none")
    with pytest.raises(OutputError, match="could not be written"):
        Writer(tmp_path / "none" / "h", METADATA)


def test_operations_do_not_move_while_they_are_looked_at() -> None:
    found = some(3)
    with memoryview(found), pytest.raises(MemoryError):
        found.grow(1_000_000)
    found.grow(1_000_000)
    found.cut(2)
    assert len(found) == 2
