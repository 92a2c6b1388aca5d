"""Events as JSON records, one line of NDJSON each. The only importer of orjson. No I/O.

Of a run: `config`, a `phase` as each begins, a `sample` per interval, `topology` as nodes change, `result`. Of monitors
beside a load: a `reading` as each is read, a `monitor-gap` as one is missed. Of a search: a `step` per rate,
`saturation`. Of a smoke test: `smoke`. Of a comparison: a `round` per round, then `comparison` or `noise`.
Of a trial: `trial-began`, a `trial-phase` as each begins, a `trial-sample` per interval, a `fault` as one begins or
ends, and `trial`. Of a campaign: `campaign-began`, a `case` as each ends, a `failure` as each is found, and `campaign`.
Of a stress test: `stress-began`, a `stress-load` as each load ends, after the load's own records, and `stress`.
Of a soak: `soak-began`, `soak-baseline`, a `soak-checkpoint` at each, a `soak-note` for what else happens, and `soak`.
Of a history that was checked: `check`.
Of a test of jobs: `jobs-began`, `jobs-progress` each second, a `jobs-worker` for what happens to a worker, and `jobs`;
of several of them `jobs-compared`. Of a queue: `jobs-inspected`.
`docs/RESULTS.md` has the meaning of each field, `schema` the values that it may hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson

from loadgen.compare.answers import Compared, NoiseFound
from loadgen.compare.round import ContestBegan, RoundEnded
from loadgen.escape import json_line
from loadgen.events import (
    Configured,
    Event,
    FaultBegan,
    FaultEnded,
    Monitored,
    MonitorGap,
    PhaseBegan,
    Progress,
    Result,
    Sample,
    SearchEnded,
    ServerAwaited,
    StepTaken,
    TopologyChanged,
)
from loadgen.jobs.load.ended import JobsBegan, JobsCompared, JobsEnded, JobsProgress, QueueInspected, WorkerNoted
from loadgen.phase import Phase
from loadgen.record.read import Reading, Record
from loadgen.record.write import campaign, check, comparison, jobs, monitors, run, search, smoke, soak, stress, trial
from loadgen.smoke.ended import SmokeBegan, SmokeEnded
from loadgen.soak.ended import SoakBaseline, SoakBegan, SoakCheckpoint, SoakEnded, SoakNoted
from loadgen.trial.ended import ChaosBegan, ChaosEnded, TrialBegan, TrialEnded, TrialPhaseBegan, TrialSample
from loadgen.verify.checked import HistoryChecked
from loadgen.verify.ended import CampaignBegan, CampaignEnded, CaseEnded, FailureFound
from loadgen.verify.stress.ended import StressBegan, Stressed, StressEnded

MOST_EXACT = 2**53 - 1
"""The largest integer up to which doubles, the numbers of JavaScript and jq, hold every integer exactly."""

__all__ = [
    "RECORDS",
    "WITHOUT_RECORD",
    "Reading",
    "Record",
    "encode",
    "to_campaign_document",
    "to_check_document",
    "to_document",
    "to_jobs_document",
    "to_line",
    "to_queue_document",
    "to_record",
    "to_soak_document",
    "to_stress_document",
]


def encode(event: Event) -> bytes:
    """Return the event's record as a line of NDJSON; empty for an event without a record."""
    record = to_record(event)
    return b"" if record is None else to_line(_portable(record))


def to_line(record: Record) -> bytes:
    """Return a record that was read as a line of NDJSON."""
    return json_line(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))


def to_document(parts: Mapping[str, Any], ended: Iterable[TrialEnded]) -> bytes:
    """Return trials as one JSON document: `parts`, and `results` with the record of each."""
    return _document({**parts, "results": [RECORDS[TrialEnded](each) for each in ended]})


def to_campaign_document(ended: CampaignEnded) -> bytes:
    """Return a campaign as one JSON document: `metadata`, `summary`, `results`, `failed_seeds` and `failures`."""
    return _document(campaign.document(ended))


def to_stress_document(ended: StressEnded) -> bytes:
    """Return a stress test as one JSON document: `metadata`, `summary`, `results` and `failed_seeds`."""
    return _document(stress.document(ended))


def to_soak_document(ended: SoakEnded) -> bytes:
    """Return a soak as one JSON document: `metadata`, `summary`, `asked`, `found` and `judged`."""
    return _document(soak.document(ended))


def to_check_document(ended: HistoryChecked) -> bytes:
    """Return a checked history as one JSON document: `metadata`, `summary` and `results`."""
    return _document(check.document(ended))


def to_jobs_document(ended: JobsCompared) -> bytes:
    """Return the tests of jobs of one command as one JSON document: `metadata`, `summary` and `results`."""
    return _document(jobs.document(ended))


def to_queue_document(inspected: QueueInspected, version: str) -> bytes:
    """Return the state of a queue as one JSON document: `metadata` and `summary`."""
    return _document(jobs.inspection(inspected, version))


def _document(document: Mapping[str, Any]) -> bytes:
    return json_line(orjson.dumps(_portable(document), option=orjson.OPT_APPEND_NEWLINE))


def _portable(value: Any) -> Any:
    """Return the value in a form that every reader of JSON accepts.

    Lone surrogates, which a command line can hold, are escaped. An integer above MOST_EXACT becomes the nearest double,
    as JavaScript and jq would read it.
    """
    match value:
        case str():
            return value.encode("utf-8", "backslashreplace").decode("utf-8")
        case int() if abs(value) > MOST_EXACT:
            return float(value)
        case dict():
            return {_portable(key): _portable(inner) for key, inner in value.items()}
        case list():
            return [_portable(inner) for inner in value]
        case _:
            return value


def to_record(event: Event) -> dict[str, Any] | None:
    """Return the event as plain values for JSON; None for progress and samples of the warm-up, which are no results.

    A value that cannot be known (a percentile of no request, a hit rate without a GET) is None, never 0 or NaN.
    """
    if type(event) in WITHOUT_RECORD or (isinstance(event, Sample) and event.phase != Phase.MEASURE):
        return None
    return RECORDS[type(event)](event)


RECORDS: Mapping[type[Event], Callable[[Any], dict[str, Any]]] = {
    Configured: run.config,
    PhaseBegan: run.phase,
    Sample: run.sample,
    Result: run.result,
    Monitored: monitors.reading,
    MonitorGap: monitors.gap,
    TopologyChanged: run.topology,
    StepTaken: search.step,
    SearchEnded: search.saturation,
    SmokeEnded: smoke.smoke,
    RoundEnded: comparison.round_ended,
    Compared: comparison.comparison,
    NoiseFound: comparison.noise,
    TrialBegan: trial.began,
    TrialPhaseBegan: trial.phase,
    TrialSample: trial.sample,
    FaultBegan: trial.fault_began,
    FaultEnded: trial.fault_ended,
    TrialEnded: trial.ended,
    CampaignBegan: campaign.began,
    CaseEnded: campaign.case,
    FailureFound: campaign.failure,
    CampaignEnded: campaign.ended,
    StressBegan: stress.began,
    Stressed: stress.load,
    StressEnded: stress.ended,
    HistoryChecked: check.checked,
    SoakBegan: soak.began,
    SoakBaseline: soak.baseline,
    SoakCheckpoint: soak.checkpoint,
    SoakNoted: soak.note,
    SoakEnded: soak.ended,
    JobsBegan: jobs.began,
    JobsProgress: jobs.progress,
    WorkerNoted: jobs.worker,
    JobsEnded: jobs.ended,
    JobsCompared: jobs.compared,
    QueueInspected: jobs.inspected,
}
"""By kind of event, the function that makes its record."""

WITHOUT_RECORD: frozenset[type[Event]] = frozenset(
    {Progress, ServerAwaited, SmokeBegan, ContestBegan, ChaosBegan, ChaosEnded}
)
"""The events that are no part of a result, or whose content is in the record of a later event."""
