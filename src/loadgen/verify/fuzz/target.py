"""The targets of fuzzing, as rows: the form of their inputs, and the states that inputs are to reach."""

from __future__ import annotations

from dataclasses import dataclass

from loadgen.verify.fuzz import forms
from loadgen.verify.fuzz.form import Form


@dataclass(frozen=True, slots=True)
class Target:
    """What inputs are given to."""

    name: str
    form: Form
    states: tuple[str, ...]
    """All that an input may reach; the report says how many inputs reached each."""
    examine: str = ""
    """"MODULE:FUNCTION", which is imported in a process of its own; empty for a target that is a server."""


_CODEC = (
    "hit", "miss", "stored", "not stored", "deleted", "not found", "ok", "error reply", "taken", "refused",
)  # fmt: skip


def _parser(name: str, form: Form, *states: str) -> Target:
    return Target(name, form, states, f"loadgen.verify.fuzz.targets.{name}:examine")


PARSERS = {
    target.name: target
    for target in (
        _parser("resp_parser", forms.RESP_REPLIES, *_CODEC, "push", "compared with hiredis to the end"),
        _parser("memcache_parser", forms.MEMCACHE_REPLIES, *_CODEC),
        _parser("meta_parser", forms.META_REPLIES, *_CODEC),
        _parser("binary_parser", forms.BINARY_REPLIES, *_CODEC),
        _parser("config", forms.TOML, "taken", "refused"),
        _parser("proxy", forms.HTTP, "carried out", "refused", "malformed", "waiting for more"),
        _parser("query_parser", forms.EXPRESSIONS, "evaluated", "with a mistake", "malformed", "not UTF-8"),
    )
}
"""By name, every target that is a function of loadgen's."""

SERVERS = {
    target.name: target
    for target in (
        Target("command_handler", forms.RESP_REQUESTS, ("answered", "no answer", "refused")),
        Target("restore", forms.PAYLOADS, ("restored", "refused")),
    )
}
"""By name, every target that is a server."""
