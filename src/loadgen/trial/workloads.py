"""The workloads that `--workload` names, as rows. Values; no I/O.

mixed, get-heavy and set-heavy have the numbers of the reliability tests of pior/memcache (`tests/` at dadaabf). Each
row is an open loop, so that callers who wait for a node that is down do not take the load from the others; a rate of 0
makes the same traffic a closed loop.
"""

from __future__ import annotations

from difflib import get_close_matches

from loadgen.errors import UsageError
from loadgen.trial.plan import Traffic
from loadgen.units import NS_PER_S

_MIXED = {"get": 60, "set": 30, "delete": 5, "increment": 5}

ROWS = (
    Traffic("constant", _MIXED, rate_per_s=1_000),
    Traffic("burst", _MIXED, "burst", rate_per_s=500, peak_per_s=4_000, period_ns=5 * NS_PER_S),
    Traffic("ramp", _MIXED, "ramp", rate_per_s=200, peak_per_s=3_000, period_ns=30 * NS_PER_S),
    Traffic("mixed", _MIXED, rate_per_s=1_000, own_keys=1_000, hot_keys=10, hot_share=0.3, ttl_s=(30, 90)),
    Traffic("get-heavy", {"get": 95, "set": 5}, rate_per_s=1_000, ttl_s=(60, 60)),
    Traffic("set-heavy", {"get": 20, "set": 80}, rate_per_s=1_000, shared_keys=100, own_keys=100, ttl_s=(30, 30)),
    Traffic("stampede", {"get": 1}, "stampede", rate_per_s=2_000, period_ns=2 * NS_PER_S, shared_keys=1),
    Traffic("hot-keys", {"get": 80, "set": 20}, rate_per_s=1_000, hot_keys=10, hot_share=0.9),
    Traffic("batches", {"get_many": 70, "set": 30}, rate_per_s=500, shared_keys=500, batch=(1, 50)),
    Traffic(
        "long-tail",
        {"get": 60, "get_many": 20, "set": 20},
        "long-tail",
        rate_per_s=500,
        batch=(2, 100),
        value_bytes=(64, 100_000),
        slow_share=0.02,
    ),
)
"""Every workload, in the order of `--list`."""

WORKLOADS = {row.name: row for row in ROWS}

MEANINGS = {
    "constant": "60 % get, 30 % set, 5 % delete, 5 % increment over 1,000 keys, 1,000 operations per second",
    "burst": "the same operations at 500 per second, and for a tenth of every 5 s at 4,000",
    "ramp": "the same operations, from 200 to 3,000 per second within 30 s",
    "mixed": "the same operations; 30 % on one of 10 hot keys, the others on 1,000 keys of each caller; expiry 30–90 s",
    "get-heavy": "95 % get, 5 % set over 1,000 shared keys, expiry 60 s",
    "set-heavy": "20 % get, 80 % set over 100 keys of each caller, expiry 30 s",
    "stampede": "every caller gets one key that expires every 2 s, and computes its value when the cache misses",
    "hot-keys": "80 % get, 20 % set; 90 % go to one of 10 keys",
    "batches": "70 % get_many of 1–50 of 500 keys, 30 % set",
    "long-tail": "60 % get, 20 % get_many, 20 % set; 2 % of them with 100 keys or values of 100,000 bytes",
}
"""One line on each workload, for `--list`."""


def workload_named(name: str) -> Traffic:
    """Return the workload with this name, written with hyphens or underscores.

    Raises UsageError, with the nearest name, when there is none.
    """
    wanted = name.lower().replace("_", "-")
    if wanted in WORKLOADS:
        return WORKLOADS[wanted]
    near = get_close_matches(wanted[:80], WORKLOADS, n=1)
    hint = f"did you mean {near[0]}?" if near else f"the workloads are {', '.join(WORKLOADS)}."
    raise UsageError(f"There is no workload {name!r}; {hint}")
