"""A prefill that fails: exit status 3, the number of keys written, and the cause."""

from __future__ import annotations

import re

import pytest
from command import Running, settings, short
from faulty_server import FaultyServer, Peer, answers, closes, never_answers, polite, says
from in_process import invoked_load
from real_servers import RealServer

from loadgen.runner import prefill
from loadgen.units import NS_PER_S

PREFILL = ("--prefill", "--duration", "1s")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stall is found after 30 s, or 3 s when the server answers with errors: here sooner."""
    monkeypatch.setattr(prefill, "REFUSED_NS", NS_PER_S // 4)
    monkeypatch.setattr(prefill, "STALL_NS", NS_PER_S)


def timeout(text: str) -> list[str]:
    return ["--set", f"workload.prefill_timeout={text}"]


@pytest.mark.usefixtures("impatient")
def test_a_prefill_into_a_full_redis_ends_with_its_words_and_a_remedy() -> None:
    with RealServer.redis("--maxmemory", "3mb", "--maxmemory-policy", "noeviction") as server:
        finished = invoked_load(server.port, *PREFILL, "--keys", "100000")
        stored = server.client().dbsize()
    assert finished.status == 3
    line = finished.complaint
    # It says how many keys it knows to be there, out of how many; one may have found room since.
    stalled = re.search(r"The prefill stalled at ([0-9,]+) of 100,000 keys", line)
    assert stalled is not None, line
    assert 0 < int(stalled[1].replace(",", "")) <= stored
    assert 'the server answers "OOM command not allowed' in line
    assert "raise the server's memory limit, allow eviction, or write fewer or smaller values" in line


def test_a_prefill_that_takes_too_long_says_how_far_it_came() -> None:
    def slow(peer: Peer) -> None:
        """Answers a few SETs, and then no more."""
        polite(after=never_answers, requests=10)(peer)

    with FaultyServer(slow) as server:
        finished = invoked_load(server.port, *PREFILL, *timeout("1s"), *settings(request_timeout="10s"))
    assert finished.status == 3
    assert "The prefill had written 20 of 1,000 keys after 1 s (workload.prefill_timeout)" in finished.complaint


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("script", "words"),
    [
        (answers(b"", to=b"SET"), "requests timed out: see whether the server is stuck"),
        (polite(after=closes), " down (closed by server"),
        (polite(after=says(b"@\r\n")), " down (protocol: '@\\r\\n"),
        (
            answers(b"-READONLY You can't write against a read only replica.\r\n", to=b"SET"),
            "name the replica's master",
        ),
    ],
)
def test_a_prefill_that_gets_nowhere_says_what_it_is_up_against(script: object, words: str) -> None:
    with FaultyServer(script) as server:  # type: ignore[arg-type]
        soon = settings(request_timeout="100ms", connect_timeout="100ms")
        finished = invoked_load(server.port, *PREFILL, *soon)
    assert finished.status == 3
    assert "The prefill stalled at 0 of 1,000 keys" in finished.complaint
    assert words in finished.stderr


def test_a_prefill_goes_on_after_the_servers_restart() -> None:
    with RealServer.redis() as server:
        arguments = [*short(server.port), *PREFILL, "--keys", "20000000", "--pipeline", "64", *timeout("30s")]
        with Running(*arguments) as running:
            admin = server.client(retry_on_error=[ConnectionError])
            running.wait_until(lambda: admin.dbsize() > 0)
            server.kill()
            server.start()
            running.wait_until_connected(server.port, 2)
            again = server.client()
            running.wait_until(lambda: again.dbsize() > 0)
            running.interrupt()
            finished = running.finish()
    # Keys are still being written to the new server: nobody had to wait for a timeout, and nothing is unaccounted for.
    assert finished.status == 130
    assert finished.result["interrupted"]
    assert finished.result["connections"]["closed"] == 2
    assert finished.result["connections"]["reconnects"] >= 1


@pytest.mark.usefixtures("impatient")
def test_a_value_that_the_server_never_takes_ends_the_prefill() -> None:
    with RealServer.memcached() as server:
        finished = invoked_load(server.port, "--protocol", "memcache", *PREFILL, "--value-length", "2MB")
    assert finished.status == 3
    assert "SERVER_ERROR object too large for cache" in finished.complaint
    assert "larger -I" in finished.complaint
