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


@pytest.mark.parametrize("address", ["/tmp/x.sock", "unix:/run/redis.sock", "redis.sock"])
def test_a_unix_socket_is_called_one(tmp_path: Path, address: str) -> None:
    [problem] = problems(tmp_path, f'[target]\nendpoints = ["{address}"]\n')
    assert problem.endswith(
        f'"{address}" is a Unix socket, which is not supported yet; have the server listen on TCP and write host:port, '
        'such as "127.0.0.1:6379"'
    )


def test_hints_for_files_of_rpc_perf_help(tmp_path: Path) -> None:
    told = problems(tmp_path, '[general]\nadmin = "127.0.0.1:9090"\n[ratelimit]\nstart = 1000\n')
    assert told == [
        ":2:1: general.admin: unknown key; admin is a table of its own: write [admin] and its keys below",
        ":3:2: ratelimit: unknown table; write rate_limit in [workload], or [[workload.phase]] for one that changes",
    ]
