"""Every verb prints a command that is whole: copied into a shell, it finds the failure again."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path
from shutil import which

import pytest
from copied import copied
from in_process import invoked
from places import SUPPORT

from loadgen.errors import ExitCode
from loadgen.verify import artifact, campaign

FORGETFUL = 'rm -rf appendonlydir; exec {redis} "$@"'
"""A server that is started again has lost what it acknowledged."""
FULL = 'exec {redis} "$@" --maxmemory 1kb'
"""A server that refuses writes."""
GARBLED = 'exec {python} {fragile} "$4" garbled'
"""A server that answers in no protocol; its fourth word is its port."""

CASES = {
    "properties": (FULL, ["--subject", "redis", "--filter", "set_get", "--commands", "SET,GET", "--seeds", "3"]),
    "properties, restarted": (FORGETFUL, ["--subject", "redis", "--filter", "crash", "--seeds", "3"]),
    "oracle": (FULL, ["model", "redis", "--filter", "strings", "--ops", "100", "--commands", "SET,GET"]),
    "chaos": (FORGETFUL, ["--faults", "crash", "--server", "redis", "--seeds", "1"]),
    "fuzz": (GARBLED, ["--target", "command_handler", "--subject", "redis", "--seeds", "3"]),
}
"""By verb, what redis-server is, and the words of the command."""


@pytest.mark.parametrize("verb", CASES)
def test_a_replay_command_finds_the_failure_again(verb: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    server, words = CASES[verb]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(campaign, "shrink", lambda *given: ())
    script = tmp_path / "redis-server"
    fragile = SUPPORT / "fragile_server.py"
    body = server.format(redis=which("redis-server"), python=sys.executable, fragile=fragile)
    script.write_text(f"#!/bin/sh\n{body}\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    found = invoked(verb.partition(",")[0], *words)
    assert found.status == 1, found
    recorded = {each.fingerprint for each in map(artifact.read, Path("failures").iterdir())}
    program, *command = copied(found.stdout)
    assert program == "loadgen"
    again = invoked(*command, "--format", "json")
    [failure] = json.loads(again.stdout)["failures"]
    assert again.status == 1
    assert failure["fingerprint"] in recorded


def test_the_replay_command_of_a_load_puts_it_on_again() -> None:
    check = """check=[{expr="throughput < 1/s"}]"""
    words = ["-c", "2", "-k", "5", "--duration", "200ms", "--warmup", "50ms", "--threads", "1", "--rate", "1k"]
    found = invoked("stress", *words, "--set", check)
    program, verb, *command = copied(found.stdout)
    assert (program, verb) == ("loadgen", "stress")
    again = invoked(verb, *command, "--format", "json")
    [load] = json.loads(again.stdout)["results"]
    # A machine that is busy with other tests makes a generator that is late: such a load is not judged.
    assert {found.status, again.status} <= {ExitCode.NO, ExitCode.CANNOT_TELL}
    assert (load["connections"], load["keys"], load["value_bytes"]) == (2, 5, 1024)
    assert "check: throughput < 1/s" in load["error"]
    assert f"seed {load['seed']}" in " ".join(found.stdout.split())
    assert load["replay_command"] == shlex.join(["loadgen", verb, *command])
