"""The flags of agents, and of a leader for its launchers: none is taken and ignored."""

from __future__ import annotations

from pathlib import Path

import pytest
from in_process import invoked
from real_servers import HOST

from loadgen.cli.machines import launcher
from loadgen.cli.options import parse
from loadgen.cli.verbs import run
from loadgen.errors import UsageError
from loadgen.fleet.launchers.listen import Listen
from loadgen.fleet.launchers.ssh import Ssh


def launcher_of(*words: str) -> object:
    return launcher(parse(run.SYNTAX, ["-n", "1", *words]))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--remote-command", "x"], "--remote-command is for --on ssh:…"),
        (["--on", "local:2", "--remote-command", "x"], "--remote-command is for --on ssh:…"),
        (["--machines", "2", "--expect-wait", "1s"], "--expect-wait is for --on tcp:… or listen:… or"),
        (["--on", "ssh:h", "--token-file", "f"], "--token-file is for --on tcp:… or listen:…"),
        (["--on", "tcp:h:1", "--token-file", "/no/such/file"], "cannot be read"),
        (["--on", "telnet:h"], "names no launcher of agents; there are local:N"),
    ],
)
def test_flag_that_means_nothing_to_the_launcher_is_refused(words: list[str], said: str) -> None:
    with pytest.raises(UsageError) as error:
        launcher_of(*words)
    assert said in str(error.value)


def test_flags_and_variables_reach_their_launcher(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("0123456789abcdef\n")
    found = launcher_of("--on", "listen:7700:2", "--token-file", str(token), "--expect-wait", "90s")
    assert isinstance(found, Listen)
    assert (found.token, found.wait_s) == ("0123456789abcdef", 90)
    assert "0123" not in repr(found)
    monkeypatch.setenv("LOADGEN_REMOTE", "/opt/loadgen")
    for more, command in (([], "/opt/loadgen"), (["--remote-command", "lg"], "lg")):
        ssh = launcher_of("--on", "ssh:h", *more)
        assert isinstance(ssh, Ssh)
        assert ssh.remote_command == command


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["--once"], 2, "--once is for --listen"),
        (["--expect-wait", "1s"], 2, "--expect-wait is for --connect, or --listen with --once"),
        (["--listen", f"{HOST}:0", "--once", "--expect-wait", "10ms"], 3, "No leader has come in 0.01 s"),
        (["--connect", f"{HOST}:1", "--expect-wait", "10ms"], 3, "tried for 0.01 s (--expect-wait)"),
    ],
)
def test_agent_that_finds_no_leader_or_is_asked_for_too_much_says_so(
    words: list[str], status: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOADGEN_TOKEN", "0123456789abcdef")
    done = invoked("agent", *words)
    assert done.status == status
    assert said in done.stderr
