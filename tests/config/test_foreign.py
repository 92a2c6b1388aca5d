"""Files of cachecannon and of crucible's benchmark keep their own tool's semantics, and a sentence says so."""

from pathlib import Path

import pytest

from loadgen.config import Config, Flag, load
from loadgen.config.foreign import OURS, THEIRS
from loadgen.config.tables.tree import tables

HERE = Path(__file__).parent
PIPELINED = "[connection]\nconnections = 4\npipeline_depth = 8\n"
THEIR_KEYS = [
    '[timestamps]\nenabled = true\nmode = "userspace"\n',
    '[admin]\nparquet_interval = "1s"\n',
    '[general]\nio_engine = "uring"\n',
    "[momento]\nttl_seconds = 60\n",
    "[workload]\nset_on_miss = true\n",
]


def loaded(tmp_path: Path, text: str, *overrides: str, **flags: Flag) -> Config:
    path = tmp_path / "bench.toml"
    path.write_text(text)
    return load(path, overrides, {name.replace("__", "."): flag for name, flag in flags.items()})


def told(config: Config) -> list[str]:
    return [warning for warning in config.warnings if "connection.refill" in warning]


@pytest.mark.parametrize("theirs", THEIR_KEYS)
def test_a_file_of_theirs_refills_a_drained_pipeline_and_is_told_so(tmp_path: Path, theirs: str) -> None:
    config = loaded(tmp_path, PIPELINED + theirs)
    assert config.connection.refill == "drained"
    [sentence] = told(config)
    assert 'connection.refill = "drained" is used' in sentence
    assert sentence.startswith(f"{tmp_path}/bench.toml:{4 if theirs.startswith(('[momento', '[timestamps')) else 5}:")
    assert "crucible's benchmark had one request in flight" in sentence


@pytest.mark.parametrize(
    "text",
    [
        PIPELINED,
        "[connection]\npool_size = 4\n[timestamps]\nenabled = true\n",
        PIPELINED + THEIR_KEYS[0] + '[target]\nprotocol = "ping"\n',
        PIPELINED + "[general]\nseed = 1\n" + THEIR_KEYS[0],
        PIPELINED + "[slo]\np99 = 5\n[timestamps]\nenabled = true\n",
        PIPELINED + 'refill = "slot"\n' + THEIR_KEYS[0],
        PIPELINED + THEIR_KEYS[0] + "[workload]\nrate_limit = 5\n",
        PIPELINED + THEIR_KEYS[0] + '[workload.saturation_search]\nslo = { p99 = "1ms" }\n',
    ],
    ids=["no key of theirs", "no pipeline", "PING", "a key of ours", "a table of ours", "said", "a rate", "a search"],
)
def test_any_other_file_is_left_as_it_is(tmp_path: Path, text: str) -> None:
    config = loaded(tmp_path, text)
    assert (config.connection.refill, told(config)) == ("slot", [])


def test_what_the_command_line_says_wins_and_does_not_make_a_file_theirs(tmp_path: Path) -> None:
    theirs, ours = PIPELINED + THEIR_KEYS[0], PIPELINED
    assert loaded(tmp_path, theirs, "connection.refill=slot").connection.refill == "slot"
    assert loaded(tmp_path, theirs, connection__refill=Flag("--refill", "slot")).connection.refill == "slot"
    assert loaded(tmp_path, ours, "timestamps.enabled=true").connection.refill == "slot"
    # A seed given beside it does not make it ours.
    assert loaded(tmp_path, theirs, "general.seed=1").connection.refill == "drained"


def test_a_batch_smaller_than_the_pipeline_is_a_pattern_that_we_lack_and_that_is_said(tmp_path: Path) -> None:
    config = loaded(tmp_path, PIPELINED + "batch_size = 2\n" + THEIR_KEYS[0])
    assert config.connection.refill == "slot"
    assert "cachecannon's, which sends 2 (batch_size) as soon as so many replies have made room" in told(config)[0]


@pytest.mark.parametrize(("name", "refill"), [("cachecannon", "slot"), ("crucible", "drained")])
def test_the_files_with_every_key_of_theirs_are_known_without_their_search(
    tmp_path: Path, name: str, refill: str
) -> None:
    """cachecannon's has a batch_size of 8 at a depth of 32; a closed loop has neither rate nor search."""
    text = (HERE / f"{name}-every-key.toml").read_text().replace("rate_limit = 100000", "rate_limit = 0")
    before, _, search = text.partition("[workload.saturation_search]")
    config = loaded(tmp_path, before + search[search.index("[timestamps]") :])
    assert config.connection.refill == refill
    assert len(told(config)) == 1


def test_the_keys_that_tell_are_keys() -> None:
    known = {path for path, _ in tables()} | {(*path, key) for path, table in tables() for key in table.model_fields}
    assert {*THEIRS, *OURS} <= known
    assert not {*THEIRS} & {*OURS}
