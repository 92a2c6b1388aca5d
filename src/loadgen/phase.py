"""The phases of a run, and why connections fail: words that compiled code counts by number. Values; no I/O.

`_request.PHASE_NAMES` and `_pool.FAILURE_NAMES` are the same words, in the order of their numbers.
"""

from __future__ import annotations

from enum import StrEnum


class Phase(StrEnum):
    """A part of a run."""

    CONNECT = "connect"
    """Connections are opened. What is asked on them belongs to the precheck."""
    PRECHECK = "precheck"
    PREFILL = "prefill"
    WARMUP = "warmup"
    MEASURE = "measure"
    SEARCH = "search"
    """One load after the other. The requests of each belong to its warm-up, measurement and drain."""
    DRAIN = "drain"


COUNTED = (Phase.PRECHECK, Phase.PREFILL, Phase.WARMUP, Phase.MEASURE, Phase.DRAIN)
"""Those that requests and bytes belong to, in order."""

OF_A_LOAD = (Phase.WARMUP, Phase.MEASURE, Phase.DRAIN)
"""Those that each load has."""


class Failure(StrEnum):
    """Why an attempt to connect failed, or a connection went."""

    REFUSED = "refused"
    CONNECT_TIMEOUT = "connect timeout"
    UNREACHABLE = "unreachable"
    TURNED_AWAY = "turned away"
    """By an error reply to a greeting after which no request can succeed."""
    CLOSED_BY_SERVER = "closed by server"
    RESET = "reset"
    STALLED = "stalled"
    """No reply within the request timeout, on a whole pipeline."""
    PROTOCOL = "protocol"
    """Bytes that are no reply."""
    UNASKED_REPLY = "unasked reply"
    LOCAL_LIMIT = "local limit"
    """No descriptor, port or memory was left on this machine."""
    WRONG_ANSWER = "wrong answer"
    """A reply that no server gives to that request."""
