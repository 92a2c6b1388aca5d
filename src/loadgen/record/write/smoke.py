"""The record of a smoke test, `smoke`. No I/O."""

from __future__ import annotations

from typing import Any

from loadgen.percentiles import COMPARED
from loadgen.reason import Code
from loadgen.record.write import run
from loadgen.record.write.latency import in_us
from loadgen.record.write.spelling import codes, cpu_us, percent, text, texts, timestamp, words
from loadgen.smoke.ended import SmokeEnded


def smoke(event: SmokeEnded) -> dict[str, Any]:
    result = event.result
    measured = result.measured if result is not None else None
    latency = in_us(measured.latency()) if measured is not None else {}
    watched = result.server if result is not None else None
    return {
        "type": "smoke",
        "ts": timestamp(event.wall_s),
        "name": text(event.server),
        "identity": text(event.identity) or None,
        "passed": event.passed,
        "interrupted": event.interrupted,
        "checks": [
            {
                "name": check.name,
                "passed": check.passed,
                "found": text(check.found),
                "limit": text(check.limit) or None,
            }
            for check in event.checks
        ],
        "reasons": [*(f"{check.name}: {text(check.found)}" for check in event.failed), *words(event.doubts)],
        "codes": {"reasons": [*(str(Code.CRITERION) for _ in event.failed), *codes(event.doubts)]},
        "throughput": int(result.throughput_per_s) if result is not None else None,
        **{f"{name}_us": latency.get(f"{name}_us") for name, _, _ in COMPARED},
        "hit_pct": percent(measured.hit_rate) if measured is not None else None,
        "server_cpu_us_per_request": cpu_us(watched.cpu_us_per_request) if watched is not None else None,
        "last_words": texts(event.log_tail),
        "result": run.result(result) if result is not None else None,
    }
