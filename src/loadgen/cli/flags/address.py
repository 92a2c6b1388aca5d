"""The server's address, in the flags of several tools: -h and -p, a URI, memtier's --server."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from loadgen.cli.options import Given, Word
from loadgen.config import Flag, presets
from loadgen.errors import UsageError
from loadgen.escape import printable
from loadgen.protocol import PROTOCOLS

HOST = "127.0.0.1"
REDIS_PORT = 6379

_SCHEMES = ("redis", "valkey")
_TLS_SCHEMES = ("rediss", "valkeys")


@dataclass(frozen=True, slots=True)
class GivenAddress:
    """The address of a server that runs already, as far as flags give it."""

    host: Word | None = None
    port: Word | None = None

    def __bool__(self) -> bool:
        return self.host is not None or self.port is not None

    def endpoint(self, protocol: str) -> Flag:
        """Return the configuration's endpoints for this address, with the protocol's port when none was given."""
        blamed = self.host or self.port
        assert blamed is not None, "an address has a host or a port"
        host = str(self.host.value) if self.host is not None else HOST
        port = self.port.value if self.port is not None else PROTOCOLS.get(protocol, PROTOCOLS["resp"]).port
        return Flag(blamed.spelling, [f"[{host}]:{port}" if ":" in host and host[0] != "[" else f"{host}:{port}"])


@dataclass(frozen=True, slots=True)
class GivenTarget:
    """The server that the flags name: one at an address, or one that is started from a file."""

    address: GivenAddress = GivenAddress()
    file: Path | None = None
    keys: tuple[tuple[str, Flag], ...] = ()
    """The keys for the user and the password of a URI."""


def target_of(given: Given, *, memtier: bool) -> GivenTarget:
    """Return the server that the flags name. `memtier` is True when flags that only memtier has are given too.

    Raises UsageError for a malformed URI, and for a server file that does not exist.
    """
    host, port, uri = given.word("host"), given.word("port"), given.word("uri")
    keys: tuple[tuple[str, Flag], ...] = ()
    if uri is not None:
        address, keys = read_uri(uri)
        host, port = host or address.host, port or address.port
    if host is not None:
        _without_port(host)
    server = given.word("server")
    if server is None:
        return GivenTarget(GivenAddress(host, port), None, keys)
    if (file := _server_file(server, an_address=memtier or host is not None or port is not None)) is None:
        return GivenTarget(GivenAddress(server, port), None, keys)
    return GivenTarget(GivenAddress(host, port), file, keys)


def _without_port(host: Word) -> None:
    """Raise UsageError for a host with a port after it; a host with several colons is an IPv6 address."""
    name, _, port = str(host.value).rpartition(":")
    if name and ":" not in name and port.isdecimal():
        shown, number = printable(name, 60), printable(port, 10)
        raise UsageError(f"{host.spelling}: the port has a flag of its own; write -h {shown} -p {number}.")


def _server_file(server: Word, *, an_address: bool) -> Path | None:
    """Return the server file that `--server` names; None for an address, as in memtier."""
    word = str(server.value)
    if presets.is_there(word) or Path(word).suffix == ".toml" or "/" in word:
        return presets.SERVERS.file(word)
    if an_address:
        return None
    if (preset := presets.SERVERS.path(word)) is not None:
        return preset
    if near := presets.SERVERS.near(word):
        shown = printable(word, 60)
        raise UsageError(
            f'{server.spelling}: there is no server file and no server preset "{shown}"; did you mean {near}? '
            f"An address is written --host {shown}."
        )
    return None


def read_uri(word: Word) -> tuple[GivenAddress, tuple[tuple[str, Flag], ...]]:
    """Return the address in a URI, and the keys for its user and password. Raises UsageError."""
    try:
        uri = urlsplit(str(word.value))
        host, port = uri.hostname, uri.port
    except ValueError:
        raise UsageError(f"{word.spelling}: is not a URI; write it as redis://user:password@host:6379.") from None
    scheme, database = uri.scheme.lower(), uri.path.strip("/")
    if scheme in _TLS_SCHEMES:
        raise UsageError(f"{word.spelling}: TLS is not there yet; name a port that answers in plain text, by redis://.")
    if scheme not in _SCHEMES:
        shown = printable(uri.scheme, 40)
        raise UsageError(f"{word.spelling}: {shown}:// names no server here; write redis:// or valkey://.")
    if database not in ("", "0"):
        raise UsageError(f"{word.spelling}: SELECT is not there yet: the load is on database 0; leave the path out.")
    user, _, _ = uri.netloc.rpartition("@")
    name, colon, password = user.partition(":")
    # As in redis-cli, a single part is the password.
    parts = (("target.username", name if colon else ""), ("target.password", password if colon else name))
    keys = tuple((key, Flag(word.spelling, unquote(text))) for key, text in parts if text)
    address = GivenAddress(word._replace(value=host or HOST), word._replace(value=port) if port is not None else None)
    return address, keys


def read_credentials(word: Word) -> tuple[tuple[str, Flag], ...]:
    """Return the keys of memtier's `[USER:]PASSWORD`."""
    name, colon, password = str(word.value).partition(":")
    if not colon:
        return (("target.password", Flag(word.spelling, name)),)
    return (("target.username", Flag(word.spelling, name)), ("target.password", Flag(word.spelling, password)))
