"""Random requests, valid and not, to the real Toxiproxy and to ours: statuses, types and bodies are equal."""

from __future__ import annotations

import http.client
import json
import random
import re
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
import toxiproxy_script as script

from loadgen.faults.proxy.managed import ManagedProxy

HOST = "127.0.0.1"
Request = tuple[str, str, str | None]

# What stands where something else should: other types, numbers out of range, and what is no JSON.
ODD = [
    "1",
    "0",
    "-5",
    "1.5",
    "1e3",
    "1e400",
    '"x"',
    '""',
    "null",
    "true",
    "false",
    "{}",
    "[]",
    "[1]",
    '{"latency":3}',
    "99999999999999999999",
    '"downstream"',
    '"upstream"',
    '"UPSTREAM"',
    '"latency"',
    '"slicer"',
    '"\\u00e9\\ud83d\\ude00"',
    '"a\\nb"',
    "0.1",
    "-0",
    "00",
    "+1",
    ".5",
    "1.",
    "1e",
    '"\\x"',
    "nul",
    "tru",
    "falsey",
]
ATTRIBUTES = {
    "latency": ["latency", "jitter"],
    "bandwidth": ["rate"],
    "slow_close": ["delay"],
    "timeout": ["timeout"],
    "reset_peer": ["timeout"],
    "slicer": ["average_size", "size_variation", "delay"],
    "limit_data": ["bytes"],
    "noop": ["other"],
    "bogus": ["other"],
}


class Requests:
    """Requests drawn from a seed."""

    def __init__(self, seed: int, ports: list[int]) -> None:
        self.drawn = random.Random(seed)
        self.ports = ports

    def one(self) -> Request:
        pick, name = self.drawn.choice, self.drawn.choice("abcd")
        toxic = pick(["t1", "t2", "latency_downstream", "noop_upstream"])
        paths = [
            "/proxies",
            f"/proxies/{name}",
            f"/proxies/{name}/toxics",
            f"/proxies/{name}/toxics/{toxic}",
            "/",
            "//x",
        ]
        kinds: list[tuple[int, Request]] = [
            (20, ("POST", "/proxies", self.proxy())),
            (30, ("POST", f"/proxies/{name}/toxics", self.toxic())),
            (10, (pick(["PATCH", "POST"]), f"/proxies/{name}/toxics/{toxic}", self.toxic())),
            (10, (pick(["PATCH", "POST"]), f"/proxies/{name}", self.proxy())),
            (5, ("DELETE", f"/proxies/{name}/toxics/{toxic}", None)),
            (3, ("DELETE", f"/proxies/{name}", None)),
            (4, ("POST", "/populate", f"[{', '.join(self.proxy() for _ in range(self.drawn.randrange(3)))}]")),
            (2, ("POST", "/populate", self.proxy())),
            (16, (pick(["GET", "GET", "GET", "HEAD", "PUT"]), pick(paths[:5]), None)),
        ]
        [(_, request)] = self.drawn.choices(kinds, [weight for weight, _ in kinds])
        return request

    def proxy(self) -> str:
        listens = [f'"{HOST}:{port}"' for port in self.ports]
        listens += [f'"{HOST}"', '"localhost:bad"', f'"{HOST}:99999"', '"[::1:1"', '"a]:1"']
        return self.object(
            {
                "name": self.drawn.choice(['"a"', '"b"', '"c"']),
                "listen": self.drawn.choice(listens),
                "upstream": self.drawn.choice([f'"{HOST}:1"', '"x"']),
                "enabled": self.drawn.choice(["true", "false"]),
            }
        )

    def toxic(self) -> str:
        kind = self.drawn.choice(list(ATTRIBUTES))
        return self.object(
            {
                "type": f'"{kind}"',
                "stream": self.drawn.choice(['"upstream"', '"downstream"', '"sideways"']),
                "name": self.drawn.choice(['"t1"', '"t2"', '"t3"']),
                "toxicity": self.drawn.choice(["1", "0.5", "0.1", "0.333333333"]),
                "attributes": self.object({name: str(self.drawn.randrange(1000)) for name in ATTRIBUTES[kind]}),
            }
        )

    def object(self, members: dict[str, str]) -> str:
        """An object of some of the members, some of which are spelt or valued oddly; some objects are damaged."""
        parts = []
        for name, value in members.items():
            if self.drawn.random() < 0.7:
                spelt = (
                    name if self.drawn.random() < 0.85 else self.drawn.choice([name.upper(), name.title(), f"{name}x"])
                )
                parts.append(f'"{spelt}": {value if self.drawn.random() < 0.75 else self.drawn.choice(ODD)}')
        text = "{" + ", ".join(parts) + "}"
        if self.drawn.random() < 0.12:
            at = self.drawn.randrange(len(text) + 1)
            text = self.drawn.choice([text[:at], text[:at] + self.drawn.choice('{}[],:"x\\1 ') + text[at:]])
        return (
            text if self.drawn.random() > 0.03 else self.drawn.choice(["", " ", "null", "[]", "3", '"x"', f"{text} x"])
        )


def answer(url: str, request: Request) -> tuple[int, str, Any]:
    method, path, body = request
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    try:
        connection.request(method, path, body)
        response = connection.getresponse()
        # A proxy without an address listens on a port that the kernel chooses.
        text = re.sub(r"\[::\]:\d+", "[::]:free", response.read().decode().replace(',"Logger":{}', ""))
        kind = response.headers.get("Content-Type", "")
    finally:
        connection.close()
    try:
        return response.status, kind, json.loads(text)
    except ValueError:
        return response.status, kind, text


def answers(url: str, requests: list[Request]) -> list[tuple[int, str, Any]]:
    found = [answer(url, request) for request in requests]
    for name in answer(url, ("GET", "/proxies", None))[2]:
        assert answer(url, ("DELETE", f"/proxies/{quote(name, safe='')}", None))[0] == 204
    return found


@pytest.fixture(scope="module")
def real() -> Iterator[str]:
    built = script.program()
    if built is None:
        pytest.skip(f"toxiproxy {script.VERSION} is not built here: {script.BUILD}=1 has the tests build it, with Go")
    with script.running(built) as url:
        yield url


@pytest.mark.parametrize("seed", [1, 2])
def test_random_requests_are_answered_alike(real: str, seed: int) -> None:
    held = [socket.create_server((HOST, 0)) for _ in range(3)]
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    drawn = Requests(seed, ports)
    requests = [drawn.one() for _ in range(400)]
    theirs = answers(real, requests)
    with ManagedProxy(seed=1) as proxy:
        ours = answers(proxy.url, requests)
    differing = [each for each in zip(requests, theirs, ours, strict=True) if each[1] != each[2]]
    assert differing == []
    # The requests are not all refused for one reason.
    assert len({(status, str(body)[:40]) for status, _, body in theirs}) > 40
