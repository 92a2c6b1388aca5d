"""docs/CHECKS.md: its tables are made of the names and functions that there are, and its examples are judged.

`CHECKS=write` in the environment writes the tables anew; read their diff before you keep them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from constructed_events import S, counted, good
from constructed_trials import evidence
from job_evidence import account as account_of_jobs
from job_evidence import evidence as evidence_of_jobs
from job_evidence import histogram
from places import ROOT

from loadgen.config import judging, load, resolve
from loadgen.config.jobs_file import case_of as jobs_case_of
from loadgen.config.scenario_file import scenario_of
from loadgen.events import PhaseCounted, Result, Sample
from loadgen.faults.report import Outage
from loadgen.jobs.load import metrics as jobs_metrics
from loadgen.jobs.load.metrics import JobsMetrics
from loadgen.judge import run_metrics
from loadgen.judge.check import judge, mistakes
from loadgen.judge.expression.dimension import COUNT, SIZE, UNITS
from loadgen.judge.expression.functions import FUNCTIONS
from loadgen.judge.expression.parser import parse
from loadgen.judge.expression.syntax import Quantity
from loadgen.judge.expression.vocabulary import Known, Over, Vocabulary
from loadgen.judge.monitored import OF_MONITORS
from loadgen.judge.node_metrics import OF_NODES
from loadgen.trial import metrics
from loadgen.usage import Usage

PAGE = ROOT / "docs" / "CHECKS.md"
TEXT = PAGE.read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```toml\n(.*?)^```", TEXT, re.M | re.S)
INLINE = re.findall(r"`([^`\n]*(?:<|>|==)[^`\n]*)`", TEXT)

RUN = run_metrics.vocabulary(nodes=3, phases=3, has_faults=True)
TRIAL = metrics.vocabulary(3)
JOBS = jobs_metrics.vocabulary(2)
READ = {
    "redis": {"used_memory": Known(SIZE, "memory", is_scalar=False, over=Over.LEVEL)},
    "proxy": {"fds": Known(COUNT, "open files", is_scalar=False, over=Over.LEVEL)},
}
MONITORED = run_metrics.vocabulary(nodes=1, phases=0, monitors=READ)


def of_names(names: Mapping[str, Known]) -> str:
    rows = [
        f"| `{name}` | {known.dimension} | {', '.join(known.axes)} | "
        f"{'yes' if known.over is not None else ''}{'' if known.is_scalar else ' (only)'} | {known.meaning} |"
        for name, known in names.items()
    ]
    return "\n".join(["| name | what it is | selectors | series | meaning |", "|---|---|---|---|---|", *rows])


def of_functions() -> str:
    arguments = {"": "", "share": ", share", "series": "[, series]"}
    rows = [
        f"| `{name}(series{arguments[function.further]})` | {function.least} | {function.meaning} |"
        for name, function in FUNCTIONS.items()
    ]
    return "\n".join(["| function | points it needs | value |", "|---|---|---|", *rows])


TABLES = {
    "functions": of_functions,
    "run": lambda: of_names({**run_metrics.NAMES, **OF_NODES, **run_metrics.OF_FAULTS}),
    "monitors": lambda: of_names(OF_MONITORS),
    "trial": lambda: of_names(metrics.NAMES),
    "jobs": lambda: of_names(jobs_metrics.NAMES),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_made_of_what_there_is(name: str) -> None:
    text = PAGE.read_text(encoding="utf-8")
    table = re.compile(rf"<!-- {name} -->\n(?:\|.*\n)*\n")
    made = f"<!-- {name} -->\n{TABLES[name]()}\n\n"
    if os.environ.get("CHECKS") == "write":
        text = table.sub(lambda _: made, text)
        PAGE.write_text(text, encoding="utf-8")
    found = table.search(text)
    assert found is not None
    assert found[0] == made


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_example_is_judged(number: int, tmp_path: Path) -> None:
    """On a constructed run or trial, in which every name of the examples has a value."""
    example = EXAMPLES[number]
    if "[[jobs]]" in example:
        asked = jobs_case_of(example, "example", "example.toml").plan
        its = JobsMetrics(
            evidence_of_jobs(asked, account_of_jobs(latencies={"handling": histogram(S), "reclaim": histogram(S)}))
        )
        answers = judge(asked.checks, JOBS, its)
    elif "title =" in example:
        checks = scenario_of(example, "example", "example.toml").checks
        answers = judge(checks, TRIAL, metrics.TrialMetrics(evidence(), TRIAL))
    else:
        path = tmp_path / "example.toml"
        path.write_text(example)
        config = load(path)
        checks, plan = judging(config).checks, resolve(config)
        names = run_metrics.vocabulary_of(plan, has_faults=True)
        values = run_metrics.RunMetrics(checks, plan, names)
        for second in range(20):
            used = Usage(S, S // 2, 4_000_000, 3, 9)
            values.add(Sample("measure", 0.0, S, counted(good(800, 200), second), used), second * S)
        measured = counted(good(1600, 400), 1)
        by_phase = tuple(PhaseCounted(phase, 10 * S, measured) for phase in plan.load.phases)
        outage = Outage(1, began_ns=S, ended_ns=2 * S, first_failed_ns=S, last_failed_ns=2 * S, back_ns=3 * S)
        ended = Result(plan, measured, 20 * S, by_phase=by_phase, outages=(outage,))
        answers = judge(checks, names, values.of(ended))
    assert len(answers) == example.count("[[check]]")
    assert {each.passed for each in answers} <= {True, False}, answers


def test_every_expression_in_the_text_is_one_of_a_run_or_a_trial_and_the_wrong_ones_are_refused() -> None:
    expressions = [each for each in INLINE if re.search(r"[a-z]+\S* *(<|>|==) *[0-9]|< p99", each)]
    assert len(expressions) >= 6
    refused = {"p99 < 5", "errors < 1 %"}
    for expression in expressions:
        is_right = (
            any(not mistakes(expression, names) for names in (RUN, TRIAL, MONITORED, JOBS))
            or expression == "0.1 + 0.2 == 0.3"
        )
        assert is_right is (expression not in refused), expression


def test_every_unit_is_in_the_table_and_every_unit_of_the_table_is_one() -> None:
    rows = re.findall(r"^\| (?:time|size|number|share) \| (.*) \|$", TEXT, re.M)
    listed = {unit for row in rows for quoted in re.findall(r"`([^`]*)`", row) for unit in quoted.split()}
    assert listed == set(UNITS)
    for unit in listed:
        assert parse(f"5 {unit}") == Quantity("5", unit)


@pytest.mark.parametrize("vocabulary", [RUN, TRIAL, MONITORED, JOBS], ids=["run", "trial", "monitors", "jobs"])
def test_the_words_of_selectors_are_all_different_and_no_name_is_a_unit_or_a_function(vocabulary: Vocabulary) -> None:
    words = [word for axis in vocabulary.axes.values() for word in (*axis.words, *[axis.counted] * bool(axis.counted))]
    assert len(words) == len(set(words))
    # `max` and `mean` are both: names without parentheses are those of response time, or of a latency of jobs.
    both = {"max", "mean"} if vocabulary is JOBS else {"max"}
    assert set(vocabulary.names) & (set(UNITS) | set(FUNCTIONS) | {"and", "or", "not"}) == both
    for name, known in vocabulary.names.items():
        assert set(known.axes) <= set(vocabulary.axes)
        assert f"`{name}`" in TEXT


@pytest.mark.parametrize("vocabulary", [TRIAL, JOBS], ids=["trial", "jobs"])
def test_the_selectors_are_listed(vocabulary: Vocabulary) -> None:
    for axis in vocabulary.axes.values():
        for word in axis.words:
            assert f"`{word}`" in TEXT
