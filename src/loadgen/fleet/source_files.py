"""The files that a campaign's command line names, which each machine needs as they are where the campaign is led."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path

from loadgen.errors import UsageError
from loadgen.escape import printable
from loadgen.fleet.seed_messages import SourceFile


def found(paths: Iterable[str]) -> tuple[SourceFile, ...]:
    """Return the files of these paths that are there."""
    return tuple(SourceFile(path, digest(path)) for path in dict.fromkeys(paths) if Path(path).is_file())


def digest(path: str) -> str:
    """Return a hash of a file's bytes. Raises UsageError for a file that cannot be read."""
    try:
        return blake2b(Path(path).read_bytes(), digest_size=16).hexdigest()
    except OSError as error:
        raise UsageError(f"{printable(path)}: cannot be read: {error.strerror or error}.") from None


def check(files: Iterable[SourceFile]) -> None:
    """Raise UsageError for the first file that is not here, or is another one here."""
    for file in files:
        if not Path(file.path).is_file():
            raise UsageError(
                f"there is no {printable(file.path)} in {printable(str(Path.cwd()))}: copy it there from the machine "
                "that leads."
            )
        if digest(file.path) != file.digest:
            raise UsageError(
                f"{printable(file.path)} in {printable(str(Path.cwd()))} is another file than on the machine that "
                "leads: copy it from there."
            )
