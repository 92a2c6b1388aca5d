"""The files of a server that is down, found and damaged. No processes."""

from __future__ import annotations

import os
import random
import stat
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from loadgen.faults.disk.notes import Overwritten


def files(folder: Path, given: Collection[str] = ()) -> list[Path]:
    """Return the regular files below a folder, the newest first, without those of the names `given` at its top."""
    found = []
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            if stat.S_ISREG((status := path.lstat()).st_mode) and not (parent == str(folder) and name in given):
                found.append((status.st_mtime_ns, status.st_size, path))
    return [path for _, _, path in sorted(found, reverse=True)]


def cut_back(paths: Collection[Path], durable: Mapping[tuple[int, int], int]) -> tuple[int, int]:
    """Cut each file back to its durable bytes, by device and inode; a file that is not named there stays whole.

    Returns how many files were named there, and how many bytes were cut off.
    """
    held = lost = 0
    for path in paths:
        status = path.stat()
        kept = durable.get((status.st_dev, status.st_ino))
        if kept is None:
            continue
        held += 1
        if status.st_size > kept:
            lost += status.st_size - kept
            os.truncate(path, kept)
    return held, lost


def put_back(paths: Collection[Path], writes: Sequence[Overwritten], draw: random.Random | None = None) -> int:
    """Put back what files had before some writes, which are in their order; return how many writes were undone.

    With `draw`, each write is undone or not by chance: a disk may have written any of what was not synced.
    """
    by_file = {(status.st_dev, status.st_ino): path for path in paths for status in (path.stat(),)}
    undone = 0
    for write in reversed(writes):
        path = by_file.get(write.file)
        if path is None or (draw is not None and draw.random() < 0.5):
            continue
        with path.open("r+b") as file:
            file.seek(write.at)
            file.write(write.before)
        undone += 1
    return undone


def tear(path: Path, most: int) -> int:
    """Cut so many bytes at most off the end of a file, and return how many."""
    size = path.stat().st_size
    torn = min(size, most)
    os.truncate(path, size - torn)
    return torn


def flip(path: Path, seed: int) -> int:
    """Change one bit of a file, drawn by the seed, and return the number of the bit; a file must not be empty."""
    bit = random.Random(seed).randrange(8 * path.stat().st_size)
    with path.open("r+b") as file:
        file.seek(bit // 8)
        byte = file.read(1)[0] ^ (1 << bit % 8)
        file.seek(bit // 8)
        file.write(bytes([byte]))
    return bit
