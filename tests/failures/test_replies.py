"""A server that answers with errors, wrongly, late or not at all under load: each case is counted and reported."""

from __future__ import annotations

import pytest
from command import Finished, settings
from faulty_server import (
    FaultyServer,
    Peer,
    Script,
    answers,
    by_connection,
    good_reply,
    is_load,
    never_answers,
    never_reads,
    polite,
    resets,
    says,
)
from in_process import invoked_load
from real_servers import RealServer

OOM = b"-OOM command not allowed when used memory > 'maxmemory'.\r\n"

# The first connection only asks which server it is. Each pair after it is one life of a run's two connections.
ASKS = polite()


def meets(*scripts: Script, options: tuple[str, ...] = (), timeout: str = "5s") -> Finished:
    """A run whose first two connections meet a script each, or the same one; all later ones are served well."""
    first = scripts if len(scripts) == 2 else scripts * 2
    with FaultyServer(by_connection(ASKS, *first, polite())) as server:
        return invoked_load(server.port, "--duration", "600ms", *settings(request_timeout=timeout), *options)


def valid(finished: Finished) -> bool:
    assert (finished.status == 0) == finished.result["verdict"]["valid"]
    return finished.status == 0


def failed(finished: Finished) -> bool:
    """Whether it ended as a run in which more requests failed than may."""
    return finished.status == 1 and "--max-failures 100%" in finished.complaint


# ── Error replies ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "reply",
    [
        "LOADING Redis is loading the dataset in memory",
        "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
    ],
)
def test_an_error_reply_is_counted_by_its_class_and_shown(reply: str) -> None:
    with FaultyServer(answers(f"-{reply}\r\n".encode(), b"SET")) as server:
        finished = invoked_load(server.port)
    word = reply.split()[0]
    assert failed(finished)
    assert finished.counts["error_replies"] == finished.result["commands"]["set"]["planned"] > 0
    assert finished.counts["error_classes"] == {word: finished.counts["error_replies"]}
    assert finished.result["error_examples"][word] == reply
    assert finished.result["connections"]["closed"] == 0


def test_a_memcached_that_is_out_of_memory_is_counted_by_its_class() -> None:
    with FaultyServer(answers(b"SERVER_ERROR out of memory storing object\r\n", b"set")) as server:
        finished = invoked_load(server.port, "--protocol", "memcache")
    assert finished.counts["error_classes"] == {"SERVER_ERROR": finished.result["commands"]["set"]["planned"]}
    assert finished.result["error_examples"]["SERVER_ERROR"] == "SERVER_ERROR out of memory storing object"


def test_a_run_in_which_nothing_went_well_has_failed() -> None:
    with FaultyServer(answers(OOM, b"SET")) as server:
        finished = invoked_load(server.port, "--mix", "set=1")
    assert failed(finished)
    assert "(100 %) failed (limit 1 %)" in finished.complaint
    assert "OOM command not allowed" in finished.complaint
    assert "raise the server's memory limit" in finished.complaint


def test_a_redis_that_is_out_of_memory_goes_on_reading() -> None:
    with RealServer.redis("--maxmemory", "1mb", "--maxmemory-policy", "noeviction") as server:
        finished = invoked_load(server.port)
        calls = server.client().info("commandstats")
    commands = finished.result["commands"]
    assert failed(finished)
    assert finished.counts["error_classes"] == {"OOM": calls["cmdstat_set"]["rejected_calls"]}
    assert commands["set"]["ok"] == calls["cmdstat_set"]["calls"]
    assert commands["get"]["ok"] == commands["get"]["planned"] == calls["cmdstat_get"]["calls"] > 0


def test_a_value_beyond_the_servers_limit_is_an_error_reply_with_its_remedy() -> None:
    with RealServer.memcached() as server:
        finished = invoked_load(server.port, "--protocol", "memcache", "--mix", "set=1", "--value-length", "2MB")
    assert failed(finished)
    assert "SERVER_ERROR object too large for cache" in finished.complaint
    assert "larger -I" in finished.complaint


# ── Wrong replies ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("garbage", [b"@garbage\r\n", b"\x00" * 1000])
def test_garbage_costs_a_connection_and_makes_the_run_invalid(garbage: bytes) -> None:
    finished = meets(polite(after=says(garbage), requests=100))
    assert finished.status == 4
    assert finished.counts["corrupt"] == 2
    # What was in flight behind it has gone with the connection.
    assert finished.counts["lost"] > 0
    assert finished.result["connections"]["failures"] == {"protocol": 2}
    assert finished.result["connections"]["reconnects"] == 2
    assert finished.counts["ok"] > 200
    assert "2 replies were not what the protocol allows" in finished.complaint


def test_garbage_under_memcache_is_found_too() -> None:
    finished = meets(polite(after=says(b"VALUE x 0\r\n"), requests=100), options=("--protocol", "memcache"))
    assert finished.status == 4
    assert finished.counts["corrupt"] == 2


@pytest.mark.parametrize("end", [resets, lambda peer: None])
def test_a_reply_cut_off_by_the_end_of_a_connection_is_lost(end: Script) -> None:
    finished = meets(polite(after=says(b"$-", end), requests=100))
    assert valid(finished)
    assert finished.counts["lost"] > 0
    assert finished.counts["corrupt"] == finished.counts["timeouts"] == 0
    assert finished.result["connections"]["closed"] == finished.result["connections"]["reconnects"] == 2
    assert set(finished.result["connections"]["failures"]) <= {"closed by server", "reset"}


def test_a_reply_cut_off_by_silence_times_out() -> None:
    finished = meets(polite(after=says(b"$-"), requests=100), timeout="200ms")
    assert valid(finished)
    # Both connections' pipelines, whole.
    assert finished.counts["timeouts"] == 2 * 4
    assert finished.result["connections"]["failures"] == {"stalled": 2}
    assert finished.result["connections"]["reconnects"] == 2


def test_a_reply_to_no_request_costs_the_connection() -> None:
    def answers_twice(peer: Peer) -> None:
        for request in peer.requests():
            peer.send(good_reply(request) * (2 if is_load(request) else 1))

    # Twenty a second on two connections: nothing is in flight when the second reply comes.
    finished = meets(answers_twice, options=("--rate", "20", "--arrival", "constant"))
    assert finished.result["connections"]["failures"] == {"unasked reply": 2}
    assert finished.result["connections"]["reconnects"] == 2
    assert finished.counts["ok"] == finished.counts["planned"] == 12
    assert finished.result["error_examples"]["unasked reply"] in ("'$-1\\r\\n'", "'+OK\\r\\n'")


# ── Late, or never ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_silent_connection_is_closed_and_made_anew() -> None:
    finished = meets(polite(after=never_answers, requests=100), timeout="200ms")
    assert valid(finished)
    assert finished.counts["timeouts"] == 2 * 4
    assert finished.result["connections"]["failures"] == {"stalled": 2}
    assert finished.counts["ok"] > 200


def test_a_timeout_is_counted_at_its_deadline_and_no_earlier() -> None:
    finished = meets(polite(after=never_answers, requests=0), options=("--pipeline", "1"), timeout="200ms")
    latency = finished.result["latency"]["all"]["response"]
    assert finished.counts["timeouts"] == 2
    assert latency["censored"] == 2
    # A timeout's latency is what it had waited at its deadline, to the nanosecond, and a lower bound.
    assert latency["max_ns"] == 200_000_000
    assert "max_ns" in latency["lower_bounds"]


def test_late_replies_are_counted_late_and_match_nothing_else() -> None:
    def answers_the_first_with_the_second(peer: Peer) -> None:
        held: bytes | None = None
        for request in peer.requests():
            if is_load(request) and held is None:
                held = good_reply(request)
            else:
                peer.send((held or b"") + good_reply(request))
                held = held and b""

    # Each connection has a request every 500 ms: the second comes after the first one's deadline, and well before twice
    # that time, when the connection would count as stalled.
    finished = meets(
        answers_the_first_with_the_second,
        options=("--rate", "4", "--arrival", "constant", "--duration", "1s"),
        timeout="400ms",
    )
    assert failed(finished)
    assert finished.counts["timeouts"] == finished.counts["late"] == 2
    assert finished.counts["ok"] == finished.counts["planned"] - 2 == 2
    assert finished.result["connections"]["closed"] == 0


def test_memory_is_bounded_when_a_server_stops_reading() -> None:
    """A schedule goes on while nothing is sent: what is due must not pile up in the generator."""
    options = (
        "--rate",
        "100000",
        "--arrival",
        "constant",
        "--value-length",
        "4000",
        "--mix",
        "set=1",
        *settings(request_timeout="300ms"),
    )
    with FaultyServer(polite()) as server:
        usual = invoked_load(server.port, *options[4:], "--duration", "500ms", "--rate", "100", "--arrival", "constant")
    with FaultyServer(polite(after=never_reads, requests=10)) as server:
        finished = invoked_load(server.port, *options, "--duration", "1s")
    assert finished.counts["planned"] == 100_000
    assert finished.counts["unsent"] > 90_000
    # Two connections of four requests each are 32 KB; the 100,000 that were due are 400 MB, or 4 MB as bare records.
    grown = finished.result["client"]["max_rss_bytes"] - usual.result["client"]["max_rss_bytes"]
    assert grown < 3_000_000
