"""Large configurations, and files of other programs, are refused or read in a time that grows with their size."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from loadgen import config
from loadgen.errors import ConfigError

MOST_S = 10.0
"""CPU time: what used to take longer than this takes a fraction of a second, on a slow machine too."""


def problems(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "c.toml"
    path.write_text(text)
    began_s = time.process_time()
    with pytest.raises(ConfigError) as refused:
        config.load(path)
    assert time.process_time() - began_s < MOST_S
    return [problem.removeprefix(str(path)) for problem in refused.value.problems]


@pytest.mark.parametrize(
    "text",
    [
        "[general]\n" + "".join(f"k{i} = 1\n" for i in range(8000)),
        "[target]\nendpoints = [" + ",".join(f'"10.0.0.1:{i + 1}"' for i in range(40_000)) + "]\n",
        '[target]\nendpoints = ["127.0.0.1:1"]\n' + '[[workload.phase]]\nrate = 1\nfor = "1s"\n' * 8000,
    ],
    ids=["keys", "endpoints", "phases"],
)
def test_what_no_configuration_is_as_large_as_is_refused_in_one_sentence(tmp_path: Path, text: str) -> None:
    [problem] = problems(tmp_path, text)
    assert problem.startswith(": has ")
    assert problem.endswith("it may have 2,048 at most")


def test_of_very_many_problems_the_first_are_told_and_the_rest_counted(tmp_path: Path) -> None:
    told = problems(tmp_path, "[general]\n" + "".join(f"k{i} = 1\n" for i in range(2000)))
    assert len(told) == 51
    assert told[0].startswith(":2:1: general.k0: unknown key")
    assert told[-1] == ": and 1,950 more problems"


def test_a_long_text_is_cut_before_what_to_do_about_it(tmp_path: Path) -> None:
    [problem] = problems(tmp_path, f'[target]\nendpoints = ["{"x" * 900_000}"]\n')
    assert len(problem) < 400
    assert "has no port; write host:port" in problem


def test_a_file_name_alone_is_no_address(tmp_path: Path) -> None:
    [problem] = problems(tmp_path, '[target]\nendpoints = ["redis.sock"]\n')
    assert problem.endswith('"redis.sock" has no port; write host:port, or unix:redis.sock for a Unix socket')


def test_a_path_that_no_socket_can_have_is_refused(tmp_path: Path) -> None:
    longest, longer = f"/{'x' * 106}", f"/{'x' * 107}"
    assert config.load(None, (), {"target.endpoints": [longest]}).target.endpoints == (longest,)
    [problem] = problems(tmp_path, f'[target]\nendpoints = ["unix:{longer}"]\n')
    assert "has 108 bytes, and the path of a Unix socket has at most 107" in problem


def test_hints_for_files_of_rpc_perf_help(tmp_path: Path) -> None:
    told = problems(tmp_path, '[general]\nadmin = "127.0.0.1:9090"\n[ratelimit]\nstart = 1000\n')
    assert told == [
        ":2:1: general.admin: unknown key; admin is a table of its own: write [admin] and its keys below",
        ":3:2: ratelimit: unknown table; write rate_limit in [workload], or [[workload.phase]] for one that changes",
    ]
