"""`--dry-run`: the agents come, say what they are and what each would do, and nothing is sent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from in_process import invoked
from real_servers import RealServer

from loadgen.version import __version__


@pytest.fixture(scope="module")
def server() -> Iterator[RealServer]:
    with RealServer.redis() as server:
        yield server


def commands(server: RealServer) -> set[str]:
    """The commands that the server has had, by its own account."""
    with server.client() as client:
        return {name.removeprefix("cmdstat_") for name in client.info("commandstats")}


def test_a_dry_run_shows_what_agents_would_do_and_the_server_has_no_request(
    server: RealServer, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before, connected = commands(server), server.client().info("stats")["total_connections_received"]
    load = ["--rate", "300", "--connections", "6", "--threads", "1", "--prefill"]
    asked = ["--on", "local:2", "--dry-run", "--json", str(tmp_path / "dry.json")]
    done = invoked("run", "--port", str(server.port), *load, *asked)
    assert done.status == 0, done.stderr
    assert "nothing is sent: --dry-run" in done.stdout
    assert "2 agents on " in done.stdout
    assert [line.split()[0] for line in done.stdout.splitlines() if line.startswith("local-")] == ["local-0", "local-1"]
    assert "RESULTS" not in done.stdout
    # The agents are told goodbye: they do not miss their leader.
    assert "lost its leader" not in capfd.readouterr().err

    [record] = map(orjson.loads, (tmp_path / "dry.json").read_bytes().splitlines())
    assert record["dry_run"] is True
    assert [agent["name"] for agent in record["agents"]] == ["local-0", "local-1"]
    assert [agent["connections"] for agent in record["agents"]] == [3, 3]
    assert [agent["rate_per_s"] for agent in record["agents"]] == [150, 150]
    assert {agent["version"] for agent in record["agents"]} == {__version__}
    assert {(agent["clock_ahead_ns"], agent["clock_error_ns"]) for agent in record["agents"]} == {(0, 0)}
    assert all(abs(agent["wall_ahead_ns"]) <= agent["wall_error_ns"] for agent in record["agents"])

    assert (commands(server) - before) <= {"info"}
    assert not commands(server) & {"get", "set"}
    # One that asks what the server is, and those of this test.
    assert server.client().info("stats")["total_connections_received"] - connected <= 4


def test_a_dry_run_without_agents_is_refused_with_the_remedy() -> None:
    done = invoked("run", "--embedded", "--dry-run")
    assert done.status == 2
    assert "add --on local:2" in done.stderr
