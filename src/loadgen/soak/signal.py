"""The go/no-go signal: whether a load may go on. Pure: what an answer over HTTP means, and what is answered.

Cerberus, which watches clusters under load, answers `True` or `False` as plain text: that is understood, and `/`
answers likewise, so that tools which obey Cerberus obey this. JSON with a member `go` says why besides.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from http import HTTPStatus
from typing import Any

from loadgen.escape import printable
from loadgen.web.http import Request, Response

PATIENCE = 3
"""Polls in a row without an answer that are a no-go: what says "go" may have ended with what it watched."""

OLDEST_S = 10.0
"""The age of the leader's last words beyond which they are no "go": a leader that hangs cannot say that all is well."""

_GO, _NO_GO = ("true", "go"), ("false", "no-go", "no go", "nogo")
_LONGEST_WHY = 200


class Signal(Enum):
    """What one poll came to."""

    GO = "go"
    NO_GO = "no-go"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class Answer:
    """A signal, and the reason in words; empty where none was given."""

    signal: Signal
    why: str = ""


def understood(status: int, body: bytes) -> Answer:
    """Return the meaning of an answer: `True`/`False`, `go`/`no-go`, or JSON with a boolean `go`; 503 is a no-go.

    An answer that is none of these is as good as no answer.
    """
    value = _value(body)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return Answer(Signal.NO_GO, _why(value) or "it answers 503")
    if not 200 <= status < 300:
        return Answer(Signal.UNREACHABLE, f"it answers {status}")
    go = value.get("go") if isinstance(value, dict) else _of_word(value)
    if not isinstance(go, bool):
        return Answer(Signal.UNREACHABLE, f"its answer is no go/no-go signal: {printable(_shown(body), 60)}")
    return Answer(Signal.GO if go else Signal.NO_GO, _why(value))


def _value(body: bytes) -> Any:
    """Return the JSON value of a body, else its text."""
    text = body.decode("utf-8", "replace").strip()
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _of_word(value: object) -> bool | None:
    word = str(value).lower() if isinstance(value, bool | str) else ""
    return True if word in _GO else False if word in _NO_GO else None


def _why(value: object) -> str:
    said = value.get("why", "") if isinstance(value, dict) else ""
    words = "; ".join(map(str, said)) if isinstance(said, list) else said if isinstance(said, str) else ""
    return printable(words, _LONGEST_WHY)


def _shown(body: bytes) -> str:
    text = " ".join(body[:200].decode("utf-8", "replace").split())
    return text or "it is empty"


@dataclass(frozen=True, slots=True)
class Obeyed:
    """Whether a load may go on, by all answers so far. The first answer counts at once, in either direction."""

    go: bool = True
    why: str = ""
    """Why it may not; while it may, why there was no answer."""
    unanswered: int = 0
    """Polls in a row that had no answer."""
    polls: int = 0

    def told(self, answer: Answer) -> Obeyed:
        """Return this with one more answer. A signal that cannot be had keeps the last one, but for so long only."""
        polls = self.polls + 1
        match answer.signal:
            case Signal.GO:
                return Obeyed(True, "", 0, polls)
            case Signal.NO_GO:
                return Obeyed(False, answer.why or "it says no-go", 0, polls)
            case Signal.UNREACHABLE:
                missed = self.unanswered + 1
                if missed < PATIENCE:
                    return Obeyed(self.go, answer.why if self.go else self.why, missed, polls)
                return Obeyed(False, f"no answer in {missed} polls: {answer.why}", missed, polls)


@dataclass(frozen=True, slots=True)
class Told:
    """What the leader last said of itself, to be served."""

    go: bool
    state: str
    """Such as `settling`, `soaking`, `paused`."""
    at_s: float
    """When it was said, on the monotonic clock, in seconds."""
    why: tuple[str, ...] = ()
    """What is wrong, a sentence each; empty while nothing is."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What else is to be known, as JSON: the checkpoint, the expected end, the newest values."""


def respond(request: Request, told: Told | None, now_s: float) -> Response:
    """Return the answer to a request: `/` has `True` or `False`, `/state` JSON, whose status is 503 for a no-go."""
    path = request.target.partition("?")[0]
    if path not in ("/", "/state"):
        return _plain(HTTPStatus.NOT_FOUND, "there is / (True or False) and /state (JSON)")
    if request.method not in ("GET", "HEAD"):
        return _plain(HTTPStatus.METHOD_NOT_ALLOWED, "the signal is read by GET")
    go, why = _served(told, now_s)
    # 200 in both cases on "/": those who obey Cerberus read the text only after a status of 200.
    if path == "/":
        return _plain(HTTPStatus.OK, str(go))
    age_s = None if told is None else round(now_s - told.at_s, 3)
    state = {
        "go": go,
        "why": why,
        "state": "starting" if told is None else told.state,
        "age_s": age_s,
        **(told.facts if told else {}),
    }
    status = HTTPStatus.OK if go else HTTPStatus.SERVICE_UNAVAILABLE
    return Response(status, json.dumps(state, ensure_ascii=False).encode() + b"\n", "application/json")


def _served(told: Told | None, now_s: float) -> tuple[bool, list[str]]:
    if told is None:
        return True, []
    if (age_s := now_s - told.at_s) > OLDEST_S:
        return False, [*told.why, f"the soak has said nothing for {age_s:.0f} s: it hangs, or is stopped"]
    return told.go, [*told.why]


def _plain(status: HTTPStatus, text: str) -> Response:
    return Response(status, f"{text}\n".encode(), "text/plain; charset=utf-8")
