"""The JSON Schema (2020-12) of all records, and the tables of their fields. No I/O.

A test fails when a record has a field that is not in its table.
"""

from __future__ import annotations

from loadgen.record.schema.accounts import COUNTS
from loadgen.record.schema.campaign import CAMPAIGN, CAMPAIGN_BEGAN, CASE, FAILURE, MACHINE, METADATA, SUMMARY, WRITES
from loadgen.record.schema.check import CHECK, CHECK_SUMMARY, VIOLATION
from loadgen.record.schema.comparison import COMPARISON, METRIC, NOISE, ROUND
from loadgen.record.schema.config import CONFIG
from loadgen.record.schema.hosts import AGENT, HOST_PART
from loadgen.record.schema.jobs import (
    CHAINS,
    COMPARED_ROW,
    COST,
    JOBS,
    JOBS_BEGAN,
    JOBS_COMPARED,
    JOBS_INSPECTED,
    JOBS_PLAN,
    JOBS_PROGRESS,
    JOBS_SUMMARY,
    JOBS_WORKER,
    KIND,
    PUBLISHING,
    SCHEDULING,
)
from loadgen.record.schema.jobs import COUNTS as JOBS_COUNTS
from loadgen.record.schema.latency import LATENCY_NS
from loadgen.record.schema.monitors import GAP, MONITOR, READING, SERIES
from loadgen.record.schema.nodes import NODE
from loadgen.record.schema.objective import CHECKED
from loadgen.record.schema.progress import PHASE, SAMPLE, TOPOLOGY, USED
from loadgen.record.schema.result import OUTAGE, RESULT, SERVER, SIGNS, WORKER_SIGNS
from loadgen.record.schema.search import SATURATION, STEP
from loadgen.record.schema.shape import Schema
from loadgen.record.schema.smoke import SMOKE
from loadgen.record.schema.soak import (
    SOAK,
    SOAK_BASELINE,
    SOAK_BEGAN,
    SOAK_CHECKPOINT,
    SOAK_METADATA,
    SOAK_NOTE,
    SOAK_SUMMARY,
)
from loadgen.record.schema.stress import STRESS, STRESS_BEGAN, STRESS_LOAD, STRESS_SUMMARY
from loadgen.record.schema.trial import (
    COUNTED,
    FAULT,
    FAULT_EVENT,
    OBSERVED,
    STATE,
    TRIAL,
    TRIAL_BEGAN,
    TRIAL_PHASE,
    TRIAL_PLAN,
    TRIAL_SAMPLE,
)

TABLES = {
    "config": (CONFIG,),
    "agents": (AGENT, HOST_PART),
    "phase": (PHASE,),
    "sample": (SAMPLE, USED),
    "topology": (TOPOLOGY,),
    "result": (RESULT,),
    "reading": (READING,),
    "monitor-gap": (GAP,),
    "monitors": (MONITOR, SERIES),
    "nodes": (NODE,),
    "outages": (OUTAGE,),
    "latency": (LATENCY_NS,),
    "counts": (COUNTS,),
    "slo": (CHECKED,),
    "server": (SERVER,),
    "signs": (SIGNS, WORKER_SIGNS),
    "step": (STEP,),
    "saturation": (SATURATION,),
    "smoke": (SMOKE,),
    "round": (ROUND,),
    "comparison": (COMPARISON, METRIC),
    "noise": (NOISE,),
    "trial-began": (TRIAL_BEGAN, TRIAL_PLAN),
    "trial-phase": (TRIAL_PHASE,),
    "trial-sample": (TRIAL_SAMPLE, COUNTED, STATE),
    "fault": (FAULT_EVENT, FAULT),
    "trial": (TRIAL, OBSERVED),
    "campaign-began": (CAMPAIGN_BEGAN,),
    "case": (CASE, WRITES),
    "failure": (FAILURE,),
    "campaign": (CAMPAIGN, METADATA, SUMMARY, MACHINE),
    "check": (CHECK, CHECK_SUMMARY, VIOLATION),
    "stress-began": (STRESS_BEGAN,),
    "stress-load": (STRESS_LOAD,),
    "stress": (STRESS, STRESS_SUMMARY),
    "soak-began": (SOAK_BEGAN,),
    "soak-baseline": (SOAK_BASELINE,),
    "soak-checkpoint": (SOAK_CHECKPOINT,),
    "soak-note": (SOAK_NOTE,),
    "soak": (SOAK, SOAK_METADATA, SOAK_SUMMARY),
    "jobs-began": (JOBS_BEGAN, JOBS_PLAN, PUBLISHING, KIND, CHAINS, SCHEDULING),
    "jobs-progress": (JOBS_PROGRESS,),
    "jobs-worker": (JOBS_WORKER,),
    "jobs": (JOBS, JOBS_SUMMARY, JOBS_COUNTS, COST),
    "jobs-compared": (JOBS_COMPARED, COMPARED_ROW),
    "jobs-inspected": (JOBS_INSPECTED,),
}
"""By heading, the tables of a section of `docs/RESULTS.md`."""

RECORD: Schema = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "A line of loadgen --format json",
    "oneOf": [
        table.schema
        for table in (
            CONFIG,
            PHASE,
            SAMPLE,
            TOPOLOGY,
            RESULT,
            READING,
            GAP,
            STEP,
            SATURATION,
            SMOKE,
            ROUND,
            COMPARISON,
            NOISE,
            TRIAL_BEGAN,
            TRIAL_PHASE,
            TRIAL_SAMPLE,
            FAULT_EVENT,
            TRIAL,
            CAMPAIGN_BEGAN,
            CASE,
            FAILURE,
            CAMPAIGN,
            CHECK,
            STRESS_BEGAN,
            STRESS_LOAD,
            STRESS,
            SOAK_BEGAN,
            SOAK_BASELINE,
            SOAK_CHECKPOINT,
            SOAK_NOTE,
            SOAK,
            JOBS_BEGAN,
            JOBS_PROGRESS,
            JOBS_WORKER,
            JOBS,
            JOBS_COMPARED,
            JOBS_INSPECTED,
        )
    ],
}
