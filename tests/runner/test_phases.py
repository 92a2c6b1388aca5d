"""The totals of each phase of a load are the sums of the intervals in it."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace

from constructed_events import RUNS, S, counted, good

from loadgen.events import Configured, Result
from loadgen.output import create
from loadgen.output.words import sentences
from loadgen.plan import LoadPhase, Plan
from loadgen.record import Reading, to_record
from loadgen.runner.phases import ByPhase

PHASES = (
    LoadPhase("constant", 2 * S, 1000.0, 1000.0, 2000.0),
    LoadPhase("ramp", 3 * S // 2, 1000.0, 9000.0, 7500.0),
    LoadPhase("constant", S // 4, 5.0, 5.0, 1.25),
)


def by_phase() -> ByPhase:
    gathered = ByPhase(PHASES)
    for second in range(4):
        gathered.add(counted(good(800, 200 + second), second), second * S, S if second < 3 else 3 * S // 4)
    return gathered


def test_an_interval_counts_for_the_phase_that_it_lies_in_and_one_that_two_share_for_neither() -> None:
    constant, ramp, last = by_phase().counted()
    assert constant.counted.total.planned == 2001
    assert (constant.counted_ns, constant.achieved_per_s) == (2 * S, 1000.5)
    assert (ramp.counted.total.planned, ramp.counted_ns) == (1002, S)
    assert ramp.phase.offered_per_s == 5000
    assert (last.counted.total.planned, last.counted_ns, last.achieved_per_s) == (0, 0, 0.0)


def in_phases(plan: Plan, *phases: LoadPhase) -> Plan:
    return replace(plan, load=replace(plan.load, phases=phases))


def test_the_header_has_the_phases_as_they_are_configured() -> None:
    shapes = ("step", "sine", "burst")
    others = tuple(LoadPhase(shape, 60 * S, 500.0, 2000.5, 1.0) for shape in shapes)
    [configured, *_] = RUNS["schedule"]()
    assert isinstance(configured, Configured)
    configured = replace(configured, plan=in_phases(configured.plan, *PHASES[:2], *others))
    shown = {
        "clean": "phases 2 s at 1,000 req/s, 1500 ms from 1,000 to 9,000 req/s, 1 min from 500 to 2,000 req/s in "
        "steps, 1 min of sine between 500 and 2,000 req/s, 1 min of burst between 500 and 2,000 req/s",
        "verbose": "phases: 2s at 1000 req/s, 1500ms from 1000 to 9000 req/s, 1m from 500 to 2000 req/s in steps, "
        "1m of sine between 500 and 2000 req/s, 1m of burst between 500 and 2000 req/s",
    }
    for format, words in shown.items():
        stream = io.StringIO()
        create(format, stream).emit(configured)
        assert words in " ".join(re.sub(r"(?m)^\S+Z INFO", "", stream.getvalue()).split())
    many = in_phases(configured.plan, *PHASES[:1] * 14)
    assert sentences.phases(many).endswith(", 2s at 1000 req/s, and 2 more")
    assert sentences.phases(in_phases(many)) == ""


def test_each_phase_is_a_row_in_every_format_for_people_and_comes_back_from_json() -> None:
    result = RUNS["schedule"]()[-1]
    assert isinstance(result, Result)
    result = Result(result.plan, result.measured, result.duration_ns, wall_s=1.0, by_phase=by_phase().counted())
    record = to_record(result)
    assert record is not None
    assert [phase["counted_secs"] for phase in record["phases"]] == [2, 1, 0]
    [back] = Reading().events([json.loads(json.dumps(record))])
    for format in ("clean", "verbose"):
        texts = []
        for event in (result, back):
            stream = io.StringIO()
            create(format, stream).emit(event)
            texts.append([line for line in stream.getvalue().splitlines() if "ramp" in line or "constant" in line])
        assert texts[0] == texts[1]
        assert len(texts[0]) == 3
