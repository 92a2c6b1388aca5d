"""`loadgen proxy` as a user meets it: flags in our spelling and in Toxiproxy's, files, signals, and what is wrong."""

from __future__ import annotations

import contextlib
import json
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from in_process import invoked

from loadgen.faults.proxy.client import NewToxic, ProxyApi
from loadgen.faults.proxy.managed import ManagedProxy

HOST = "127.0.0.1"
COMMAND = [sys.executable, "-m", "loadgen", "proxy"]


@contextlib.contextmanager
def started(*options: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """Start the command; yield the process and the lines that it printed before it was ready."""
    process = subprocess.Popen([*COMMAND, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        yield process, [process.stdout.readline().strip()]
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def url_in(line: str) -> str:
    found = re.search(r"http://[\d.]+:\d+", line)
    assert found is not None, line
    return found[0]


def test_one_proxy_straight_from_flags_relays_logs_and_ends_at_sigterm() -> None:
    with socket.create_server((HOST, 0)) as server:
        upstream = f"{HOST}:{server.getsockname()[1]}"
        flags = ("--listen", f"{HOST}:0", "--upstream", upstream, "--port", "0", "--verbose", "--seed", "9")
        with started(*flags, "--toxic", "latency:latency=1,jitter=0,stream=upstream") as (process, said):
            assert process.stdout is not None
            assert "seed 9" in said[0]
            line = process.stdout.readline()
            found = re.fullmatch(rf"proxy proxy: ({HOST}:\d+) → {upstream}\n", line)
            assert found is not None, line
            with socket.create_connection((HOST, int(found[1].split(":")[1])), 20) as client:
                client.sendall(b"hello")
                with server.accept()[0] as accepted:
                    assert accepted.recv(10) == b"hello"
            [toxic] = ProxyApi(url_in(said[0])).proxy("proxy")["toxics"]
            assert (toxic["name"], toxic["attributes"]) == ("latency_upstream", {"latency": 1, "jitter": 0})
            process.send_signal(signal.SIGTERM)
            rest, wrong = process.communicate(timeout=20)
            assert (process.returncode, wrong) == (0, "")
            assert [re.sub(r"^\S+ ", "", line) for line in rest.splitlines()] == [
                "connection 1 of proxy opened",
                "connection 1 of proxy closed",
            ]


def test_toxiproxys_flags_and_its_file(tmp_path: Path) -> None:
    file = tmp_path / "proxies.json"
    proxies = [
        {"name": "a", "listen": f"{HOST}:0", "upstream": f"{HOST}:1"},
        {"name": "b", "listen": f"{HOST}:0", "upstream": f"{HOST}:1", "enabled": False},
    ]
    file.write_text(json.dumps(proxies))
    draws = tmp_path / "draws.ndjson"
    flags = ("-host", HOST, "-port=0", "-config", str(file), "-seed", "3", "-proxy-metrics", "--log-draws", str(draws))
    with started(*flags) as (_, said):
        api = ProxyApi(url_in(said[0]))
        found = api.proxies()
        assert {name: proxy["enabled"] for name, proxy in found.items()} == {"a": True, "b": False}
        api.add_toxic("a", NewToxic("t", "latency", toxicity=0.5))
        with socket.create_connection((HOST, int(found["a"]["listen"].split(":")[1])), 20) as client:
            assert client.recv(1) == b""
        with socket.create_server((HOST, 0)) as server:
            listen = api.create("c", f"{HOST}:0", f"{HOST}:{server.getsockname()[1]}")
            api.add_toxic("c", NewToxic("t", "latency", toxicity=0.5))
            with socket.create_connection((HOST, int(listen.split(":")[1])), 20) as client:
                server.accept()[0].close()
                assert client.recv(1) == b""
        [logged] = [json.loads(line) for line in draws.read_text().splitlines()]
    assert (logged["proxy"], logged["toxic"], logged["connection"], logged["what"]) == ("c", "t", 1, "toxicity")


def test_a_port_in_use_is_one_sentence_and_exit_status_3() -> None:
    with socket.create_server((HOST, 0)) as taken:
        address = f"{HOST}:{taken.getsockname()[1]}"
        of_the_api = ("--host", HOST, "--port", address.split(":")[1])
        of_the_proxy = ("--port", "0", "--listen", address, "--upstream", "x:1")
        for flags in (of_the_api, of_the_proxy):
            done = subprocess.run([*COMMAND, *flags], capture_output=True, text=True, timeout=30)
            assert done.returncode == 3
            assert done.stdout == ""
            [line] = done.stderr.splitlines()
            assert "address already in use" in line
            assert "port" in line.lower()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--listen", "127.0.0.1:0"], "--listen and --upstream need each other"),
        (["--toxic", "latency"], "--toxic is for the proxy of --listen and --upstream"),
        (["--toxic", "latncy"], 'there is no toxic "latncy"; did you mean latency?'),
        (["--toxic", "packet"], "there are latency, bandwidth"),
        (["--toxic", "latency:latncy=5"], 'latency has no attribute "latncy"; did you mean latency?'),
        (["--toxic", "latency:latency"], "has no value"),
        (["--toxic", "latency:latency=soon"], 'latency must be a whole number, not "soon"'),
        (["--toxic", "latency:toxicity=2"], "toxicity must be a share from 0 to 1"),
        (["--toxic", "latency:stream=side"], "stream must be one of upstream, downstream"),
        (["--listen", "nowhere", "--upstream", "x:1"], '"nowhere" is not an address'),
        (["--config", "/none/such.json"], "/none/such.json cannot be read"),
        (["--port", "99999"], "is not a port"),
        (["--verbse"], "did you mean --verbose?"),
    ],
)
def test_what_is_wrong_with_the_command_line_is_said(flags: list[str], words: str) -> None:
    done = invoked("proxy", *flags)
    assert done.status == 2
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_what_is_wrong_with_a_file_is_said(tmp_path: Path) -> None:
    file = tmp_path / "proxies.json"
    for text, words in (
        ("{}", "must be a JSON list of proxies"),
        ('[{"name": "a"}]', "missing required field: upstream at proxy 1"),
        ("[", "unexpected EOF"),
    ):
        file.write_text(text)
        done = invoked("proxy", "--config", str(file))
        assert done.status == 2
        assert words in done.stderr


def test_the_version_names_toxiproxys() -> None:
    done = invoked("proxy", "-version")
    assert done.status == 0
    assert "2.12.0" in done.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_draw_that_cannot_be_written_ends_the_proxy_with_a_sentence() -> None:
    with socket.create_server((HOST, 0)) as server:
        flags = ("--listen", f"{HOST}:0", "--upstream", f"{HOST}:{server.getsockname()[1]}", "--port", "0")
        with started(*flags, "--toxic", "latency:toxicity=0.5", "--log-draws", "/dev/full") as (process, _):
            assert process.stdout is not None
            listen = process.stdout.readline().split()[2]
            with socket.create_connection((HOST, int(listen.split(":")[1])), 20):
                _, wrong = process.communicate(timeout=20)
    assert process.returncode == 3
    assert wrong == (
        "loadgen: The draws cannot be written to /dev/full (No space left on device): make room for them, or correct "
        "--log-draws.\n"
    )


def test_a_proxy_goes_on_when_nobody_reads_its_lines() -> None:
    with socket.create_server((HOST, 0)) as server:
        flags = ("--listen", f"{HOST}:0", "--upstream", f"{HOST}:{server.getsockname()[1]}", "--port", "0", "--verbose")
        with started(*flags) as (process, _):
            assert process.stdout is not None
            listen = process.stdout.readline().split()[2]
            process.stdout.close()
            for _ in range(3):
                with socket.create_connection((HOST, int(listen.split(":")[1])), 20) as client:
                    client.sendall(b"hello")
                    with server.accept()[0] as accepted:
                        assert accepted.recv(10) == b"hello"
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0


def descriptors(pid: int) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("seed", [1])
def test_connections_under_changing_toxics_leave_no_descriptor_and_no_busy_loop(seed: int) -> None:
    """Connections come and go while toxics of every type are added, changed and removed at random."""
    drawn = random.Random(seed)
    kinds = ["latency", "bandwidth", "slow_close", "timeout", "reset_peer", "slicer", "limit_data", "cut", "noop"]
    attributes = {"latency": {"latency": 3, "jitter": 2}, "bandwidth": {"rate": 500}, "slow_close": {"delay": 3}}
    attributes |= {"timeout": {"timeout": 5}, "reset_peer": {"timeout": 2}, "limit_data": {"bytes": 500}}
    attributes |= {"cut": {"bytes": 300}, "slicer": {"average_size": 50, "size_variation": 20, "delay": 50}, "noop": {}}
    with ManagedProxy(seed=seed) as proxy, socket.create_server((HOST, 0), backlog=64) as server:
        api, pid = proxy.api, proxy.server.pid
        address = (HOST, int(api.create("p", f"{HOST}:0", f"{HOST}:{server.getsockname()[1]}").split(":")[1]))
        before = descriptors(pid)
        added: list[str] = []
        ends: list[socket.socket] = []
        for turn in range(120):
            if len(added) < 4 and drawn.random() < 0.6:
                kind, stream = drawn.choice(kinds), drawn.choice(["upstream", "downstream"])
                api.add_toxic("p", NewToxic(f"t{turn}", kind, stream, drawn.choice([0.5, 1.0]), attributes[kind]))
                added.append(f"t{turn}")
            elif added:
                api.remove_toxic("p", added.pop(drawn.randrange(len(added))))
            client = socket.create_connection(address, 20)
            accepted, _ = server.accept()
            for end in (client, accepted):
                end.setblocking(False)
                ends.append(end)
            for end in drawn.sample(ends, min(len(ends), 8)):
                with contextlib.suppress(OSError):
                    end.send(b"x" * drawn.randrange(1, 5000)) if drawn.random() < 0.7 else end.recv(65536)
            if len(ends) > 20:
                for _ in range(4):
                    ends.pop(drawn.randrange(len(ends))).close()
        for end in ends:
            end.close()
        api.reset()
        counted = api.effects()
        assert counted is not None
        assert counted["p"]["connections"]["accepted"] == 120
        # The API's own connections end a moment after their answers, and the closes of clients are read after that.
        deadline = time.monotonic() + 20
        while descriptors(pid) > before and time.monotonic() < deadline:
            time.sleep(0.02)
        assert descriptors(pid) <= before
        counted = api.effects()
        assert counted is not None
        assert counted["p"]["connections"]["open"] == 0
        usage = proxy.server.usage()
        assert usage is not None
        time.sleep(0.3)
        later = proxy.server.usage()
        assert later is not None
        assert later.cpu_ns - usage.cpu_ns < 100_000_000
