"""Toxiproxy's HTTP API over a collection of proxies: a request → a response. No sockets and no clock.

Paths, bodies, statuses and sentences are those of Toxiproxy 2.12.0. loadgen's own are under `/loadgen/`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from http import HTTPStatus
from urllib.parse import unquote

from loadgen.faults.proxy.api import metrics
from loadgen.faults.proxy.api.fields import Fields
from loadgen.faults.proxy.api.json_text import JsonError, first_value
from loadgen.faults.proxy.api.proxies import Proxies, ProxyExistsError, ProxyMissingError
from loadgen.faults.proxy.api.proxy import NetworkError, Proxy
from loadgen.faults.proxy.chain.draws import DrawLog
from loadgen.faults.proxy.chain.toxic import STREAMS, Effects, Toxic
from loadgen.faults.proxy.chain.toxics import TYPES
from loadgen.version import __version__
from loadgen.web.http import Request, Response, plain

VERSION = f"2.12.0+loadgen.{__version__}"
"""The version that the API reports: that of the Toxiproxy whose API this is, and loadgen's own."""

_PROXY = Fields(
    "Proxy",
    {"name": "string", "listen": "string", "upstream": "string", "enabled": "bool"},
    "toxiproxy.Proxy",
)
_POPULATED = Fields(
    "",
    _PROXY.types,
    'struct { toxiproxy.Proxy; Enabled *bool "json:\\"enabled\\"" }',
    inner="Proxy",
    own=frozenset({"enabled"}),
)
_TOXIC = Fields(
    "ToxicWrapper",
    {
        "attributes": Fields("ToxicWrapper", {}, "toxics.NoopToxic"),
        "name": "string",
        "type": "string",
        "stream": "string",
        "toxicity": "float32",
        # loadgen's own: the seed of the toxic's draws. Toxiproxy ignores what it does not know.
        "seed": "int64",
    },
    "toxics.ToxicWrapper",
)


class ApiError(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: HTTPStatus, words: str) -> None:
        super().__init__(words)
        self.status = status

    def shown(self) -> dict[str, object]:
        return {"error": str(self), "status": self.status.value}


@dataclass(frozen=True, slots=True)
class Offered:
    """The metrics that the API offers; without any, `/metrics` is not there."""

    proxies: bool = False
    process: Callable[[], Mapping[str, float]] | None = None
    """Returns the readings of this process, by name."""


class Api:
    """The API. `tell` receives one line for each change."""

    def __init__(
        self,
        proxies: Proxies,
        log: DrawLog,
        offered: Offered = Offered(),
        tell: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.proxies = proxies
        self._log = log
        self._offered = offered
        self._tell = tell

    def respond(self, request: Request) -> Response:
        """Carry out a request."""
        segments = unquote(request.target.partition("?")[0]).split("/")[1:]
        actions = self._actions(segments)
        if actions is None:
            return plain(HTTPStatus.NOT_FOUND, "404 page not found")
        action = actions.get(request.method) or actions.get("*")
        if action is None:
            return Response(HTTPStatus.METHOD_NOT_ALLOWED)
        if request.headers.get("user-agent", "").startswith("Mozilla/"):
            return plain(HTTPStatus.FORBIDDEN, "User agent not allowed")
        try:
            return action(request.body)
        except ApiError as error:
            return plain(error.status, json.dumps(error.shown(), separators=(",", ":"), ensure_ascii=False))

    def _actions(self, segments: list[str]) -> dict[str, Callable[[bytes], Response]] | None:
        """Return what each method does at a path; None for a path that is not there."""
        match segments:
            case ["version"]:
                return {"GET": self._version}
            case ["proxies"]:
                return {"GET": self._list, "POST": self._create}
            case ["populate"]:
                return {"POST": self._populate}
            case ["reset"]:
                return {"POST": self._reset}
            case ["metrics"] if self._offered.proxies or self._offered.process:
                return {"*": self._metrics}
            case ["proxies", name] if name:
                return self._of_proxy(name)
            case ["proxies", name, "toxics"] if name:
                return {
                    "GET": lambda body: _json([toxic.shown() for toxic in self._proxy(name).toxics]),
                    "POST": lambda body: self._add_toxic(self._proxy(name), body),
                }
            case ["proxies", name, "toxics", toxic] if name and toxic:
                return self._of_toxic(name, toxic)
            case ["loadgen", "effects"]:
                return {"GET": self._effects}
            case ["loadgen", "draws"]:
                return {"GET": self._draws}
        return None

    def _of_proxy(self, name: str) -> dict[str, Callable[[bytes], Response]]:
        def change(body: bytes) -> Response:
            return self._change(self._proxy(name), body)

        return {
            "GET": lambda body: _json(self._proxy(name).shown()),
            "POST": change,
            "PATCH": change,
            "DELETE": lambda body: self._delete(name),
        }

    def _of_toxic(self, name: str, toxic: str) -> dict[str, Callable[[bytes], Response]]:
        def change(body: bytes) -> Response:
            proxy = self._proxy(name)
            return self._change_toxic(proxy, self._toxic(proxy, toxic), body)

        def remove(body: bytes) -> Response:
            proxy = self._proxy(name)
            proxy.remove(self._toxic(proxy, toxic))
            self._tell(f"toxic {toxic} removed from {name}")
            return Response(HTTPStatus.NO_CONTENT)

        return {
            "GET": lambda body: _json(self._toxic(self._proxy(name), toxic).shown()),
            "POST": change,
            "PATCH": change,
            "DELETE": remove,
        }

    # ── Proxies ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _version(self, body: bytes) -> Response:
        return Response(HTTPStatus.OK, f'{{"version": "{VERSION}"}}\n'.encode(), "application/json;charset=utf-8")

    def _list(self, body: bytes) -> Response:
        return _json({proxy.name: proxy.shown() for proxy in self.proxies})

    def _create(self, body: bytes) -> Response:
        given = _decoded(_PROXY, body)
        name, upstream = given.get("name", ""), given.get("upstream", "")
        for field, value in (("name", name), ("upstream", upstream)):
            if not value:
                raise ApiError(HTTPStatus.BAD_REQUEST, f"missing required field: {field}")
        try:
            proxy = self.proxies.create(
                str(name), str(given.get("listen", "")), str(upstream), enabled=bool(given.get("enabled", True))
            )
        except ProxyExistsError:
            raise ApiError(HTTPStatus.CONFLICT, "proxy already exists") from None
        except NetworkError as error:
            raise ApiError(HTTPStatus.INTERNAL_SERVER_ERROR, str(error)) from None
        self._tell(f"proxy {proxy.name} made: {proxy.listen} → {proxy.upstream}{_disabled(proxy)}")
        return _json(proxy.shown(), HTTPStatus.CREATED)

    def _change(self, proxy: Proxy, body: bytes) -> Response:
        given = _decoded(_PROXY, body)
        try:
            proxy.update(
                str(given.get("listen", proxy.listen)),
                str(given.get("upstream", proxy.upstream)),
                bool(given.get("enabled", proxy.enabled)),
            )
        except NetworkError as error:
            raise ApiError(HTTPStatus.INTERNAL_SERVER_ERROR, str(error)) from None
        self._tell(f"proxy {proxy.name} changed: {proxy.listen} → {proxy.upstream}{_disabled(proxy)}")
        return _json(proxy.shown())

    def _delete(self, name: str) -> Response:
        self._proxy(name)
        self.proxies.delete(name)
        self._tell(f"proxy {name} deleted")
        return Response(HTTPStatus.NO_CONTENT)

    def _populate(self, body: bytes) -> Response:
        made: list[Proxy] | None = None
        failure: ApiError | None = None
        try:
            wanted = populating(body)
            made = [] if wanted else None
            for name, listen, upstream, enabled in wanted:
                proxy = self.proxies.put(name, listen, upstream, enabled=enabled)
                assert made is not None
                made.append(proxy)
        except ApiError as error:
            failure = error
        except NetworkError as error:
            failure = ApiError(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))
        for proxy in made or ():
            self._tell(f"proxy {proxy.name} populated: {proxy.listen} → {proxy.upstream}{_disabled(proxy)}")
        shown = {"proxies": [proxy.shown() for proxy in made] if made else None}
        if failure is None:
            return _json(shown, HTTPStatus.CREATED)
        return _json(failure.shown() | shown, failure.status)

    def _reset(self, body: bytes) -> Response:
        try:
            for proxy in self.proxies:
                proxy.reset()
        except NetworkError as error:
            raise ApiError(HTTPStatus.INTERNAL_SERVER_ERROR, str(error)) from None
        self._tell("every proxy enabled, every toxic removed")
        return Response(HTTPStatus.NO_CONTENT)

    def _metrics(self, body: bytes) -> Response:
        text = metrics.of_proxies(self.proxies) if self._offered.proxies else ""
        text += metrics.of_process(self._offered.process()) if self._offered.process is not None else ""
        return Response(HTTPStatus.OK, text.encode(), metrics.CONTENT_TYPE)

    def _proxy(self, name: str) -> Proxy:
        try:
            return self.proxies.named(name)
        except ProxyMissingError:
            raise ApiError(HTTPStatus.NOT_FOUND, "proxy not found") from None

    # ── Toxics ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _add_toxic(self, proxy: Proxy, body: bytes) -> Response:
        toxic = _toxic_without_attributes(body)
        if proxy.toxic(toxic.name) is not None:
            raise ApiError(HTTPStatus.CONFLICT, "toxic already exists")
        toxic.behaviour = toxic.behaviour.changed(_attributes(toxic, body))
        proxy.add(toxic)
        self._tell(f"toxic {toxic.name} added to {proxy.name}: {_described(toxic)}")
        return _json(toxic.shown())

    def _change_toxic(self, proxy: Proxy, toxic: Toxic, body: bytes) -> Response:
        changed = _attributes(toxic, body)
        toxicity = _decoded(_toxic_fields(toxic), body).get("toxicity", toxic.toxicity)
        assert isinstance(toxicity, int | float)
        toxic.behaviour = toxic.behaviour.changed(changed)
        toxic.toxicity = float(toxicity)
        proxy.restart(toxic)
        self._tell(f"toxic {toxic.name} of {proxy.name} changed: {_described(toxic)}")
        return _json(toxic.shown())

    def _toxic(self, proxy: Proxy, name: str) -> Toxic:
        toxic = proxy.toxic(name)
        if toxic is None:
            raise ApiError(HTTPStatus.NOT_FOUND, "toxic not found")
        return toxic

    # ── loadgen's own ───────────────────────────────────────────────────────────────────────────────────────────────

    def _effects(self, body: bytes) -> Response:
        """Return what each proxy and each toxic has done, removed toxics included."""
        return _json({proxy.name: _counted(proxy) for proxy in self.proxies})

    def _draws(self, body: bytes) -> Response:
        """Return the newest draws, oldest first, and the number of all draws."""
        log = self._log
        return _json({"seed": self.proxies.seed, "count": log.count, "draws": [asdict(draw) for draw in log.kept]})


def populating(body: bytes) -> list[tuple[str, str, str, bool]]:
    """Return name, listen, upstream and enabled of each proxy of a list, as `/populate` and files have it.

    Raises ApiError.
    """
    try:
        value = first_value(body)
    except JsonError as error:
        raise ApiError(HTTPStatus.BAD_REQUEST, f"bad request body: {error}") from None
    try:
        decoded = _POPULATED.decoded_list(value, f"[]{_POPULATED.go_type}")
    except JsonError as error:
        raise ApiError(HTTPStatus.BAD_REQUEST, f"bad request body: {error}") from None
    for number, given in enumerate(decoded, 1):
        for name in ("name", "upstream"):
            if not given.get(name):
                raise ApiError(HTTPStatus.BAD_REQUEST, f"missing required field: {name} at proxy {number}")
    return [
        (str(given["name"]), str(given.get("listen", "")), str(given["upstream"]), bool(given.get("enabled", True)))
        for given in decoded
    ]


def toxic_of(body: bytes) -> Toxic:
    """Return the toxic that a body describes. Raises ApiError."""
    toxic = _toxic_without_attributes(body)
    toxic.behaviour = toxic.behaviour.changed(_attributes(toxic, body))
    return toxic


def _toxic_without_attributes(body: bytes) -> Toxic:
    """Return the toxic of a body with the attributes of its type's default: they are read last, as by Toxiproxy."""
    given = _decoded(_TOXIC, body)
    stream, name, kind = (str(given.get(each, default)) for each, default in _DEFAULTS)
    if stream.lower() not in STREAMS:
        raise ApiError(HTTPStatus.BAD_REQUEST, "stream was invalid, can be either upstream or downstream")
    if kind not in TYPES:
        raise ApiError(HTTPStatus.BAD_REQUEST, "invalid toxic type")
    toxicity, seed = given.get("toxicity", 1.0), given.get("seed")
    assert isinstance(toxicity, int | float)
    assert seed is None or isinstance(seed, int)
    effects = Effects(kind, stream.lower())
    return Toxic(name or f"{kind}_{stream}", stream, float(toxicity), TYPES[kind](), effects, seed)


_DEFAULTS = (("stream", "downstream"), ("name", ""), ("type", ""))


def _toxic_fields(toxic: Toxic) -> Fields:
    behaviour = toxic.behaviour
    types = {attribute.name: attribute.go_type for attribute in behaviour.takes}
    attributes = Fields(behaviour.go_name, types, f"toxics.{behaviour.go_name}")
    return Fields("", {"attributes": attributes, "toxicity": "float32"})


def _attributes(toxic: Toxic, body: bytes) -> dict[str, int]:
    """Return the attributes that a body sets."""
    found = _decoded(_toxic_fields(toxic), body).get("attributes", {})
    assert isinstance(found, dict)
    return found


def _decoded(fields: Fields, body: bytes) -> dict[str, object]:
    try:
        return fields.decoded(first_value(body))
    except JsonError as error:
        raise ApiError(HTTPStatus.BAD_REQUEST, f"bad request body: {error}") from None


def _counted(proxy: Proxy) -> dict[str, object]:
    traffic = {stream: dict(zip(("received", "sent"), proxy.bytes_of(stream), strict=True)) for stream in STREAMS}
    return {
        "enabled": proxy.enabled,
        "connections": asdict(proxy.counts) | {"open": proxy.open_connections},
        "bytes": traffic,
        "toxics": {name: asdict(effects) for name, effects in proxy.ledger.items()},
    }


def _json(value: object, status: HTTPStatus = HTTPStatus.OK) -> Response:
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return Response(status, text.encode("utf-8", "replace"), "application/json")


def _disabled(proxy: Proxy) -> str:
    return "" if proxy.enabled else " (disabled)"


def _described(toxic: Toxic) -> str:
    values = ", ".join(f"{name} {value}" for name, value in toxic.behaviour.attributes().items())
    return f"{toxic.behaviour.name} {toxic.direction}, toxicity {toxic.toxicity:g}" + (f", {values}" if values else "")
