"""Toxiproxy 2.12.0: the script of requests that its API and ours must answer alike, and the real server where it is.

As a program, records the answers of the server at a URL: `python tests/support/toxiproxy_script.py URL FILE`.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

VERSION = "2.12.0"
MODULE = f"github.com/Shopify/toxiproxy/v2/cmd/server@v{VERSION}"
HOST = "127.0.0.1"
BUILD = "LOADGEN_BUILD_TOXIPROXY"
"""The variable that, set to 1, has the tests build the server: this takes minutes."""

# Ports are chosen afresh in each run: the script has names for them, and so have the recorded answers.
PORTS = ("{one}", "{two}", "{taken}", "{server}")


@dataclass(frozen=True, slots=True)
class Step:
    """One request of the script."""

    method: str
    path: str
    body: str | None = None
    headers: dict[str, str] = field(default_factory=dict)


def _toxic(text: str, proxy: str = "one") -> Step:
    return Step("POST", f"/proxies/{proxy}/toxics", text)


_ONE = '{"name": "one", "listen": "127.0.0.1:{one}", "upstream": "127.0.0.1:{server}"}'

SCRIPT = (
    Step("GET", "/version"),
    Step("GET", "/proxies"),
    # Proxies, and what is wrong with a request for one.
    Step("POST", "/proxies", _ONE),
    Step("POST", "/proxies", _ONE),
    Step("POST", "/proxies", '{"listen": "127.0.0.1:0", "upstream": "127.0.0.1:{server}"}'),
    Step("POST", "/proxies", '{"name": "two", "listen": "127.0.0.1:0"}'),
    Step("POST", "/proxies", ""),
    Step("POST", "/proxies", '{"name": "tw'),
    Step("POST", "/proxies", '{"name": x}'),
    Step("POST", "/proxies", '{"name" "x"}'),
    Step("POST", "/proxies", "[]"),
    Step("POST", "/proxies", '{"name": 7}'),
    Step("POST", "/proxies", '{"name": "x", "enabled": "yes"}'),
    Step("POST", "/proxies", '{"name": "x", "listen": "127.0.0.1:{taken}", "upstream": "127.0.0.1:{server}"}'),
    Step("POST", "/proxies", '{"name": "x", "listen": "127.0.0.1", "upstream": "127.0.0.1:{server}"}'),
    Step(
        "POST", "/proxies", '{"NAME": "two", "Listen": "localhost:{two}", "upstream": "localhost:{server}", "more": 1}'
    ),
    Step("POST", "/proxies", '{"name": "x", "listen": "localhost:http-or-so", "upstream": "127.0.0.1:{server}"}'),
    Step("POST", "/proxies", '{"name": "x", "listen": "127.0.0.1:70000", "upstream": "127.0.0.1:{server}"}'),
    Step("POST", "/proxies", '{"name": "x", "listen": "[::1:1", "upstream": "127.0.0.1:{server}"}'),
    Step("POST", "/proxies", '{"name": "x", "listen": "::1:1", "upstream": "127.0.0.1:{server}"}'),
    Step("POST", "/proxies", '{"name": "x", "listen": "a]:1", "upstream": "127.0.0.1:{server}"}'),
    Step("POST", "/proxies", '{"name": "x", "listen": "[::1]", "upstream": "127.0.0.1:{server}"}'),
    Step("GET", "/proxies/two"),
    Step("GET", "/proxies/none"),
    Step("PATCH", "/proxies/none", "{}"),
    Step("DELETE", "/proxies/none"),
    Step("GET", "/proxies/one/"),
    Step("PUT", "/proxies/one", "{}"),
    Step("GET", "/nothing"),
    Step("GET", "/metrics"),
    Step("GET", "/proxies", headers={"User-Agent": "Mozilla/5.0"}),
    Step("GET", "/nothing", headers={"User-Agent": "Mozilla/5.0"}),
    Step("PATCH", "/proxies/two", '{"enabled": false}'),
    Step("POST", "/proxies/two", '{"enabled": true}'),
    Step("PATCH", "/proxies/two", '{"upstream": "127.0.0.1:1"}'),
    Step("PATCH", "/proxies/two", '{"listen": "127.0.0.1"}'),
    Step("PATCH", "/proxies/two", '{"enabled": 1}'),
    Step("PATCH", "/proxies/two", '{"listen": "127.0.0.1:{taken}"}'),
    Step("GET", "/proxies/two"),
    # Toxics.
    Step("GET", "/proxies/one/toxics"),
    _toxic('{"type": "latency", "attributes": {"latency": 5, "jitter": 1}}'),
    _toxic('{"type": "latency"}'),
    _toxic('{"type": "latency", "stream": "upstream", "toxicity": 0.05}'),
    _toxic('{"type": "latency", "stream": "Upstream", "name": "cased", "toxicity": 0.123456789}'),
    _toxic('{"type": "bandwidth", "name": "b", "attributes": {"rate": 10}}'),
    _toxic('{"type": "slow_close", "attributes": {"delay": 10}}'),
    _toxic('{"type": "timeout", "attributes": {"timeout": 10}}'),
    _toxic('{"type": "reset_peer", "attributes": {"timeout": 10}}'),
    _toxic('{"type": "slicer", "attributes": {"average_size": 64, "size_variation": 32, "delay": 10}}'),
    _toxic('{"type": "limit_data", "attributes": {"bytes": 1000}}'),
    _toxic('{"type": "noop"}'),
    _toxic('{"type": "none"}'),
    _toxic("{}"),
    _toxic('{"type": "latency", "stream": "sideways"}'),
    _toxic('{"type": "latency", "name": "x", "attributes": {"latency": "5"}}'),
    _toxic('{"type": "latency", "name": "x", "attributes": {"latency": 1.5}}'),
    _toxic('{"type": "slicer", "name": "x", "attributes": {"average_size": true}}'),
    _toxic('{"type": "latency", "name": "x", "attributes": 3}'),
    _toxic('{"type": "latency", "toxicity": "1"}'),
    _toxic('{"type": "latency", "toxicity": 1e400, "attributes": 3}'),
    _toxic("nonsense"),
    _toxic('{"type": "latency"}', "none"),
    Step("GET", "/proxies/one/toxics"),
    Step("GET", "/proxies/one/toxics/b"),
    Step("GET", "/proxies/one/toxics/none"),
    Step("PATCH", "/proxies/one/toxics/latency_downstream", '{"attributes": {"latency": 7}}'),
    Step("POST", "/proxies/one/toxics/latency_downstream", '{"toxicity": 0.5, "stream": "upstream", "name": "y"}'),
    Step("PATCH", "/proxies/one/toxics/latency_downstream", '{"attributes": {"jitter": "x"}}'),
    Step("PATCH", "/proxies/one/toxics/none", "{}"),
    Step("PATCH", "/proxies/one/toxics/b", ""),
    Step("DELETE", "/proxies/one/toxics/b"),
    Step("DELETE", "/proxies/one/toxics/b"),
    Step("GET", "/proxies/one"),
    Step("POST", "/reset"),
    Step("GET", "/reset"),
    # The proxy two is disabled by the address that was taken, and cannot be enabled: as the reset above says.
    Step("DELETE", "/proxies/two"),
    Step("POST", "/reset"),
    Step("GET", "/proxies"),
    # Populate.
    Step(
        "POST",
        "/populate",
        '[{"name": "one", "listen": "127.0.0.1:{one}", "upstream": "127.0.0.1:{server}", "enabled": false},'
        ' {"name": "two", "listen": "127.0.0.1:{two}", "upstream": "127.0.0.1:{server}", "enabled": false}]',
    ),
    Step("POST", "/populate", '[{"name": "two", "listen": "127.0.0.1:{two}", "upstream": "127.0.0.1:1"}]'),
    Step("POST", "/populate", '[{"name": "x", "upstream": "127.0.0.1:1"}, {"upstream": "127.0.0.1:1"}]'),
    Step("POST", "/populate", '[{"name": "x"}]'),
    Step("POST", "/populate", "{}"),
    Step("POST", "/populate", "["),
    Step("POST", "/populate", '["x"]'),
    Step("POST", "/populate", '[{"name": 1}]'),
    Step("POST", "/populate", '[{"enabled": 1}]'),
    Step("POST", "/populate", "[]"),
    Step("POST", "/populate", '[{"name": "x", "listen": "127.0.0.1:{taken}", "upstream": "127.0.0.1:1"}]'),
    Step("GET", "/proxies"),
    Step("DELETE", "/proxies/one"),
    Step("GET", "/proxies/one"),
    Step("DELETE", "/proxies/two"),
    Step("GET", "/proxies"),
)


def answers(url: str) -> list[dict[str, Any]]:
    """Run the script against the API at a URL, and return each request with its answer, ports by their names."""
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(socket.create_server((HOST, 0))) for _ in PORTS]
        ports = {name: str(each.getsockname()[1]) for name, each in zip(PORTS, held, strict=True)}
        for name, each in zip(PORTS, held, strict=True):
            if name in ("{one}", "{two}"):
                each.close()
        return [_answer(url, step, ports) for step in SCRIPT]


def _answer(url: str, step: Step, ports: dict[str, str]) -> dict[str, Any]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    body = _replaced(step.body, ports) if step.body is not None else None
    connection.request(step.method, step.path, body, step.headers)
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    for name, port in ports.items():
        text = text.replace(port, name)
    try:
        value = json.loads(text) if text else None
    except ValueError:
        value = text
    return {
        "request": f"{step.method} {step.path} {step.body or ''}".strip(),
        "status": response.status,
        "content_type": response.headers.get("Content-Type", ""),
        "answer": _without_logger(value),
    }


def _replaced(text: str, ports: dict[str, str]) -> str:
    for name, port in ports.items():
        text = text.replace(name, port)
    return text


def _without_logger(value: Any) -> Any:
    """Return the value without what 2.12 shows by mistake."""
    if isinstance(value, dict):
        return {name: _without_logger(inner) for name, inner in value.items() if name != "Logger"}
    return [_without_logger(inner) for inner in value] if isinstance(value, list) else value


def program() -> Path | None:
    """Return the real server, built once into the user's cache; None where it is not and is not to be built."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "loadgen", f"toxiproxy-{VERSION}")
    built = cache / "server"
    if not built.exists() and os.environ.get(BUILD) == "1" and shutil.which("go"):
        cache.mkdir(parents=True, exist_ok=True)
        subprocess.run(["go", "install", MODULE], env=os.environ | {"GOBIN": str(cache)}, check=True, timeout=900)
    return built if built.exists() else None


@contextlib.contextmanager
def running(path: Path, *options: str) -> Iterator[str]:
    """Run the real server; yield the URL of its API."""
    with socket.create_server((HOST, 0)) as held:
        port = held.getsockname()[1]
    process = subprocess.Popen(
        [path, "-host", HOST, "-port", str(port), *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"LOG_LEVEL": "error"},
    )
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection((HOST, port), timeout=1).close()
                break
            except OSError:
                assert time.monotonic() < deadline, "the real server does not answer"
                time.sleep(0.02)
        yield f"http://{HOST}:{port}"
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    recorded = json.dumps(answers(sys.argv[1]), indent=1, ensure_ascii=False)
    Path(sys.argv[2]).write_text(recorded + "\n")
