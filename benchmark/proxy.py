"""The cost of `loadgen proxy` without toxics beside Toxiproxy's: added round trip and throughput, in turns, in one run.

The real server is built once by Go, into the user's cache (LOADGEN_BUILD_TOXIPROXY=1). Both proxies and a direct
connection are measured by `loadgen.faults.proxy.cost`; ratios are of the rounds, which take turns, so that a busy
machine slows all alike.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from table import Goal, goals_table, spread, table

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))
import toxiproxy_script as toxiproxy

from loadgen.faults.proxy.client import ProxyApi
from loadgen.faults.proxy.cost import direct, through
from loadgen.faults.proxy.managed import ManagedProxy

OURS, THEIRS, DIRECT = "loadgen proxy", f"toxiproxy {toxiproxy.VERSION}", "direct"


def measured(url: str, rounds: int, for_s: float) -> dict[str, dict[str, list[float]]]:
    """Return for each way the median round trip in µs and the rate in MB/s of each round."""
    found: dict[str, dict[str, list[float]]] = {}
    with (
        ManagedProxy() as managed,
        direct() as straight,
        through(managed.api) as ours,
        through(ProxyApi(url)) as theirs,
    ):
        ways = [(DIRECT, straight), (OURS, ours), (THEIRS, theirs)]
        for turn in range(rounds):
            for name, way in (*ways[turn % 3 :], *ways[: turn % 3]):
                trips = sorted(way.round_trips_ns(for_s))
                figures = found.setdefault(name, {"p50_us": [], "mb_per_s": []})
                figures["p50_us"].append(trips[len(trips) // 2] / 1e3)
                figures["mb_per_s"].append(way.bytes_per_s(for_s) / 1e6)
    return found


def goals(found: dict[str, dict[str, list[float]]]) -> list[Goal]:
    """Return the two ratios that `loadgen proxy` is held to."""
    trips = zip(*(found[name]["p50_us"] for name in (OURS, THEIRS, DIRECT)), strict=True)
    rates = zip(*(found[name]["mb_per_s"] for name in (OURS, THEIRS)), strict=True)
    added = tuple((ours - alone) / max(theirs - alone, 1e-3) for ours, theirs, alone in trips)
    return [
        Goal("added p50, loadgen proxy ÷ toxiproxy", added, 2.0),
        Goal("throughput, toxiproxy ÷ loadgen proxy", tuple(theirs / ours for ours, theirs in rates), 1.0),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--for", type=float, default=0.5, dest="for_s", metavar="SECONDS", help="of each measurement")
    parser.add_argument("--json", type=Path, metavar="FILE", help="every figure of every round")
    options = parser.parse_args()
    built = toxiproxy.program()
    if built is None:
        print(
            f"Toxiproxy {toxiproxy.VERSION} is not built: set {toxiproxy.BUILD}=1, with Go installed.", file=sys.stderr
        )
        return 3
    with toxiproxy.running(built) as url:
        found = measured(url, options.rounds, options.for_s)
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    rows = [(name, spread(figures["p50_us"]), spread(figures["mb_per_s"])) for name, figures in found.items()]
    print(table("Proxies without toxics", ("one connection, 64 bytes each way", "round trip, µs", "MB/s"), rows))
    print()
    results = goals(found)
    print(goals_table(results))
    return 0 if all(goal.met for goal in results) else 1


if __name__ == "__main__":
    sys.exit(main())
