"""The server's address, in the flags of several tools: -h and -p, a URI, a Unix socket, memtier's --server."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from loadgen.cli.options import Given, Word
from loadgen.config import Flag, presets
from loadgen.errors import UsageError
from loadgen.escape import printable
from loadgen.protocol import PROTOCOLS

HOST = "127.0.0.1"
REDIS_PORT = 6379


@dataclass(frozen=True, slots=True)
class GivenAddress:
    """The address of a server that runs already, as far as flags give it."""

    host: Word | None = None
    port: Word | None = None
    whole: Word | None = None
    """A URI, or the path of a Unix socket, in place of host and port."""

    def __bool__(self) -> bool:
        return bool(self.words)

    @property
    def words(self) -> tuple[Word, ...]:
        """The flags, each of which names a server: host and port count as one."""
        return tuple(word for word in (self.whole, self.host or self.port) if word is not None)

    def endpoint(self, protocol: str) -> Flag:
        """Return the configuration's endpoints for this address, with the protocol's port when none was given."""
        if self.whole is not None:
            return Flag(self.whole.spelling, [str(self.whole.value)])
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


def target_of(given: Given, *, memtier: bool) -> GivenTarget:
    """Return the server that the flags name. `memtier` is True when flags that only memtier has are given too.

    Raises UsageError for two of them, and for a server file that does not exist.
    """
    host, port, whole = given.word("host"), given.word("port"), _whole(given)
    address = GivenAddress(host, port, whole)
    if len(address.words) > 1:
        raise UsageError(f"{' and '.join(each.spelling for each in address.words)} each name the server: keep one.")
    if host is not None:
        _without_port(host)
    server = given.word("server")
    if server is None:
        return GivenTarget(address)
    if (file := _server_file(server, an_address=memtier or bool(address))) is None:
        return GivenTarget(GivenAddress(server, port))
    return GivenTarget(address, file)


def _whole(given: Given) -> Word | None:
    """Return the URI, or the Unix socket with a path that is one beyond doubt. Raises UsageError for two of them."""
    found = [word for name in ("uri", "socket", "unix_socket") if (word := given.word(name)) is not None]
    if len(found) > 1:
        raise UsageError(f"{' and '.join(each.spelling for each in found)} each name the server: keep one.")
    if not found or found[0].option.name == "uri":
        return next(iter(found), None)
    return found[0]._replace(value=f"unix:{str(found[0].value).removeprefix('unix:')}")


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


def read_credentials(word: Word) -> tuple[tuple[str, Flag], ...]:
    """Return the keys of memtier's `[USER:]PASSWORD`."""
    name, colon, password = str(word.value).partition(":")
    if not colon:
        return (("target.password", Flag(word.spelling, name)),)
    return (("target.username", Flag(word.spelling, name)), ("target.password", Flag(word.spelling, password)))
