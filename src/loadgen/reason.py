"""Reasons why a result does not hold, and remarks on one that does: a code for programs, words for people. No I/O."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from loadgen.severity import Severity


class Code(StrEnum):
    """The subject of a reason. The words may change from one version of loadgen to the next, a code does not."""

    meaning: str
    """For `docs/RESULTS.md`."""

    def __new__(cls, value: str, meaning: str = "") -> Self:
        code = str.__new__(cls, value)
        code._value_ = value
        code.meaning = meaning
        return code

    # The load did not reach its end.
    SERVER_GONE = "server-gone", "a server accepts no connection any more"
    SERVER_ENDED = "server-ended", "a server that loadgen started has ended"
    WRONG_NODE = "wrong-node", "the servers are nodes of a cluster, and the configuration does not say so"
    LOCKED_OUT = "locked-out", "a server wants other credentials for every request"
    WORKER_DIED = "worker-died", "one of loadgen's own worker processes died"
    COULD_NOT_RUN = "could-not-run", "a round of a comparison could not be run, for any other reason"
    UNFINISHED = "unfinished", "a search or a trial was ended before it had an answer"

    # More failed than is allowed.
    REQUESTS_FAILED = "requests-failed", "more requests failed than `[verdict] failures` allows"
    CONNECTIONS_FAILED = "connections-failed", "more connections never opened than `[verdict] connections` allows"
    CRITERION = "criterion", "a criterion of `[smoke]` is not met"
    STATE_NOT_REACHED = "state-not-reached", "no case of a campaign reached a state that some case must reach"

    # The numbers are not the server's, or there are none.
    NOTHING_MEASURED = "nothing-measured", "no request was measured"
    NOTHING_JUDGED = "nothing-judged", "no case of a campaign was judged, or nothing of a history"
    KEYS_UNJUDGED = "keys-unjudged", "some keys of a history could not be judged"
    UNACCOUNTED = "unaccounted", "planned requests ended nowhere or twice: a bug in loadgen"
    NO_GOOD_REPLY = "no-good-reply", "no request got a good reply"
    GARBLED = "garbled", "replies were none that the protocol allows, or those to other requests"
    SERVER_RESTARTED = "server-restarted", "another process of the server answered from some time on"
    FAULT_NOT_FIRED = "fault-not-fired", "a planned fault had no effect, or could not be carried out"
    GENERATOR_LATE = "generator-late", "p99 of the generator's own send lag is over its limit, or may be"
    GENERATOR_SHORT = "generator-short", "the generator had too many requests still to send when the window closed"

    # There is no answer.
    NO_RATE_PASSED = "no-rate-passed", "a search found no rate that meets the limits"
    GENERATOR_LIMITED = "generator-limited", "a search came to the generator's limit before the server's"
    UNCONFIRMED = "unconfirmed", "rates that had passed failed again on new connections"
    HOST_NOISY = "host-noisy", "a metric differs too much from round to round to be judged on this host"

    # Remarks on a result that holds.
    LATE_TAIL = "late-tail", "some requests were sent late by the generator, which shows in the last percentiles"
    CPU_BUSY = "cpu-busy", "a worker used up its CPU, or fell behind with what it had to do"
    CPU_AWAITED = "cpu-awaited", "a worker waited for a CPU"
    CPU_QUOTA = "cpu-quota", "a CPU quota held a worker up"
    CPU_STOLEN = "cpu-stolen", "the hypervisor gave CPU time to others"
    WORKER_STOPPED = "worker-stopped", "a worker was stopped from outside"
    SLOW_CLOCK = "slow-clock", "reading the clock takes a system call on this machine"
    NEAR_CEILING = "near-ceiling", "the load came near to what this host's self-test reached"
    NOT_BACK = "not-back", "a node was not back inside its baseline's interval after a fault, as far as it was watched"
    MONITOR_SILENT = "monitor-silent", "a monitor gave no reading while the load was measured"
    MONITOR_RESTARTED = "monitor-restarted", "a monitor read another process from some time on"
    PROXY_COST = "proxy-cost", "the time that a proxy before a node adds, and the bytes per second that go through it"
    DRIFT = "drift", "response time rose or fell over the window"
    CONNECTIONS_DOWN = "connections-down", "some connections could not be opened at first"
    REPLAY_DIFFERS = "replay-differs", "a replay did not fail as the recorded case did"
    NOT_TESTED = "not-tested", "something that the cases of a campaign do not test"
    PART = "part", "how a part of `full` ended"
    HISTORY_TORN = "history-torn", "blocks of a history were not written to their end, and are left out"
    HISTORY_NOT_WHOLE = "history-not-whole", "a worker ended before it had written all of its records to a history"
    PROCESS_ENDED = "process-ended", "a process that ran seeds of a campaign has ended, and its seeds were run again"
    MACHINE_LOST = "machine-lost", "a machine that ran a campaign was lost, and its seeds were run by others"
    NO_ARTIFACT = "no-artifact", "the artifact of a failure could not be written"
    GREETING = "greeting", "the server did not answer the greeting as expected, and was used all the same"
    CONFIGURATION = "configuration", "a key of the configuration or an option is not acted on as it stands"
    CPUS_SHARED_OUT = "cpus-shared-out", "which CPUs the load and the servers of a comparison have"
    KEPT_AWAKE = "kept-awake", "CPUs were kept from sleeping while servers were measured"
    RAN_ALONE = "ran-alone", "candidates ran alone, as an idle one used a CPU"
    IDLE_BUSY = "idle-busy", "a server that was stopped used a CPU all the same"
    MEASURED_AGAIN = "measured-again", "slices, a round or a capacity were measured again"
    RATE_LOWERED = "rate-lowered", "response times are compared at a lower rate, as a worker would be late itself"
    OVERLOADED = "overloaded", "a candidate was overloaded at the rate of the comparison"
    HIT_RATES_DIFFER = "hit-rates-differ", "candidates had different hit rates, so they did not do the same work"
    ROUNDS_LATE = "rounds-late", "rounds in which the generator was late are left out of a metric"
    HISTORIES_KEPT = "histories-kept", "where the histories of a comparison's rounds, or of a trial, are"
    STORED = "stored", "at least one side of the comparison is a stored result"
    OTHER_MACHINE = "other-machine", "one side of the comparison was measured on another machine"
    TOO_FEW = "too-few", "so few stored runs cannot tell any difference from chance"

    # Remarks on tests of jobs.
    JOBS_BOUND = "jobs-bound", "what limits the throughput of a test of jobs: the jobs, the storage, or the CPUs"
    JOBS_STUCK = "jobs-stuck", "jobs were executed and have not ended, and where they may be"
    SHARES_UNEVEN = "shares-uneven", "workers completed different numbers of jobs, and why"
    STORAGE_LOCKED = "storage-locked", "the storage of a queue was locked for too long"
    STORAGE_LOSES = "storage-loses", "a queue is kept so that a fault takes back what it acknowledged"
    STORAGE_FULL = "storage-full", "the server of a queue has as many connections as it takes, or nearly"

    UNNAMED = "unnamed", "the result is of an older loadgen, which wrote no codes"


@dataclass(frozen=True, slots=True)
class Reason:
    """A statement about a result."""

    code: Code
    words: str
    """A sentence."""
    severity: Severity = Severity.GOOD
    """The severity for the result; GOOD where the result holds all the same."""


def words_of(reasons: Iterable[Reason], severity: Severity) -> str:
    """Return the words of the reasons of one severity, as one sentence; empty where there is none."""
    return "; ".join(reason.words for reason in reasons if reason.severity is severity)
