"""The table of commands: rows in Python, numbers in compiled code."""

from __future__ import annotations

import pytest
from counted import snapshot_of

from loadgen._memcache import Memcache
from loadgen._request import KIND_NAMES, ROWS, Commands
from loadgen._resp import Resp
from loadgen.command import APART, COMMANDS, MIXED, READING, Kind
from loadgen.compare.shape import Shape
from loadgen.config import judging, load, resolve
from loadgen.engine._pipeline_face import PipelineFace
from loadgen.engine._recorder import Recorder
from loadgen.judge.run_metrics import vocabulary
from loadgen.plan import Weights

OTHERS = Commands(
    [("look", "read", True), ("put", "write", True), ("put again", "write", False), ("hail", "ask", True)]
)
MEASURE = 3


def test_compiled_code_has_the_same_rows_and_kinds() -> None:
    assert tuple(COMMANDS) == ROWS
    assert tuple(Kind) == KIND_NAMES
    assert {"backfill", "add", "noop"} == APART


def test_a_row_of_the_table_is_a_command_that_can_be_configured_judged_and_stored() -> None:
    """Weights, objectives, selectors of checks and stored mixes follow from the table."""
    assert set(READING) == {"get", "mget"}
    for name in MIXED:
        given = ["workload.commands={get=0, set=0}", f"workload.commands.{name}=3", f"slo.{name}.p99=1ms"]
        config = load(None, given)
        plan, judged = resolve(config), judging(config)
        assert plan.workload.weights == Weights(**{name: 1})
        assert plan.mix == tuple((each, int(each == name)) for each in MIXED)
        assert [objective.command for objective in judged.slo] == [name]
        assert Shape.read(Shape.of(plan).record()).weights == plan.workload.weights
        assert name in vocabulary(nodes=1, phases=0).axes["command"].words
    with pytest.raises(TypeError, match="no commands of a mix: frob"):
        Weights(frob=1)


def test_a_table_has_room_for_twenty_four_commands_each_of_another_name() -> None:
    assert len(Commands([(f"c{i}", "read", True) for i in range(24)]).names) == 24
    with pytest.raises(ValueError, match="up to 24 commands"):
        Commands([(f"c{i}", "read", True) for i in range(25)])
    with pytest.raises(ValueError, match="another name"):
        Commands([("get", "read", True), ("get", "write", True)])


@pytest.mark.parametrize("codec", [Resp, Memcache])
def test_a_run_with_a_table_of_its_own_sends_and_counts_by_it(codec: type[Resp | Memcache]) -> None:
    own, usual = codec(16, 4, commands=OTHERS), codec(16, 4)
    for ours, theirs, value in (("look", "get", b""), ("put", "set", b"abcd"), ("put again", "set", b"abcd")):
        assert own.encoded(ours, 7, value) == usual.encoded(theirs, 7, value)
    assert own.encoded("hail") == usual.encoded("ping")
    recorder = Recorder(False, OTHERS)
    line = PipelineFace(own, recorder, 8, 10**9)
    for command in ("look", "put", "put again", "hail"):
        line.push(command, "measure", 0, 0)
    if codec is Resp:
        line.feed(b"$-1\r\n+OK\r\n$-1\r\n+PONG\r\n", 100)
    else:
        line.feed(b"END\r\nSTORED\r\nNOT_STORED\r\nVERSION 1\r\n", 100)
    counted = snapshot_of(recorder.counts(MEASURE))
    answers = {name: (tally.hits, tally.misses) for name, tally in counted.tallies.items()}
    # A hit and a miss are what the row's kind says; a question has no empty answer.
    assert answers == {"look": (0, 1), "put": (1, 0), "put again": (0, 1), "hail": (1, 0)}
