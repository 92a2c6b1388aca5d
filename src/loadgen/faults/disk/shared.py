"""A disk that processes share, as those of a queue in SQLite do: its power is cut, and it is full.

The files of one server have faults of their own (`crash`, `full`). Here any number of processes write to the same
files, for which neither root nor a file system of their own is needed.
"""

from __future__ import annotations

import os
import random
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from loadgen.faults.disk import library
from loadgen.faults.disk.files import cut_back, put_back
from loadgen.faults.disk.notes import Notes, Number, overwritten
from loadgen.faults.interpreter import FaultError

_OF_SQLITE = ("", "-wal", "-shm", "-journal")


@dataclass(frozen=True, slots=True)
class Lost:
    """What a power cut has taken."""

    files: int
    """The files that were held to their last sync."""
    appended_bytes: int
    """Bytes at the ends of files that were not synced."""
    overwrites: int
    """Writes into files that were undone, as they were not synced."""


class SharedDisk:
    """A disk under processes that are started with `env`. They see a full one, and lose their power together.

        disk = SharedDisk(folder)
        files = files_of_sqlite(path)
        processes = [subprocess.Popen(command, env=os.environ | disk.env) for …]

        disk.fill(files)  # … from here on, a write that would make one of the files longer fails with ENOSPC
        disk.free()

        for process in processes:
            process.kill()
            process.wait()
        lost = disk.cut(files)  # … and start the processes again: the same `env` serves for the next cut

    At a cut each file goes back to its last fsync(2) or fdatasync(2): what was appended since is cut off, and what was
    written over is as before. Files that were there when the processes began are taken to be synced. Names are not
    looked at: a file that was made, renamed or removed stays so. Other files of the processes have no fault.
    """

    def __init__(self, folder: Path) -> None:
        """Keep the notes in a folder, in which the processes may write. Raises FaultError without a C compiler."""
        self._library = library.built()
        self._notes = folder / "disk-notes"
        self._undo = folder / "disk-undo"
        self._reset()

    @property
    def env(self) -> Mapping[str, str]:
        """Variables of the processes' environment, beside those that they have."""
        preload = " ".join(filter(None, (self._library, os.environ.get("LD_PRELOAD", ""))))
        return {"LD_PRELOAD": preload, "LOADGEN_NOTES": str(self._notes), "LOADGEN_UNDO": str(self._undo)}

    def fill(self, paths: Collection[Path]) -> None:
        """Let files not grow. Raises FaultError when no process has written to one of them."""
        files = {(status.st_dev, status.st_ino) for path in paths if path.exists() for status in (path.stat(),)}
        if not Notes(self._notes).mark_full(files):
            raise FaultError("the processes have written to none of the files that are to be full.")

    def free(self) -> None:
        """Let all files grow again."""
        Notes(self._notes).mark_full(())

    @property
    def refused(self) -> int:
        """The writes that failed as the disk was full, since the beginning or the last cut."""
        return Notes(self._notes)[Number.REFUSED]

    def cut(self, paths: Collection[Path], draw: random.Random | None = None) -> Lost:
        """Cut files back, after all processes have been killed (SIGKILL) and have ended; a file may be missing.

        Nobody else may have a database open: SQLite recovers it when the first process opens it.

        With `draw`, each write that was not synced is lost or kept by chance, as a disk may have written any of them.
        Without, all are lost. Raises FaultError when no process was seen to write, and when the notes are not whole.
        """
        notes = Notes(self._notes)
        if not notes[Number.LOADED]:
            raise FaultError("no process has loaded the library, as statically linked programs do not.")
        if not notes[Number.WRITES]:
            raise FaultError("the processes have written nothing that the library could see.")
        if missing := notes[Number.UNDO_LOST]:
            raise FaultError(f"{missing} writes could not be noted in {self._undo}: free space on its disk.")
        there = [path for path in paths if path.exists()]
        undone = put_back(there, overwritten(self._undo), draw)
        durable = notes.durable()
        if draw is not None:
            for path in there:
                status = path.stat()
                key = status.st_dev, status.st_ino
                if durable.get(key, status.st_size) < status.st_size:
                    durable[key] = draw.randint(durable[key], status.st_size)
        held, appended = cut_back(there, durable)
        self._reset()
        return Lost(held, appended, undone)

    def _reset(self) -> None:
        """Empty the notes: from here on, what the files have is taken to be synced."""
        try:
            for path in (self._notes, self._undo):
                path.write_bytes(b"")
        except OSError as error:
            raise FaultError(f"the notes of the disk could not be written ({error}).") from None


def files_of_sqlite(path: Path) -> list[Path]:
    """Return the files of a database, of which some may not be there."""
    return [path.with_name(path.name + end) for end in _OF_SQLITE]
