"""A server's address as text: host:port, the path of a Unix socket, or a URL. Pure functions; no name is looked up.

A URL may also name the protocol, TLS, a user, a password and a database. Its forms are those of redis-cli and redis-py
(iana.org/assignments/uri-schemes/prov/redis).
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote

from loadgen.plan import MAX_DATABASE, Endpoint
from loadgen.protocol import PROTOCOLS

HOST = "127.0.0.1"
"""The host of a URL that names none."""

LONGEST_PATH = 107
"""The longest path of a Unix socket in bytes: a sockaddr_un of Linux has 108, the last of which is 0."""

# RFC 1123 labels, plus the underscore that container networks and some resolvers use.
_HOST_NAME = re.compile(r"(?=.{1,253}\.?$)[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?"
                        r"(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?", re.ASCII)  # fmt: skip

_LONGEST_SHOWN = 80
"""The longest address in a message, in characters; the rest is cut off."""

_EXAMPLE = '"127.0.0.1:6379"'


class _Scheme(NamedTuple):
    """What the scheme of a URL says."""

    wire: str
    """The name in `PROTOCOLS` of the plain protocol; empty for either."""
    tls: bool = False
    socket: bool = False
    """The URL has the path of a Unix socket."""


_SCHEMES = {
    "redis": _Scheme("resp"),
    "valkey": _Scheme("resp"),
    "rediss": _Scheme("resp", tls=True),
    "valkeys": _Scheme("resp", tls=True),
    "redis+unix": _Scheme("resp", socket=True),
    "valkey+unix": _Scheme("resp", socket=True),
    "unix": _Scheme("", socket=True),
    "memcache": _Scheme("memcache"),
    "memcached": _Scheme("memcache"),
}


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """An address, and what a URL says besides. A value that the text does not give is empty, or None."""

    endpoint: Endpoint
    """The host has not been looked up."""
    scheme: str = ""
    protocol: str = ""
    """`resp` or `memcache`: the plain protocol on the wire."""
    tls: bool = False
    """True where the URL wants TLS. Another URL leaves that open."""
    username: str = ""
    password: str = field(default="", repr=False)
    database: int | None = None


def parse(text: str) -> ServerAddress:
    """Return the address. Raises ValueError with the mistake and the right form; it repeats no user and no password."""
    if "://" in text:
        return _url(text)
    return ServerAddress(parse_endpoint(text))


def parse_endpoint(text: str) -> Endpoint:
    """Return the endpoint of host:port or of a Unix socket, which has not been looked up. Raises ValueError."""
    if text.startswith("unix:"):
        return _socket(text.removeprefix("unix:"), text)
    if text.startswith(("/", "./", "../")):
        return _socket(text, text)
    return _host_and_port(text, text, None)


def is_url(text: str) -> bool:
    return "://" in text


def _socket(path: str, text: str) -> Endpoint:
    if not path or "\0" in path or "," in path:
        raise ValueError(
            f'"{_shown(text)}" has no path of a Unix socket without commas; write one such as "unix:/run/redis.sock"'
        )
    try:
        length = len(path.encode())
    except UnicodeEncodeError:
        raise ValueError(f'"{_shown(text)}" is no text in UTF-8') from None
    if length > LONGEST_PATH:
        raise ValueError(
            f'"{_shown(text)}" has {length} bytes, and the path of a Unix socket has at most {LONGEST_PATH}; '
            "have the server make its socket in a folder with a shorter path"
        )
    return Endpoint.at_path(path)


def _host_and_port(word: str, text: str, default_port: int | None) -> Endpoint:
    """Return the endpoint of `word`, host:port, which is `text` or a part of it."""
    shown = _shown(text)
    if word.startswith("["):
        host, closed, rest = word[1:].partition("]")
        if not closed or not (rest.startswith(":") or (not rest and default_port is not None)):
            raise ValueError(f'"{shown}" has no port after its brackets; write "[{_shown(host)}]:6379"')
        port_text = rest[1:] if rest else f"{default_port}"
        if not _is_ipv6(host):
            raise ValueError(f'"{shown}" has no IPv6 address in its brackets; write one such as "[::1]:6379"')
    else:
        host, colon, port_text = word.rpartition(":")
        if ":" in host:
            raise ValueError(
                f'"{shown}" leaves open where the port begins; write an IPv6 address in brackets, as in "[::1]:6379"'
            )
        if not colon and default_port is not None:
            host, port_text = word, f"{default_port}"
        elif not colon:
            if "/" in word or word.endswith(".sock"):
                raise ValueError(f'"{shown}" has no port; write host:port, or unix:{shown} for a Unix socket')
            raise ValueError(f'"{shown}" has no port; write host:port, such as "{shown or HOST}:6379"')
        if not _is_ipv4_or_name(host):
            raise ValueError(f'"{shown}" has no valid host before its port; write host:port, such as {_EXAMPLE}')
    if not re.fullmatch(r"[0-9]{1,9}", port_text, re.ASCII):
        raise ValueError(f'"{shown}" has no valid port; write host:port, such as "{_bracketed(host)}:6379"')
    port = int(port_text)
    if not 1 <= port <= 65535:
        raise ValueError(f'"{shown}" has port {port}, and ports are 1 to 65535')
    return Endpoint(host, port, "")


def _url(text: str) -> ServerAddress:
    name, _, rest = text.partition("://")
    scheme = _SCHEMES.get(name.lower())
    if scheme is None:
        raise ValueError(
            f'"{_shown(text)}" begins with {_shown(name)}://, which names no server here; write one of '
            f"{', '.join(f'{each}://' for each in _SCHEMES)}, or host:port"
        )
    user, _, rest = rest.rpartition("@")
    for character in "/?#":
        if character in user:
            raise ValueError(
                f'"{_shown(text)}" has a {character} before its @; in a password it is written %{ord(character):02X}'
            )
    if "#" in rest:
        raise ValueError(f'"{_shown(text)}" has a #, after which a URL of a server has nothing; leave it out')
    rest, _, query = rest.partition("?")
    # The path of a Unix socket begins at the first slash after the user.
    place, slash, path = rest.partition("/")
    # As in redis-cli, a single part is the password.
    first, colon, second = user.partition(":")
    username, password = (unquote(first), unquote(second)) if colon else ("", unquote(first))
    database = _database(text, query, "" if scheme.socket else path.removesuffix("/"))
    if scheme.socket:
        if place or not slash:
            raise ValueError(
                f'"{_shown(text)}" has no path from the root; write it with three slashes, as in '
                f"{name.lower()}:///run/redis.sock"
            )
        endpoint = _socket(unquote(f"/{path}"), text)
    else:
        endpoint = _host_and_port(place if place and place[0] != ":" else HOST + place, text,
                                  PROTOCOLS[scheme.wire].port)  # fmt: skip
    if database is not None and scheme.wire == "memcache":
        raise ValueError(f'"{_shown(text)}" has a database, and memcache has none; leave it out')
    return ServerAddress(endpoint, name.lower(), scheme.wire, scheme.tls, username, password, database)


def _database(text: str, query: str, path: str) -> int | None:
    """Return the database of a URL: its path, or `db` in its query."""
    pairs = parse_qsl(query, keep_blank_values=True)
    for key, _ in pairs:
        if key != "db":
            raise ValueError(f'"{_shown(text)}" has {_shown(key)} after its ?, where only db=NUMBER has a meaning')
    words = [*([path] if path else []), *(value for _, value in pairs)]
    if len(words) > 1:
        raise ValueError(f'"{_shown(text)}" names the database twice; keep one')
    if not words:
        return None
    if not re.fullmatch(r"[0-9]{1,10}", words[0], re.ASCII) or int(words[0]) > MAX_DATABASE:
        raise ValueError(
            f'"{_shown(text)}" has the database {_shown(words[0])}, which is no whole number from 0 to {MAX_DATABASE}'
        )
    return int(words[0])


def _shown(text: str) -> str:
    """Return an address for a message: cut, and `***` in place of the user and the password."""
    scheme, colon, rest = text.partition("://")
    if colon and "@" in rest:
        text = f"{scheme}://***@{rest.rpartition('@')[2]}"
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def _is_ipv6(host: str) -> bool:
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return True


def _is_ipv4_or_name(host: str) -> bool:
    if re.fullmatch(r"[0-9.]+", host, re.ASCII):
        # The C library accepts "127.1" and "1" as addresses too, which is hardly ever meant.
        try:
            ipaddress.IPv4Address(host)
        except ValueError:
            return False
        return True
    return _HOST_NAME.fullmatch(host) is not None


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
