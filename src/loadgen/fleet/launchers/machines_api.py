"""Fly.io's Machines API, as far as agents need it: create, wait for, list and destroy machines of an app.

The API's page: fly.io/docs/machines/api/machines-resource. The token is sent in a header, and masked in each error.
"""

from __future__ import annotations

import http.client
import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, quote, urlsplit

from loadgen.errors import UsageError, WorkerError
from loadgen.escape import printable
from loadgen.secret import masked

HOSTNAME = "https://api.machines.dev"
TIMEOUT_S = 75.0
"""Longer than the API holds a wait for a state, which is 60 s at most."""

PAUSE_S = 1.0
"""The API takes one request per second for each action of an app; the pause after it said "too many"."""

TRIES = 10


class ApiError(WorkerError):
    """A request that the API refused, or that did not reach it. `status` is 0 for the latter."""

    def __init__(self, sentence: str, status: int = 0) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass(frozen=True, slots=True)
class MachinesApi:
    """The machines of one app."""

    app: str
    token: str = field(repr=False)
    base: SplitResult = field(default_factory=lambda: urlsplit(HOSTNAME))

    def create(self, name: str, region: str, config: Mapping[str, Any]) -> dict[str, Any]:
        """Create a machine, which starts at once, and return what the API says of it."""
        body = {"name": name, "config": config, **({"region": region} if region else {})}
        made = self._ask("POST", "", body)
        if not isinstance(made, dict) or not isinstance(made.get("id"), str):
            raise ApiError("The Machines API answered a creation without the id of a machine.")
        return made

    def await_started(self, machine: str, instance: str) -> None:
        """Wait until a machine has started, 60 s at most."""
        version = f"&instance_id={quote(instance)}" if instance else ""
        self._ask("GET", f"/{quote(machine)}/wait?state=started&timeout=60{version}")

    def of_run(self, run: str) -> list[str]:
        """Return the ids of all machines that carry this run in their metadata."""
        machines = self._ask("GET", f"?metadata.loadgen_run={quote(run)}")
        return [
            machine["id"]
            for machine in machines or []
            # The filter is the API's; that no other machine is destroyed is ours.
            if machine.get("config", {}).get("metadata", {}).get("loadgen_run") == run
            and machine.get("state") not in ("destroyed", "destroying")
        ]

    def destroy(self, machine: str) -> None:
        """Destroy a machine, whether or not it runs; one that is not there is none to destroy."""
        try:
            self._ask("DELETE", f"/{quote(machine)}?force=true")
        except ApiError as error:
            if error.status != 404:
                raise

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        """Return the answer, as JSON. Raises ApiError."""
        for _ in range(TRIES):
            status, text = self._asked(method, path, None if body is None else json.dumps(body))
            if status != http.client.TOO_MANY_REQUESTS:
                break
            time.sleep(PAUSE_S)
        if not 200 <= status < 300:
            raise ApiError(self._refusal(status, text), status)
        try:
            return json.loads(text) if text.strip() else None
        except ValueError:
            raise ApiError("The Machines API answered with no JSON.", status) from None

    def _asked(self, method: str, path: str, body: str | None) -> tuple[int, str]:
        host, port = self.base.hostname or "", self.base.port
        connection = (
            http.client.HTTPSConnection(host, port, timeout=TIMEOUT_S, context=ssl.create_default_context())
            if self.base.scheme == "https"
            else http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
        )
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        try:
            connection.request(method, f"/v1/apps/{quote(self.app)}/machines{path}", body, headers)
            response = connection.getresponse()
            return response.status, response.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            why = masked(str(error) or type(error).__name__, self.token)
            raise ApiError(f"The Machines API was not reached at {self.base.netloc} ({printable(why)}).") from None
        finally:
            connection.close()

    def _refusal(self, status: int, text: str) -> str:
        try:
            words = json.loads(text)["error"]
        except (ValueError, KeyError, TypeError):
            words = text
        said = f"{status}: {printable(masked(str(words), self.token))}"
        if status in (401, 403):
            return f"The Machines API refuses FLY_API_TOKEN ({said}): make one, fly tokens create deploy -a {self.app}."
        if status == 404:
            return f"The Machines API has no app {self.app!r}, or not that machine ({said})."
        return f"The Machines API refused a request ({said})."


def api_of(app: str, environment: Mapping[str, str]) -> MachinesApi:
    """Return the API as FLY_API_TOKEN and FLY_API_HOSTNAME say. Raises UsageError."""
    token = environment.get("FLY_API_TOKEN", "").strip()
    if not token:
        raise UsageError(
            f"--on fly:{app} needs FLY_API_TOKEN in the environment: make a token, fly tokens create deploy -a {app}."
        )
    if not token.isascii() or not token.isprintable():
        raise UsageError("FLY_API_TOKEN is no token: it has characters that no header can carry.")
    base = urlsplit(environment.get("FLY_API_HOSTNAME") or HOSTNAME)
    # The token goes in clear where there is no TLS: only within this host, or within Fly's private network.
    is_private = base.hostname in ("127.0.0.1", "::1", "localhost", "_api.internal")
    if not base.hostname or not (base.scheme == "https" or (base.scheme == "http" and is_private)):
        raise UsageError(
            f"FLY_API_HOSTNAME is {printable(base.geturl(), 80)!r}, to which no token is sent; it is {HOSTNAME}, or "
            "http://_api.internal:4280 in Fly's private network."
        )
    return MachinesApi(app, token, base)
