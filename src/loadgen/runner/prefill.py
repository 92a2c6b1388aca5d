"""The progress of a prefill: keys written, and stalls. The time is an argument; this file receives no messages."""

from __future__ import annotations

from collections.abc import Mapping

from loadgen.errors import TargetError
from loadgen.events import Progress
from loadgen.judge import diagnosis
from loadgen.phase import Phase
from loadgen.plan import Plan
from loadgen.snapshot import Snapshot
from loadgen.units import NS_PER_S

# A prefill has stalled when no key has been confirmed for this long; sooner when the server answers with errors.
STALL_NS = 30 * NS_PER_S
REFUSED_NS = 3 * NS_PER_S


class Prefill:
    """The progress of a prefill that begins at `began_ns`."""

    def __init__(self, plan: Plan, began_ns: int) -> None:
        self._total = plan.keys_to_write
        self._limit_ns = plan.workload.prefill_timeout_ns
        self._began_ns = self._moved_ns = began_ns
        self._moved = Snapshot()

    def progress(
        self, now_ns: int, written: Snapshot, down: int, examples: Mapping[str, str], *, is_over: bool
    ) -> Progress:
        """Return the progress. `written` is the sum of all members' counts; `down` connections are not ready.

        Raises TargetError, with a diagnosis, when the prefill takes too long or stalls, unless the prefill is over.
        """
        done = written.total.hits
        if done > self._moved.total.hits:
            self._moved, self._moved_ns = written, now_ns
        since = written - self._moved
        elapsed_ns, stalled_ns = now_ns - self._began_ns, now_ns - self._moved_ns
        cause = diagnosis.headway(since, down, examples)
        if not is_over:
            self._check(f"{done:,} of {self._total:,} keys", elapsed_ns, stalled_ns, since, cause)
        note = "" if stalled_ns < REFUSED_NS else f"no key written for {stalled_ns / NS_PER_S:.0f} s, {cause}"
        return Progress(Phase.PREFILL, done, self._total, elapsed_ns, note)

    def _check(self, so_far: str, elapsed_ns: int, stalled_ns: int, since: Snapshot, cause: str) -> None:
        if self._limit_ns and elapsed_ns > self._limit_ns:
            after = f"after {self._limit_ns / NS_PER_S:g} s (workload.prefill_timeout)"
            raise TargetError(f"The prefill had written {so_far} {after}; {cause}.")
        if stalled_ns > (REFUSED_NS if since.total.errors else STALL_NS):
            since_when = f"none written for {stalled_ns / NS_PER_S:.0f} s"
            raise TargetError(f"The prefill stalled at {so_far}, {since_when}; {cause}.")
