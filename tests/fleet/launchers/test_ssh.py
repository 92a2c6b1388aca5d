"""The ssh launcher: what it asks ssh for, and how ssh's and the far shell's failures read, by a real sshd where one is
installed."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from real_servers import free_port
from real_sshd import HAS_SSHD, Sshd, sshd

from loadgen.errors import UsageError, WorkerError
from loadgen.fleet.channel import Channel
from loadgen.fleet.launchers.asked import Asked
from loadgen.fleet.launchers.ssh import Ssh, login_of
from loadgen.fleet.launchers.ssh_ending import Login, words_of


def ssh_of(words: str, remote_command: str = "loadgen") -> Ssh:
    return Ssh.of(words, Asked(remote_command=remote_command))


ECHO = "cat; true"
"""A far command that echoes: the word `agent` that follows is an argument of `true`."""


@pytest.fixture(scope="module")
def server() -> Iterator[Sshd]:
    with sshd() as up:
        yield up


@pytest.fixture
def path(server: Sshd, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sshd]:
    monkeypatch.setenv("PATH", server.path)
    yield server
    server.know_host()
    server.let_in(True)


def ending_of(launcher: Ssh) -> str:
    """Launch on one host, read until the end, and return how it ended."""
    with launcher.launch("run") as (channel,):
        channel.socket.settimeout(20)
        assert channel.socket.recv(1) == b""
        return channel.ending()


@pytest.mark.parametrize(
    ("word", "login"),
    [
        ("host1", Login("", "host1", 0)),
        ("user@host2", Login("user", "host2", 0)),
        ("user@host2:2222", Login("user", "host2", 2222)),
        ("[::1]:2222", Login("", "::1", 2222)),
        ("fe80::1%eth0", Login("", "fe80::1%eth0", 0)),
        ("10.0.0.1", Login("", "10.0.0.1", 0)),
    ],
)
def test_host_is_parsed_and_printed_as_it_is_written(word: str, login: Login) -> None:
    assert login_of(word) == login
    assert login_of(str(login)) == login


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "names no host"),
        ("a,,b", '"" is no host for ssh'),
        ("-oProxyCommand=true", '"-oProxyCommand=true" is no host'),
        ("-l@host", "is no host"),
        ("host;reboot", "is no host"),
        ("host:70000", "port 70000"),
        ("host:0", "port 0"),
        ("user:secret@host", "a password before an @"),
    ],
)
def test_mistaken_host_is_a_usage_error_that_repeats_no_password(words: str, said: str) -> None:
    with pytest.raises(UsageError) as error:
        ssh_of(words)
    assert said in str(error.value)
    assert "secret" not in str(error.value)


@pytest.fixture
def fake_ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An `ssh` that prints its arguments, and then echoes."""
    program = tmp_path / "ssh"
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@" .\nexec cat\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return program


def said_by(channel: Channel) -> list[str]:
    with channel.socket.makefile() as lines:
        return list(iter(lambda: lines.readline().strip(), "."))


def test_ssh_asks_nothing_and_gets_user_and_port_as_options(fake_ssh: Path) -> None:
    with ssh_of("me@host:2222", "/opt/loadgen").launch("run") as (channel,):
        asked = said_by(channel)
    assert "BatchMode=yes" in asked
    assert "-T" in asked
    assert asked[-7:] == ["-p", "2222", "-l", "me", "--", "host", "/opt/loadgen agent"]


def test_end_closes_the_far_side_at_once_and_twice_is_fine(fake_ssh: Path) -> None:
    with ssh_of("host").launch("run") as (channel,):
        said_by(channel)
        channel.end()
        assert channel.ending() == "ended with exit status 0"
        channel.end()


def test_missing_ssh_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(WorkerError, match=r"Agent host could not be started .No such file or directory.: is ssh there"):
        with ssh_of("host").launch("run"):
            pass


@pytest.mark.parametrize(
    ("stderr", "said"),
    [
        ("ssh: Could not resolve hostname h: Name or service not known", "no address is known for the name h"),
        ("ssh: connect to host h port 22: Connection timed out", "was not reached by ssh (Connection timed out)"),
        ("ssh: connect to host h port 22: No route to host", "(No route to host): try ssh -p 2222 me@h"),
        ("@  WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!  @\nHost key verification failed.", 'R "[h]:2222"'),
        ("@  WARNING: UNPROTECTED PRIVATE KEY FILE!  @\nPermission denied (publickey).", "chmod 600"),
        ("me@h: Permission denied (publickey,password).", "refused the login: loadgen is asked for no password"),
        ("Timeout, server h not responding.", "no longer answers"),
        ("client_loop: send disconnect: Broken pipe", "(client_loop: send disconnect: Broken pipe)"),
        ("command-line: line 0: Bad configuration option: x\x1b[31m", "refuses its settings (command-line"),
        ("something else", "was not reached by ssh (something else): try ssh -p 2222 me@h"),
        ("", "was not reached by ssh (ssh said nothing)"),
    ],
)
def test_what_ssh_says_is_one_sentence(stderr: str, said: str) -> None:
    words = words_of(Login("me", "h", 2222), "loadgen")(255, stderr)
    assert said in words
    assert words.isprintable()


def test_status_of_the_agent_itself_is_no_failure_of_ssh() -> None:
    explain = words_of(Login("", "h", 0), "loadgen")
    assert explain(3, "loadgen: no memory\n") == "ended with exit status 3: loadgen: no memory"
    assert explain(-9, "") == "was killed by SIGKILL"


@HAS_SSHD
def test_bytes_pass_unchanged_and_the_far_side_ends_with_the_channel(path: Sshd) -> None:
    every = bytes(range(256)) * 300
    with Ssh((at(path),), ECHO).launch("run") as (channel,):
        channel.socket.settimeout(20)
        channel.socket.sendall(every)
        back = b""
        while len(back) < len(every):
            back += channel.socket.recv(65536)
        assert back == every
        channel.socket.shutdown(socket.SHUT_WR)
        assert channel.socket.recv(1) == b""
        assert channel.ending() == "ended with exit status 0"


def at(server: Sshd) -> Login:
    return Login(getpass.getuser(), "127.0.0.1", server.port)


@HAS_SSHD
def test_real_refusals_say_what_to_do(path: Sshd) -> None:
    assert 'has no command "no-loadgen"' in ending_of(Ssh((at(path),), "no-loadgen"))
    assert "cannot execute" in ending_of(Ssh((at(path),), "/etc/passwd"))
    path.forget_host()
    assert "has a host key that is not known here" in ending_of(Ssh((at(path),), "loadgen"))
    path.know_another_key()
    assert "has another host key than the one known here" in ending_of(Ssh((at(path),), "loadgen"))
    path.know_host()
    path.let_in(False)
    assert "refused the login" in ending_of(Ssh((at(path),), "loadgen"))
    assert f"nothing listens on port {(nobody := free_port())}" in ending_of(
        Ssh((Login("", "127.0.0.1", nobody),), "loadgen")
    )
