"""Where a queue is kept, as a URL: `sqlite://./relative.db`, `sqlite:///absolute.db`, `redis://host:port/db`. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

from loadgen.errors import UsageError
from loadgen.escape import printable

KNOWN = "sqlite://./relative.db, sqlite:///absolute.db and redis://HOST:PORT/DB"
REDIS_PORT = 6379


@dataclass(frozen=True, slots=True)
class SqliteUrl:
    """A file of SQLite."""

    path: str

    def __str__(self) -> str:
        return f"sqlite://{self.path if self.path.startswith(('/', './')) else f'./{self.path}'}"


@dataclass(frozen=True, slots=True)
class RedisUrl:
    """A Redis server and one of its databases."""

    host: str
    port: int
    database: int = 0
    user: str = ""
    password: str = ""

    def __str__(self) -> str:
        """Return the URL without its password."""
        return self._written(f"{self.user}:***@" if self.password else "")

    def with_password(self) -> str:
        """Return the URL for a library that connects by it. Never printed, and never a word of a command line."""
        return self._written(f"{quote(self.user, safe='')}:{quote(self.password, safe='')}@" if self.password else "")

    def _written(self, secret: str) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"redis://{secret}{host}:{self.port}/{self.database}"


StorageUrl = SqliteUrl | RedisUrl


def parse(text: str) -> StorageUrl:
    """Return the storage that a URL names. Raises UsageError for what is none, without its password."""
    scheme, colon, rest = text.partition("://")
    if scheme == "sqlite" and colon:
        path = unquote(rest)
        if not path or path in ("/", ".", "./") or path.endswith("/"):
            raise UsageError(f"{printable(text, 80)} names no file: write one such as sqlite://./jobs.db.")
        return SqliteUrl(path)
    if scheme == "redis" and colon:
        return _redis(text)
    shown = printable(f"{scheme}://…" if "@" in text else text, 80)
    raise UsageError(f"{shown} is no storage that is known here; those are {KNOWN}.")


def _redis(text: str) -> RedisUrl:
    shown = "the redis:// URL" if "@" in text else printable(text, 80)
    try:
        parts = urlsplit(text)
        port = parts.port or REDIS_PORT
    except ValueError as error:
        raise UsageError(f"{shown} has no valid address ({error}): write redis://HOST:PORT/DB.") from None
    database = parts.path.strip("/") or "0"
    if not database.isascii() or not database.isdigit():
        raise UsageError(f"{shown} names no database by its number: write redis://HOST:PORT/DB, such as …/0.")
    return RedisUrl(
        parts.hostname or "127.0.0.1", port, int(database), unquote(parts.username or ""), unquote(parts.password or "")
    )
