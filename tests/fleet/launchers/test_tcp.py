"""Agents over TCP: those that are called, and those that call."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest
from real_servers import HOST, free_port

from loadgen.errors import UsageError, WorkerError
from loadgen.fleet.frame import Kind, frame
from loadgen.fleet.launchers import launcher_of, listen, tcp
from loadgen.fleet.launchers.asked import Asked
from loadgen.fleet.launchers.listen import Listen
from loadgen.fleet.launchers.tcp import Tcp
from loadgen.plan import Endpoint

TOKEN = "0123456789abcdef"


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server((HOST, 0)) as made:
        yield made


def at(listener: socket.socket) -> Endpoint:
    return Endpoint(HOST, listener.getsockname()[1], "")


def test_agent_is_called_and_the_channel_ends_with_the_launch(listener: socket.socket) -> None:
    with Tcp.of(str(at(listener)), Asked(token=TOKEN)).launch("run") as (channel,):
        agent, _ = listener.accept()
        with agent:
            channel.socket.sendall(b"up")
            agent.sendall(b"down")
            assert (agent.recv(2), channel.socket.recv(4)) == (b"up", b"down")
            channel.end()
            channel.end()
            assert agent.recv(1) == b""
    assert channel.name == str(at(listener))
    assert channel.ending() == "closed the connection"


def test_each_agent_that_is_not_there_is_named_with_its_command(listener: socket.socket) -> None:
    nobody = Endpoint(HOST, free_port(), "")
    with pytest.raises(WorkerError) as error, Tcp((nobody, at(listener), nobody), TOKEN).launch("run"):
        pass
    first, second = str(error.value).splitlines()
    assert first == second
    assert f"reached at {nobody} (Connection refused): start one there, loadgen agent --listen {nobody}" in first


def test_agent_that_comes_up_late_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "RETRY_S", 0.01)
    place = Endpoint(HOST, free_port(), "")

    def come_up() -> None:
        with socket.create_server((HOST, place.port)) as late:
            late.settimeout(20)
            with late.accept()[0] as leader:
                leader.sendall(b"here")

    threading.Timer(0.1, come_up).start()
    with Tcp((place,), TOKEN, wait_s=20).launch("run") as (channel,):
        assert channel.socket.recv(4) == b"here"


@pytest.mark.parametrize(
    ("words", "said"),
    [("", "has no port"), ("h", "has no port"), ("h:0", "ports are 1"), ("h:1,h:1", "twice"), ("/x", "a Unix socket")],
)
def test_mistaken_place_is_a_usage_error(words: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Tcp.of(words, Asked(token=TOKEN))


HEAD = frame(Kind.INTRODUCTION, b"x")


def test_agents_are_counted_as_they_come_and_strangers_are_turned_away() -> None:
    said: list[str] = []
    port = free_port()
    callers: list[socket.socket] = []

    def say(words: str) -> None:
        said.append(words)
        if len(said) > 3:
            return
        # One more at a time, each with its head cut in two, after somebody else who asks for a page.
        for head in (b"GET / HTTP/1.0\r\n\r\n", HEAD):
            callers.append(socket.create_connection((HOST, port), timeout=20))
            callers[-1].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            callers[-1].sendall(head[:2])
            callers[-1].sendall(head[2:])

    with Listen.of(f"{HOST}:{port}:3", Asked(token=TOKEN, say=say)).launch("run") as channels:
        assert [channel.name for channel in channels] == [HOST] * 3
        # One more, as of a container that was started again, is not needed.
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((HOST, port), timeout=20)
        # What was looked at is still there to be read.
        assert [channel.socket.recv(16) for channel in channels] == [HEAD] * 3
    assert [words.partition(": ")[2] for words in said] == [f"{n} of 3 agents have come" for n in range(4)]
    assert [caller.recv(1) for caller in callers[1::2]] == [b""] * 3
    for caller in callers:
        caller.close()


def test_agent_that_waits_for_others_hears_from_its_leader_and_loses_its_place_when_it_goes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listen, "BEAT_S", 0.01)
    port = free_port()
    beats: list[bytes] = []
    said: list[str] = []

    def come() -> socket.socket:
        caller = socket.create_connection((HOST, port), timeout=20)
        caller.sendall(HEAD)
        return caller

    def go_and_come_again() -> None:
        with come() as first:
            beats.append(first.recv(5, socket.MSG_WAITALL))
        while not any("0 of 2" in words for words in said[2:]):
            pass
        with come(), come() as last:
            last.recv(1)

    agent = threading.Thread(target=go_and_come_again)

    def say(words: str) -> None:
        said.append(words)
        if len(said) == 1:
            agent.start()

    with Listen(HOST, port, 2, TOKEN, 20, say).launch("run") as channels:
        assert len(channels) == 2
        for channel in channels:
            channel.end()
    agent.join()
    assert beats == [frame(Kind.BEAT)]
    assert [words.partition(": ")[2][:6] for words in said[:3]] == ["0 of 2", "1 of 2", "0 of 2"]


@pytest.mark.parametrize("words", ["tcp:h:1", "listen:7700:1"])
def test_agents_over_a_network_need_a_token(words: str) -> None:
    with pytest.raises(UsageError, match=f"--on {words} needs a token"):
        launcher_of(words)


def test_silent_connection_takes_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listen, "STRANGER_S", 0.0)
    silent: list[socket.socket] = []
    port = free_port()

    def say(words: str) -> None:
        silent.append(socket.create_connection((HOST, port), timeout=20))

    with pytest.raises(WorkerError, match=f"Only 0 of 1 agent has come to port {port} in 0.3 s: start each by"):
        with Listen(HOST, port, 1, TOKEN, 0.3, say).launch("run"):
            pass
    assert silent[0].recv(1) == b""
    silent[0].close()


def test_taken_port_is_one_sentence(listener: socket.socket) -> None:
    port = at(listener).port
    with pytest.raises(WorkerError, match=f"port {port} here .Address already in use.: choose"):
        with Listen(HOST, port, 1, TOKEN).launch("run"):
            pass


def test_all_addresses_of_the_host_are_listened_at() -> None:
    port = free_port()
    with closing(listen.listening("", port)):
        for host in (HOST, *(["::1"] if socket.has_dualstack_ipv6() else [])):
            socket.create_connection((host, port), timeout=20).close()


@pytest.mark.parametrize("words", ["", "7700", "7700:0", "0:3", "70000:3", "host:7700", ":7700:3", "7:99999"])
def test_mistaken_listen_is_a_usage_error(words: str) -> None:
    with pytest.raises(UsageError, match="write the port and the number"):
        Listen.of(words, Asked(token=TOKEN))
