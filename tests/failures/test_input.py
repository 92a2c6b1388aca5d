"""A wrong config or command line: exit status 2, a sentence for each problem, nothing on standard output."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

import pytest
from command import Finished, loadgen
from in_process import invoked

CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, PR_CAPBSET_DROP = 1, 2, 24


def lose_roots_rights() -> None:
    """Has the program that is about to start obey permissions, although it is root's."""
    libc = ctypes.CDLL(None)
    for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


def refused(*arguments: str | Path, **options: object) -> list[str]:
    """The lines of a refusal, without the program's name that each begins with."""
    words = [str(each) for each in arguments]
    finished: Finished = loadgen(*words, **options) if options else invoked(*words)
    assert (finished.status, finished.stdout) == (2, ""), finished
    lines = finished.stderr.splitlines()
    assert all(line.startswith("loadgen: ") for line in lines), lines
    return [line.removeprefix("loadgen: ") for line in lines]


def config(tmp_path: Path, content: bytes | str) -> Path:
    path = tmp_path / "given.toml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("verb", ["run", "config"])
def test_a_missing_config_is_named(tmp_path: Path, verb: str) -> None:
    path = tmp_path / "absent.toml"
    assert refused(verb, path) == [f"{path}: there is no such file; check the path"]


def test_a_folder_is_no_config(tmp_path: Path) -> None:
    assert refused(tmp_path) == [f"{tmp_path}: is a directory; name a TOML file in it"]


@pytest.mark.skipif(os.geteuid() == 0 and sys.platform != "linux", reason="root may read everything")
def test_a_config_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    path = config(tmp_path, "")
    path.chmod(0)
    lose = lose_roots_rights if os.geteuid() == 0 else None
    assert refused(path, preexec_fn=lose) == [f"{path}: may not be read by this user; change its permissions"]


def test_a_config_that_is_not_utf_8_is_placed_to_the_byte(tmp_path: Path) -> None:
    path = config(tmp_path, b"# caf\xe9\n")
    assert refused(path) == [f"{path}: byte 5 (0xe9) is not UTF-8; save the file as UTF-8"]


def test_wrong_syntax_is_placed(tmp_path: Path) -> None:
    path = config(tmp_path, "[general]\nduration = 10s\n")
    [line] = refused(path)
    assert line.startswith(f"{path}:2:14: is not valid TOML")
    assert "quotes" in line


def test_every_error_is_told_at_once_and_each_on_a_line(tmp_path: Path) -> None:
    path = config(tmp_path, '[general]\nduratoin = "1s"\n\n[connection]\npipeline_depth = 0\n')
    lines = refused(path, "--set", "workload.prefill=maybe")
    assert [line.split(": ")[0] for line in lines] == [f"{path}:2:1", f"{path}:5:1", "--set"]
    assert "duration" in lines[0]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[workload.keyspace]\ncount = 1000\nlength = 2\n", ["1000 keys do not fit", "at least 3"]),
        ('[target]\nprotocol = "ping"\n[workload]\nprefill = true\n', ["prefill", '"ping" has none']),
        ("[workload.commands]\nget = 0\nset = 0\n", ["every weight is 0"]),
        ('[target]\nendpoints = ["a:1", "b:1"]\n', ["1 connection cannot reach 2 endpoints", "at least 2"]),
        ('[target]\nprotocol = "memcache"\npassword = "x"\n', ["with the name of a user only", "add username"]),
    ],
)
def test_keys_that_contradict_each_other_are_an_error(tmp_path: Path, content: str, words: list[str]) -> None:
    [line] = refused(config(tmp_path, content))
    assert line.startswith(f"{tmp_path}/given.toml:")
    assert all(word in line for word in words), line


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["run"], "-h and -p"),
        (["run", "--port", "70000"], "ports are 1 to 65535"),
        (["run", "--embedded", "--ratio", "all"], "1:10"),
        (["run", "--embedded", "-c", "none"], "-c: "),
        (["run", "--embedded", "--set", "connections=3"], "TABLE.KEY=VALUE"),
    ],
)
def test_a_command_line_that_makes_no_sense_is_refused(arguments: list[str], word: str) -> None:
    [line] = refused(*arguments)
    assert word in line


def test_an_option_that_does_not_exist_is_refused() -> None:
    assert "--fast: unknown option" in refused("run", "--fast")[-1]
