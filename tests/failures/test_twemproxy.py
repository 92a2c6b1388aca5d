"""A real twemproxy before redis: what it answers to a greeting, and a load through it."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from in_process import invoked_load
from real_servers import HOST, RealServer, free_port

POOL = """\
pool:
  listen: {host}:{port}
  redis: true
  hash: fnv1a_64
  distribution: ketama
  servers:
    - {host}:{server}:1
"""


@pytest.fixture(scope="module")
def server() -> Iterator[RealServer]:
    with RealServer.redis() as server:
        yield server


@pytest.fixture(scope="module")
def proxy(server: RealServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    program = shutil.which("nutcracker") or shutil.which("nutcracker", path="/usr/sbin")
    if program is None:
        pytest.skip("nutcracker (twemproxy) is not installed")
    folder, port = tmp_path_factory.mktemp("nutcracker"), free_port()
    (folder / "pool.yml").write_text(POOL.format(host=HOST, port=port, server=server.port))
    words = [program, "-c", str(folder / "pool.yml"), "-s", str(free_port()), "-a", HOST, "-o", str(folder / "log")]
    with subprocess.Popen(words, stdin=subprocess.DEVNULL) as process:
        try:
            _await(port, process, folder)
            yield port
        finally:
            process.terminate()


def _await(port: int, process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection((HOST, port), 1).close()
        except OSError:
            time.sleep(0.01)
        else:
            return
    raise RuntimeError(f"twemproxy did not start: {(folder / 'log').read_text()}")


@pytest.mark.parametrize("precheck", ["ping", "none"])
def test_a_load_goes_through_twemproxy_whatever_the_precheck(proxy: int, server: RealServer, precheck: str) -> None:
    calls = server.redis().info("commandstats")
    finished = invoked_load(proxy, "--requests", "500", "--keys", "100", "--set", f"target.precheck={precheck}")
    assert finished.status == 0, finished.stderr
    counts = finished.counts
    assert counts["ok"] == counts["planned"] == 500
    after = server.redis().info("commandstats")
    counted = sum(after[f"cmdstat_{name}"]["calls"] - calls.get(f"cmdstat_{name}", {}).get("calls", 0)
                  for name in ("get", "set"))  # fmt: skip
    assert counted == 500


def test_hello_which_twemproxy_does_not_know_is_told_with_the_remedy(proxy: int) -> None:
    finished = invoked_load(proxy, "--requests", "10", "--protocol", "resp3")
    assert finished.status == 3
    assert "target.precheck" in finished.stderr or "target.protocol" in finished.stderr or "resp3" in finished.stderr
