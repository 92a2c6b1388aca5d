"""The kinds of the client: the shipping `loadgen.client.Client` on built-in servers, under load and faults.

Each is a row: what its seeds are like. What holds for all of them is in `client_case` and `client_history`.
"""

from __future__ import annotations

from loadgen.verify.case import Outcome, Verdict
from loadgen.verify.kinds.simulated.client_case import Case
from loadgen.verify.kinds.simulated.client_plan import EVEN, VERBS, Profile
from loadgen.verify.kinds.simulated.weather import narrow_links
from loadgen.verify.scenario.run import policy_aside, ran, waits
from loadgen.verify.scenario.settings import (
    CUT,
    GARBLE,
    KILL,
    PARTITION,
    PAUSE,
    REFUSE,
    SILENCE,
    SLOW,
    TOXIC,
    VANISH,
)
from loadgen.verify.tape import Tape

KEPT = (PAUSE, CUT, PARTITION, SLOW, VANISH, REFUSE, SILENCE)
"""The faults that no server loses data by."""

PROFILES = (
    Profile("client_concurrent_operations", KEPT),
    Profile(
        "client_write_contention",
        (PAUSE, CUT, SLOW),
        mean_faults=1.0,
        keys=(1, 2),
        callers=(8, 2, 16, 32),
        verbs=(10, 20, 5, 1, 2, 1, 5, 5, 2, 6, 10, 3, 1, 1, 5, 3),
        pauses_s=(0.0, 0.0, 0.001),
        seldom=("ConnectionRefused is raised", "a request waits behind a health check"),
    ),
    Profile(
        "client_crash_recovery",
        (KILL, KILL, REFUSE, CUT, PARTITION),
        mean_faults=5.0,
        options={"failover": (True, False), "retries": (2, 0), "breaker": (True,)},
    ),
    Profile(
        "client_connection_storm",
        (CUT, VANISH, REFUSE, SILENCE, PAUSE),
        mean_faults=6.0,
        callers=(32, 64),
        options={"max_size": (4, 1, 32), "max_conn_lifetime_s": (0.01, 0.0, 0.1), "max_conn_idle_time_s": (0.01, 0.0)},
        seldom=("a request waits behind a health check",),
    ),
    Profile(
        "client_protocol_errors",
        (GARBLE, GARBLE, PAUSE, CUT, SLOW),
        mean_faults=5.0,
        # A batch whose first reply is an error that nothing asked for takes each reply for the one before it.
        verbs=tuple(weight * (not verb.endswith("_many")) for verb, weight in zip(VERBS, EVEN, strict=True)),
        # The next request is on its way before the reply that is one too many.
        callers=(16, 32),
        options={"max_size": (1, 2)},
        garbled=True,
    ),
    Profile(
        "client_liveness",
        (*KEPT, KILL),
        mean_faults=5.0,
        options={"timeout_s": (1.0, 2.0), "connect_timeout_s": (None,)},
        recovers=True,
        seldom=("a client is closed while calls are under way",),
    ),
    Profile(
        "client_toxics",
        (TOXIC, TOXIC, TOXIC, TOXIC, PAUSE, CUT, REFUSE),
        mean_faults=6.0,
        options={"timeout_s": (1.0, 2.0), "connect_timeout_s": (None,)},
        recovers=True,
        seldom=("a client is closed while calls are under way",),
    ),
)


class ClientKind:
    """Cases of a profile, of so many operations."""

    def __init__(self, profile: Profile, operations: int) -> None:
        self.name = profile.name
        self._profile = profile
        self._operations = operations

    def run(self, tape: Tape) -> Outcome:
        case = Case(self._profile, self._operations)
        found = ran(case.scenario, tape, self._profile.settings, narrow_links, policy_aside)
        finding = found.finding
        if finding is None:
            return Outcome(
                Verdict.PASS,
                faults=found.faults,
                trace=found.trace,
                sometimes=found.states,
                virtual_ns=found.simulated_ns,
            )
        return Outcome(
            Verdict.FAIL,
            finding.invariant,
            finding.message,
            operations=(*waits(found.window_ns), *case.lines(), *finding.detail),
            faults=found.faults,
            trace=found.trace,
            sometimes=found.states,
            virtual_ns=found.simulated_ns,
        )

    def events(self, tape: Tape) -> list[str]:
        """Run the case of a tape; return its plan and its operations, in the order of their ends."""
        case = Case(self._profile, self._operations)
        ran(case.scenario, tape, self._profile.settings, narrow_links, policy_aside)
        return [*case.lines()]
