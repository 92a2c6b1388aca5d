"""The handshake of a leader and an agent: who is there, and the proof that both know one token. No I/O.

The agent introduces itself, the leader claims it for a rank of a run, and the agent accepts. Where there is a token,
each proves by HMAC-SHA-256 over both sides' nonces that it knows it; the token itself is never sent.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import sys
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from loadgen.fleet.frame import LONGEST_INTRODUCTION

PROTOCOL = 1
"""The version of frames and handshake."""

ORDER = sys.byteorder
"""Histograms are sent as this machine's integers."""


class HandshakeError(Exception):
    """A handshake that cannot go on; its words say why, without the agent's name."""


def nonce() -> str:
    """Return 32 random bytes, in hex."""
    return os.urandom(32).hex()


def proof(token: str, who: str, agents_nonce: str, leaders_nonce: str) -> str:
    """Return the proof that `who` (`agent` or `leader`) knows the token; empty where there is none."""
    if not token:
        return ""
    text = f"loadgen {who} {agents_nonce} {leaders_nonce}"
    return hmac.new(token.encode(), text.encode(), hashlib.sha256).hexdigest()


def is_proof(said: str, token: str, who: str, agents_nonce: str, leaders_nonce: str) -> bool:
    return hmac.compare_digest(said, proof(token, who, agents_nonce, leaders_nonce))


class _Json:
    """A frozen value that is sent as JSON."""

    def to_json(self) -> bytes:
        return json.dumps(asdict(self)).encode()  # type: ignore[call-overload]

    @classmethod
    def of_json(cls, body: bytes) -> Self:
        """Raises HandshakeError."""
        try:
            said = json.loads(body) if len(body) <= LONGEST_INTRODUCTION else None
            if not isinstance(said, dict):
                raise TypeError
            known = {field.name: _checked(said, field.name, field.type) for field in fields(cls)}  # type: ignore[arg-type]
            return cls(**known)
        except (ValueError, TypeError, KeyError, RecursionError):
            raise HandshakeError("does not introduce itself as loadgen's agents do") from None


def _checked(said: dict[str, Any], name: str, kind: object) -> Any:
    value = said[name]
    if not isinstance(value, {"int": int, "str": str, "float": float | int}[str(kind)]) or isinstance(value, bool):
        raise TypeError
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Introduction(_Json):
    """The agent and its machine."""

    protocol: int = PROTOCOL
    version: str
    """Of loadgen."""
    python: str
    order: str = ORDER
    host: str
    boot: str = ""
    """The kernel's name for its present start, which no other machine has; empty where it has none."""
    pid: int
    cpus: int
    """Those that the agent may use."""
    open_files: int
    """The hard limit on a process's open files; 0: none."""
    clock_ns: int
    """The time of the monotonic clock."""
    wall_s: float
    """The time of the wall clock, in seconds since 1970."""
    closed_per_s: float = 0.0
    """What one worker there sends in a closed loop, by the host's self-test; 0: no self-test is known."""
    open_per_s: float = 0.0
    """The same with a schedule."""
    taken: str = ""
    """The date of the self-test."""
    has_token: int = 0
    """1: the agent asks for the proof of a token."""
    nonce: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim(_Json):
    """The leader, and what it wants the agent for."""

    protocol: int = PROTOCOL
    version: str
    run: str
    """The run's name: random, and never used again."""
    rank: int
    """The agent's place in the run, from 0."""
    agent: str
    """The agent's nonce: a claim that reaches another agent is none."""
    nonce: str
    proof: str = ""


def misfit(said: Introduction | Claim, version: str) -> str:
    """Return why the other side cannot be worked with, after its name; empty when it can."""
    if said.version != version:
        return f"has loadgen {said.version}, and this is {version}: install the same version on both"
    if said.protocol != PROTOCOL:
        return (
            f"speaks version {said.protocol} of the agents' protocol, and this is {PROTOCOL}: install the same release"
        )
    if isinstance(said, Introduction) and said.order != ORDER:
        return f"is a {said.order}-endian machine, and this one is {ORDER}-endian"
    return ""
