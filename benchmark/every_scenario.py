"""Acceptance 4.18: every scenario with a client of each protocol. Its accounts add up, and are those of the servers.

What fell due is what was begun and what was never begun; what was begun has ended. What a client sent to a server that
lived is what the server counted: exactly, where no operation failed and the client neither repeats nor batches; else
between what ended well and what may have been sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from one_trial import CannotRunError, Finding, Record, chaos, check_of, phases, was_late

from loadgen.config import catalogue

BRIEF = (*phases(settle="1s", baseline="2s", recovery="8s"), "--set", "limits.recovery=7s")

FAULT_S = {"stalled-connections": 6}
"""The length of the fault phase, by how a scenario's name begins, where 2 s are too few: a small share of connections
stalls, so that some thirty have to be opened."""

NEVER_SENT = ("refused", "breaker_open", "pool_exhausted")
"""Errors of operations that reached no server."""

REPEATS = {"builtin": False, "redis-py": True}
"""Whether a client sends an operation that failed again by itself: redis-py does, three times."""

__all__ = ["pairings", "was_late"]


@dataclass(frozen=True)
class Pairing:
    """A scenario and a client."""

    scenario: str
    client: str

    def __str__(self) -> str:
        return f"{self.scenario} with {self.client}"

    def attempt(self) -> tuple[list[Finding], bool]:
        """Run the trial. Return its lines, and whether the machine was late."""
        try:
            lasts_s = next((secs for begin, secs in FAULT_S.items() if self.scenario.startswith(begin)), 2)
            words = ("--scenario", self.scenario, "--client", self.client, "--duration", f"{lasts_s}s", *BRIEF)
            _, [trial] = chaos(*words, timeout_s=120)
        except CannotRunError as error:
            return [(str(error), False)], False
        if trial["could_not_run"]:
            return [(why, False) for why in trial["could_not_run"]], False
        verdict, *accounts = self._judged(trial)
        # Lateness excuses no account that does not add up.
        return [verdict, *accounts], was_late(trial) and all(holds for _, holds in accounts)

    def _judged(self, trial: Record) -> Iterator[Finding]:
        verdict = trial["verdict"]
        failed = [f"{check['name']} ({check['found']})" for check in trial["checks"] if check["passed"] is False]
        because = f" by {', '.join(failed)}" if failed else ""
        # Verdicts on other people's clients are findings. Lateness makes no FAIL: the checks see to that.
        yield f"{verdict}{because}", verdict == "pass" or self.client != "builtin"
        fired = check_of(trial, "fault fired")
        yield f"fault fired: {fired['found']}", fired["passed"] is True
        yield from _accounts(trial)
        yield from self._servers(trial)

    def _servers(self, trial: Record) -> Iterator[Finding]:
        """Yield the comparison with the own counters of each server that lived."""
        if trial["plan"]["groups"] > 1:
            return
        for server in trial["servers"]:
            node, counted = server["node"], server["operations"]
            if counted is None:
                yield f"node {node} was started anew", True
                continue
            of_node = [phase["by_node"].get(str(node), {}) for phase in trial["phases"].values()]
            ok = sum(counts.get("ok", 0) + counts.get("wrong", 0) for counts in of_node)
            begun = sum(counts.get("begun", 0) for counts in of_node)
            unsent = sum(counts.get("errors", {}).get(name, 0) for counts in of_node for name in NEVER_SENT)
            is_told = "0" not in {number for phase in trial["phases"].values() for number in phase["by_node"]}
            total = sum(counted.values())
            most = None if (REPEATS[self.client] and begun > ok) or not is_told else begun - unsent
            bound = f"from {ok}" if most is None else f"{ok}" if most == ok else f"from {ok} to {most}"
            yield f"node {node} counted {total}, the client {bound}", ok <= total and (most is None or total <= most)


def _accounts(trial: Record) -> Iterator[Finding]:
    counted = [counts for phase in trial["phases"].values() for counts in phase["by_node"].values()]
    begun = sum(counts["begun"] for counts in counted)
    ended = sum(counts["ok"] + counts["wrong"] + sum(counts["errors"].values()) for counts in counted)
    yield f"{begun} begun, {ended} ended", begun == ended > 0
    due = sum(phase["due"] for phase in trial["phases"].values())
    slowest_s = max(phase["slowest_secs"] for phase in trial["phases"].values())
    rate = trial["plan"]["rate_per_s"]
    # All callers can be occupied when operations fall due only where some take as long as all callers' turn. What fell
    # due in the last 50 ms may find the load ended.
    waited = not rate or slowest_s >= trial["plan"]["concurrency"] / rate
    yield f"{due} due, {max(0, due - begun)} of them never begun", begun >= due - 0.05 * rate or waited


def pairings(scenario: str) -> Iterator[Pairing]:
    """Yield the clients of a scenario: one of each protocol that its nodes may speak."""
    asked = catalogue.scenario(scenario).protocol
    for client, protocol in (("builtin", "memcache"), ("redis-py", "resp")):
        if asked in ("any", protocol):
            yield Pairing(scenario, client)
