"""Who is asked for the topology, and what to make of the answers: a conversation without a socket.

`ask` is a generator. It yields a Question, is sent an Answer, and returns what was found, or raises a TargetError whose
words say why nobody could tell. A shell puts the questions to real nodes, the simulated world to its own.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

from loadgen.errors import TargetError
from loadgen.escape import printable
from loadgen.plan import Discovery, Endpoint, Target
from loadgen.topology.found import FoundShard, UnreadableError, of_sentinel, of_shards, of_slots, uncovered


@dataclass(frozen=True, slots=True)
class Question:
    """A command for a node."""

    endpoint: Endpoint
    words: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """A node's reply, its error reply, or why there is none."""

    value: object = None
    """As hiredis reads it."""
    error: str = ""
    silence: str = ""
    """Why no reply came, as the rest of a sentence; empty when one did."""


Asking = Generator[Question, Answer, tuple[FoundShard, ...]]

NO_CLUSTER = ("ERR This instance has cluster support disabled",)
"""The beginnings of an answer to CLUSTER of a server that is no node of a cluster."""


def ask(target: Target, nodes: Sequence[Endpoint]) -> Asking:
    """Ask the nodes, or sentinels, one after the other until one knows.

    Raises TargetError with the first reason when none does.
    """
    assert target.discovery is not None
    discovery = target.discovery
    reasons: list[str] = []
    for endpoint in nodes:
        try:
            if discovery.master:
                return (yield from _ask_sentinel(endpoint, discovery))
            return (yield from _ask_node(endpoint, tls=target.tls is not None))
        except _Unknown as unknown:
            reasons.append(str(unknown))
    raise TargetError(" ".join(dict.fromkeys(reasons)))


class _Unknown(Exception):
    """A node cannot tell; the text says why, in a sentence."""


def _ask_node(endpoint: Endpoint, *, tls: bool) -> Asking:
    answer = yield Question(endpoint, (b"CLUSTER", b"SHARDS"))
    try:
        if not answer.error and not answer.silence:
            shards = of_shards(answer.value, tls=tls)
        else:
            if answer.error.lower().startswith(("err unknown subcommand", "err unknown cluster subcommand")):
                answer = yield Question(endpoint, (b"CLUSTER", b"SLOTS"))
            shards = of_slots(_said(answer, endpoint))
    except UnreadableError as error:
        raise _Unknown(
            f"{endpoint} answers CLUSTER with what no Redis Cluster does ({printable(str(error))})."
        ) from None
    if missing := uncovered(shards):
        raise _Unknown(
            f"{missing:,} of the cluster's 16,384 slots have no node, as {endpoint} says (CLUSTER SHARDS): add them to "
            "a node or bring back the one that has them, and run again."
        )
    return shards


def _ask_sentinel(endpoint: Endpoint, discovery: Discovery) -> Asking:
    name = discovery.master.encode()
    answer = yield Question(endpoint, (b"SENTINEL", b"GET-MASTER-ADDR-BY-NAME", name))
    master = _said(answer, endpoint)
    if master is None:
        raise _Unknown(
            f"The sentinel at {endpoint} knows no master named {discovery.master}: check the name "
            "(target.sentinel_master) against SENTINEL MASTERS."
        )
    answer = yield Question(endpoint, (b"SENTINEL", b"REPLICAS", name))
    try:
        return of_sentinel(master, _said(answer, endpoint))
    except UnreadableError as error:
        raise _Unknown(f"{endpoint} answers SENTINEL with what no sentinel does ({printable(str(error))}).") from None


def _said(answer: Answer, endpoint: Endpoint) -> object:
    """Return an answer's value. Raises _Unknown with the reason why there is none."""
    if answer.silence:
        raise _Unknown(f"{endpoint} does not say who its nodes are: {printable(answer.silence)}.")
    if answer.error.startswith(NO_CLUSTER):
        raise _Unknown(
            f"{endpoint} is a single server, not a node of a cluster: write target.cluster = false, or start the "
            "server with cluster-enabled yes."
        )
    if "unknown command" in answer.error.lower():
        raise _Unknown(
            f'{endpoint} is no node of a cluster and no sentinel, as it answers "{printable(answer.error)}": name '
            "nodes of a cluster (target.cluster), or sentinels (target.sentinel_master)."
        )
    if answer.error:
        raise _Unknown(f'{endpoint} does not say who its nodes are: it answers "{printable(answer.error)}".')
    return answer.value
