"""URLs of servers in `target.endpoints`: each becomes a plain address, and the keys that its other parts stand for.

So the rest of a configuration knows no URL, and no address has a password in it. A key that is given in a later layer
than the URL wins over it, and the URL over a key of an earlier layer; in one layer they must agree.
"""

from __future__ import annotations

from collections.abc import Iterator

from loadgen.config.document.document import Document
from loadgen.config.document.origin import Origin
from loadgen.config.document.problem import Problem
from loadgen.config.tables.refused import ProblemCode
from loadgen.config.tables.table import Path
from loadgen.protocol import PROTOCOLS
from loadgen.server_address import ServerAddress, is_url, parse

_ENDPOINTS = ("target", "endpoints")
_PROTOCOL = ("target", "protocol")
_TLS = ("target", "tls")
_USERNAME = ("target", "username")
_PASSWORD = ("target", "password")
_OTHER_PASSWORDS = (("target", "password_env"), ("target", "password_file"))
_DATABASE = ("target", "database")


def take_apart(document: Document) -> list[Problem]:
    """Replace the URLs of a document's endpoints by addresses and keys, and return what contradicts them.

    A malformed URL stays: the table refuses it.
    """
    target = document.tree.get("target")
    endpoints = target.get("endpoints") if isinstance(target, dict) else None
    if not isinstance(endpoints, list):
        return []
    found: list[tuple[Path, ServerAddress]] = []
    for index, text in enumerate(endpoints):
        if isinstance(text, str) and is_url(text):
            try:
                address = parse(text)
            except ValueError:
                continue
            endpoints[index] = str(address.endpoint)
            found.append(((*_ENDPOINTS, index), address))
    problems = list(_disagreements(found))
    for place, address in [] if problems else found[:1]:
        problems += _add(document, place, address)
    return problems


def _disagreements(found: list[tuple[Path, ServerAddress]]) -> Iterator[Problem]:
    """Yield a problem for each URL that says another thing than the first."""
    for place, address in found[1:]:
        first = found[0][1]
        for words, one, other in (
            ("protocol", first.protocol, address.protocol),
            ("TLS", first.tls, address.tls),
            ("user", first.username, address.username),
            ("password", first.password, address.password),
            ("database", first.database, address.database),
        ):
            if one != other:
                yield Problem(
                    (place, found[0][0]),
                    ProblemCode.TWO_TARGETS,
                    f"has another {words} than target.endpoints[{found[0][0][-1]}], and all servers of a load have the "
                    "same; give both URLs the same, or write the addresses as host:port and the rest as keys of "
                    "[target]",
                )
                break


def _add(document: Document, place: Path, address: ServerAddress) -> Iterator[Problem]:
    """Add the keys that a URL stands for, or yield a problem where a key of the same layer says another thing."""
    origin = document.origin(place)
    assert origin is not None, "an endpoint has an origin, its own or that of its list"
    target = document.tree["target"]
    assert isinstance(target, dict), "endpoints are in a table"
    for key, value, words in (
        (_TLS, address.tls or None, f"is a {address.scheme}:// URL, which wants TLS"),
        (_USERNAME, address.username or None, "has a user"),
        (_DATABASE, address.database, f"has the database {address.database}"),
    ):
        layer = _layer(document, key)
        if value is None or layer > origin.order[0]:
            continue
        if layer == origin.order[0] and target.get(key[-1]) != value:
            yield _contradiction(place, key, words)
            continue
        document.add(key, value, origin)
    yield from _add_password(document, place, address, origin)
    yield from _add_protocol(document, place, address, origin)


def _add_password(document: Document, place: Path, address: ServerAddress, origin: Origin) -> Iterator[Problem]:
    if not address.password:
        return
    target = document.tree["target"]
    assert isinstance(target, dict), "endpoints are in a table"
    layers = {key: _layer(document, key) for key in (_PASSWORD, *_OTHER_PASSWORDS)}
    if max(layers.values()) > origin.order[0]:
        return
    for key, layer in layers.items():
        if layer == origin.order[0] and (key != _PASSWORD or target.get("password") != address.password):
            yield _contradiction(place, key, "has a password")
            return
        document.drop(key)
    if not address.username and _layer(document, _USERNAME) < origin.order[0]:
        # A user of an earlier layer does not belong to this password.
        document.drop(_USERNAME)
    document.add(_PASSWORD, address.password, origin)


def _add_protocol(document: Document, place: Path, address: ServerAddress, origin: Origin) -> Iterator[Problem]:
    """Add the protocol, unless the document has one of the same wire, such as RESP3."""
    target = document.tree["target"]
    assert isinstance(target, dict), "endpoints are in a table"
    given = target.get("protocol", "resp")
    known = PROTOCOLS.get(given) if isinstance(given, str) else None
    if not address.protocol or known is None or known.wire == address.protocol:
        return
    layer = _layer(document, _PROTOCOL)
    if layer >= origin.order[0]:
        yield _contradiction(place, _PROTOCOL, f"is a {address.scheme}:// URL")
    else:
        document.add(_PROTOCOL, address.protocol, origin)


def _layer(document: Document, key: Path) -> int:
    """Return the layer that gives a key; -1 where none does."""
    origin = document.origins.get(key)
    return -1 if origin is None else origin.order[0]


def _contradiction(place: Path, key: Path, words: str) -> Problem:
    return Problem(
        (place, key),
        ProblemCode.TWO_TARGETS,
        f"{words}, and target.{key[-1]} says otherwise; keep one of them",
    )
