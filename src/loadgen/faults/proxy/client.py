"""A client of the proxy's API, which blocks: for interpreters, and for whoever starts a proxy.

It speaks to `loadgen proxy` and to Toxiproxy. What only loadgen's API has is None from the other.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from loadgen.errors import LoadgenError
from loadgen.escape import printable

TIMEOUT_S = 10.0
"""The longest wait for an answer. Toxiproxy may need five seconds for the removal of a toxic whose reader is slow."""

MOST_BYTES = 16 << 20
"""The longest answer that is read."""


class ProxyApiError(LoadgenError):
    """The API could not be reached, or refused a request, in a sentence."""

    def __init__(self, sentence: str, status: int = 0) -> None:
        super().__init__(sentence)
        self.status = status
        """The status of the answer; 0 when there was none."""


@dataclass(frozen=True, slots=True)
class NewToxic:
    """A toxic to be added, in the units of the API."""

    name: str
    type: str
    stream: str = "downstream"
    toxicity: float = 1.0
    attributes: Mapping[str, int] | None = None
    seed: int | None = None
    """The seed of the toxic's draws; Toxiproxy ignores it."""


class ProxyApi:
    """The API at a URL such as `http://127.0.0.1:8474`. Each call is a connection of its own; raises ProxyApiError."""

    def __init__(self, url: str, timeout_s: float = TIMEOUT_S) -> None:
        self.url = url.rstrip("/")
        self._timeout_s = timeout_s
        try:
            parts = urlsplit(self.url if "//" in self.url else f"http://{self.url}")
            self._host, self._port = parts.hostname or "", parts.port or 8474
        except ValueError:
            self._host = ""
        if not self._host or parts.scheme != "http":
            raise ProxyApiError(
                f"{printable(url)} is no URL of a proxy's API: write one such as http://127.0.0.1:8474."
            )

    @property
    def host(self) -> str:
        """The host of the API."""
        return self._host

    def version(self) -> str:
        return str(self._call("GET", "/version")["version"])

    def proxies(self) -> Mapping[str, Mapping[str, Any]]:
        """Return every proxy by its name."""
        found: Mapping[str, Mapping[str, Any]] = self._call("GET", "/proxies")
        return found

    def proxy(self, name: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self._call("GET", f"/proxies/{quote(name, safe='')}")
        return found

    def create(self, name: str, listen: str, upstream: str) -> str:
        """Make a proxy, and return the address that it listens on."""
        made = self._call("POST", "/proxies", {"name": name, "listen": listen, "upstream": upstream})
        return str(made["listen"])

    def delete(self, name: str) -> None:
        self._call("DELETE", f"/proxies/{quote(name, safe='')}")

    def enable(self, name: str, enabled: bool) -> None:
        """Enable or disable a proxy."""
        # POST, which old versions know too.
        self._call("POST", f"/proxies/{quote(name, safe='')}", {"enabled": enabled})

    def add_toxic(self, proxy: str, toxic: NewToxic) -> None:
        body: dict[str, object] = {
            "name": toxic.name,
            "type": toxic.type,
            "stream": toxic.stream,
            "toxicity": toxic.toxicity,
            "attributes": dict(toxic.attributes or {}),
        }
        if toxic.seed is not None:
            body["seed"] = toxic.seed
        self._call("POST", f"/proxies/{quote(proxy, safe='')}/toxics", body)

    def remove_toxic(self, proxy: str, name: str) -> None:
        self._call("DELETE", f"/proxies/{quote(proxy, safe='')}/toxics/{quote(name, safe='')}")

    def reset(self) -> None:
        """Enable every proxy, and remove every toxic."""
        self._call("POST", "/reset")

    def effects(self) -> Mapping[str, Mapping[str, Any]] | None:
        """Return what each proxy has counted, by its name; None from a Toxiproxy, which does not count."""
        try:
            found: Mapping[str, Mapping[str, Any]] = self._call("GET", "/loadgen/effects")
        except ProxyApiError as error:
            if error.status == 404:
                return None
            raise
        return found

    def draws(self) -> Mapping[str, Any]:
        """Return the seed, the number of draws and the newest draws of a `loadgen proxy`."""
        found: Mapping[str, Any] = self._call("GET", "/loadgen/draws")
        return found

    def _call(self, method: str, path: str, body: object = None) -> Any:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_s)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), _HEADERS)
            answer = connection.getresponse()
            text = answer.read(MOST_BYTES)
            status = answer.status
        except (OSError, http.client.HTTPException) as error:
            words = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise ProxyApiError(
                f"The proxy's API at {printable(self.url)} does not answer ({printable(words)}): is it running?"
            ) from None
        finally:
            connection.close()
        value = _decoded(text)
        if status >= 400:
            words = str(value.get("error", "")) if isinstance(value, dict) else text.decode("utf-8", "replace").strip()
            raise ProxyApiError(
                f"The proxy's API at {printable(self.url)} refuses {method} {printable(path)}: "
                f"{printable(words, 300) or status}.",
                status,
            )
        if value is None and text:
            raise ProxyApiError(
                f"{printable(self.url)} is not a proxy's API: its answer to {path} is not JSON.", status
            )
        return value


_HEADERS = {"User-Agent": "loadgen", "Content-Type": "application/json"}


def _decoded(text: bytes) -> Any:
    try:
        return json.loads(text) if text else None
    except ValueError:
        return None
