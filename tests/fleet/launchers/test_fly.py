"""The launcher fly against a stub of the Machines API: whatever happens, no machine is left, and no token is shown."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from real_servers import free_port
from stub_machines import TOKEN, StubMachines, serving

from loadgen.errors import LoadgenError, UsageError, WorkerError
from loadgen.fleet.launchers import fly, machines_api
from loadgen.fleet.launchers.asked import Asked
from loadgen.fleet.launchers.fly import Fly


@pytest.fixture(autouse=True)
def port(monkeypatch: pytest.MonkeyPatch) -> int:
    """A port that is free on this host, in place of the one that agents have on machines of their own."""
    monkeypatch.setattr(fly, "PORT", free_port())
    return fly.PORT


@pytest.fixture
def stub(port: int) -> Iterator[StubMachines]:
    def listen(address: str, config: dict[str, Any]) -> Callable[[], None]:
        return socket.create_server((address, port)).close

    with serving(listen) as up:
        yield up
        assert up.machines == {}


class Launched:
    """A launch for two machines of the stub's app, and what it said."""

    def __init__(self, stub: StubMachines, words: str = "bench:2", token: str = TOKEN) -> None:
        self.said: list[str] = []
        environment = {"FLY_API_TOKEN": token, "FLY_API_HOSTNAME": stub.url}
        self.launcher = Fly.of(words, Asked(environment=environment, say=self.said.append))

    def refused(self) -> str:
        """Launch, and return the error's sentence."""
        with pytest.raises(LoadgenError) as error, self.launcher.launch("run"):
            pass
        assert "fm2" not in str(error.value)
        return str(error.value)


def test_machines_are_created_reached_and_destroyed(stub: StubMachines, port: int) -> None:
    launched = Launched(stub)
    with launched.launcher.launch("run") as channels:
        assert [channel.name for channel in channels] == [*stub.machines]
        assert {channel.socket.getpeername() for channel in channels} == {("127.0.0.2", port), ("127.0.0.3", port)}
        for machine in stub.machines.values():
            config = machine["config"]
            assert config["init"]["exec"] == ["loadgen", "agent", "--once", "--listen", f"fly-local-6pn:{port}"]
            assert config["auto_destroy"]
            assert config["restart"] == {"policy": "no"}
            assert {channel.token for channel in channels} == {launched.launcher.token}
            assert config["env"] == {"LOADGEN_TOKEN": launched.launcher.token}
            assert "services" not in config
    assert stub.machines == {}
    assert launched.said[0].startswith("unverified: ")
    assert not any(
        "fm2" in words or launched.launcher.token in words for words in (*launched.said, repr(launched.launcher))
    )


@pytest.mark.parametrize("error", [KeyboardInterrupt, WorkerError])
def test_machines_are_destroyed_when_the_run_is_interrupted_or_fails(
    stub: StubMachines, error: type[BaseException]
) -> None:
    def run_and_fail() -> None:
        with Launched(stub).launcher.launch("run"):
            assert len(stub.machines) == 2
            raise error

    with pytest.raises(error):
        run_and_fail()
    assert stub.machines == {}


def test_machine_whose_creation_was_not_answered_is_destroyed_too(stub: StubMachines) -> None:
    stub.after_creation = (504, "upstream timed out")
    assert "refused a request (504: upstream timed out)" in Launched(stub).refused()
    assert sum(asked.startswith("DELETE") for asked in stub.asked) == 1


def test_machines_of_others_are_left_alone(stub: StubMachines) -> None:
    _, other = stub.create({"config": {"metadata": {"loadgen_run": "other"}}})
    with Launched(stub).launcher.launch("run"):
        pass
    assert [*stub.machines] == [other["id"]]
    stub.answer("DELETE", f"/v1/apps/bench/machines/{other['id']}", f"Bearer {TOKEN}", None)


def test_machine_that_cannot_be_destroyed_is_named_with_the_command(stub: StubMachines) -> None:
    launched = Launched(stub)
    with launched.launcher.launch("run") as (first, _):
        stub.refusals["DELETE"] = [(500, "storage")]
    assert f"warning: machines that may be left, and cost: {first.name} (" in launched.said[-1]
    assert "fly machine destroy --force --app bench MACHINE" in launched.said[-1]
    launched.launcher.destroy("run", [])


def test_too_many_requests_are_tried_again(stub: StubMachines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machines_api, "PAUSE_S", 0.0)
    stub.refusals["POST"] = [(429, "rate limit")] * 3
    with Launched(stub).launcher.launch("run") as channels:
        assert len(channels) == 2


def test_refused_token_wrong_app_and_missing_api_are_one_sentence(stub: StubMachines) -> None:
    said = Launched(stub, token="FlyV1 fm2_another-token-of-somebody").refused()
    assert said.startswith("The Machines API refuses FLY_API_TOKEN (401: unauthorized: Bearer ***)")
    assert "has no app 'other'" in Launched(stub, "other:1").refused()
    stub.refusals["POST"] = [(200, "<html>")]
    assert "answered with no JSON" in Launched(stub).refused()
    stub.refusals["POST"] = [(200, "[]")]
    assert "without the id of a machine" in Launched(stub).refused()
    launched = Launched(stub)
    environment = {"FLY_API_TOKEN": TOKEN, "FLY_API_HOSTNAME": f"http://127.0.0.1:{free_port()}"}
    launched.launcher = Fly.of("bench:1", Asked(environment=environment))
    assert "was not reached at 127.0.0.1" in launched.refused()


def test_unreachable_agents_name_the_private_network(stub: StubMachines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fly, "REACH_S", 0.0)
    monkeypatch.setattr(stub, "start", lambda address, config: lambda: None)
    assert "fly wireguard create" in Launched(stub).refused()


@pytest.mark.parametrize(
    ("words", "environment", "said"),
    [
        ("", {}, "names no app"),
        ("bench", {}, "names no app and number"),
        ("bench:0", {}, "names no app and number"),
        ("bench/../x:1", {}, "names no app"),
        ("bench:1", {"FLY_API_TOKEN": ""}, "needs FLY_API_TOKEN"),
        ("bench:1", {"FLY_API_TOKEN": "a\nb"}, "no header can carry"),
        ("bench:1", {"FLY_API_HOSTNAME": "http://example.com"}, "to which no token is sent"),
        ("bench:1", {"FLY_API_HOSTNAME": "api.machines.dev"}, "to which no token is sent"),
        ("bench:1", {"LOADGEN_FLY_CPUS": "3"}, "1, 2, 4, 8 or 16"),
    ],
)
def test_mistakes_are_usage_errors_that_show_no_token(words: str, environment: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError) as error:
        Fly.of(words, Asked(environment={"FLY_API_TOKEN": TOKEN} | environment))
    assert said in str(error.value)
    assert TOKEN not in str(error.value)
