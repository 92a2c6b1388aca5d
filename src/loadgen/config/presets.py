"""Presets: configurations and server files that come with loadgen, by name: `quick-test`, `redis`.

Presets are files of the package, or of the repository when loadgen runs from there. An existing file of the same name
wins over a preset; a folder does not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path

from loadgen.errors import UsageError
from loadgen.escape import printable

_PACKAGE = Path(__file__).parents[1]
_REPOSITORY = _PACKAGE.parents[1]


def is_there(word: str) -> bool:
    """True when a path exists and is no folder, and when a lack of permission hides whether it exists."""
    try:
        return Path(word).exists() and not Path(word).is_dir()
    except PermissionError:
        return True
    except (OSError, ValueError):
        return False


@dataclass(frozen=True, slots=True)
class Shelf:
    """Presets of one kind."""

    kind: str
    """The name of the kind in messages."""
    folder: Path

    @property
    def names(self) -> list[str]:
        return sorted(path.stem for path in self.folder.glob("*.toml"))

    def path(self, name: str) -> Path | None:
        """Return the preset of this name, with or without `.toml`; None when there is none."""
        path = self.folder / f"{name.removesuffix('.toml')}.toml"
        return path if name.removesuffix(".toml") in self.names else None

    def file(self, word: str) -> Path:
        """Return the file that a word names: a path, or else a preset. For neither, return the path as it is."""
        return Path(word) if is_there(word) else self.path(word) or Path(word)

    def named(self, word: str | None) -> Path | None:
        """Return the file of a word, None for None. Raises UsageError for a name of neither a file nor a preset."""
        if word is None:
            return None
        file = self.file(word)
        if not is_there(word) and not self.path(word) and file.suffix != ".toml" and "/" not in word:
            near = self.near(word)
            hint = f"did you mean {near}?" if near else "`loadgen config --list` names the presets."
            raise UsageError(f'there is no file and no preset "{printable(word, 60)}"; {hint}')
        return file

    def near(self, word: str) -> str:
        """Return the preset with the most similar name; empty when none is similar."""
        return next(iter(get_close_matches(word.lower()[:80].removesuffix(".toml"), self.names, n=1)), "")

    def matching(self, pattern: str) -> list[Path]:
        """Return the presets whose names match a pattern with wildcards."""
        return [self.folder / f"{name}.toml" for name in self.names if fnmatchcase(name, pattern)]

    def about(self, name: str) -> str:
        """Return the first sentence, up to a colon, of the comment that a preset begins with."""
        lines = (self.folder / f"{name}.toml").read_text(encoding="utf-8").splitlines()
        comment = []
        for line in lines:
            if not line.startswith("#"):
                break
            comment.append(line.lstrip("# "))
        return re.split(r"(?<=[.?]) |: ", " ".join(comment), maxsplit=1)[0].rstrip(".")


def _folder(packaged: str, *here: str) -> Path:
    inside = _PACKAGE / "share" / packaged
    return inside if inside.is_dir() else _REPOSITORY.joinpath(*here)


CONFIGS = Shelf("preset", _folder("config", "benchmark", "config"))
SERVERS = Shelf("server preset", _folder("server", "server", "config"))
