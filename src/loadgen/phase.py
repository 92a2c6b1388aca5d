"""The phases of a run, and the reasons why connections fail. Values; no I/O.

Compiled code counts by the number of a word: `_request.PHASE_NAMES` and `_pool.FAILURE_NAMES` have the words of COUNTED
and Failure, in the order of their numbers.
"""

from __future__ import annotations

from enum import StrEnum


class Phase(StrEnum):
    """A part of a run."""

    CONNECT = "connect"
    """Connections are opened. The requests of their greetings belong to the precheck."""
    PRECHECK = "precheck"
    PREFILL = "prefill"
    WARMUP = "warmup"
    MEASURE = "measure"
    SEARCH = "search"
    """One load after another. The requests of a load belong to its warm-up, measurement and drain."""
    DRAIN = "drain"


COUNTED = (Phase.PRECHECK, Phase.PREFILL, Phase.WARMUP, Phase.MEASURE, Phase.DRAIN)
"""The phases that requests and bytes belong to, in order."""

OF_A_LOAD = (Phase.WARMUP, Phase.MEASURE, Phase.DRAIN)
"""The phases of each load."""


class Push(StrEnum):
    """What a push of RESP3 says."""

    INVALIDATIONS = "invalidations"
    """Keys of client tracking are no longer valid."""
    INVALIDATED_KEYS = "invalidated_keys"
    """The keys in those; not a push."""
    FLUSHES = "flushes"
    """All keys of client tracking are no longer valid."""
    OTHERS = "others"


class Failure(StrEnum):
    """The reason why an attempt to connect failed, or why a connection ended."""

    REFUSED = "refused"
    CONNECT_TIMEOUT = "connect timeout"
    UNREACHABLE = "unreachable"
    TURNED_AWAY = "turned away"
    """The greeting got an error reply after which no request can succeed."""
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
    """The value of another key than the request asked for."""
    TLS = "tls"
    """The TLS handshake failed, or what came later was no valid TLS."""
