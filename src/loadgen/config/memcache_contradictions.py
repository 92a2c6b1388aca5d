"""The rules between [target.memcache], the protocol, and what a load needs of replies. The rest: `contradictions`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from loadgen.config.document.problem import Problem
from loadgen.config.tables.memcache import Memcache
from loadgen.config.tables.refused import ProblemCode
from loadgen.config.tables.schema import Config
from loadgen.protocol import PROTOCOLS, Dialect, Wire

LONGEST_IN_BASE64 = 186
"""The longest key whose base64 has at most 250 characters, which memcached takes."""

_TABLE = ("target", "memcache")
_PROTOCOL = ("target", "protocol")
_USERNAME = ("target", "username")
_KEY_LENGTH = ("workload", "keyspace", "length")
_HISTORY = ("workload", "history")

_DIALECTS = {
    "quiet": tuple(Dialect),
    "opaque": (Dialect.META,),
    "base64_keys": (Dialect.META,),
    "return_key": (Dialect.META, Dialect.BINARY),
    "get_flags": (Dialect.META,),
}


def memcache_contradictions(config: Config) -> Iterator[Problem]:
    for rule in _RULES:
        yield from rule(config)


def _each_key_fits_the_protocol(config: Config) -> Iterator[Problem]:
    spoken, none = PROTOCOLS[config.target.protocol], Memcache()
    for name, dialects in _DIALECTS.items():
        value = getattr(config.target.memcache, name)
        if value != getattr(none, name) and spoken.dialect not in dialects:
            names = [f'"{each.name}"' for each in PROTOCOLS.values() if each.dialect in dialects]
            yield Problem(
                ((*_TABLE, name), _PROTOCOL),
                ProblemCode.PROTOCOL_LIMIT,
                f'has no meaning with "{spoken.name}"; leave it out, or set target.protocol to {" or ".join(names)}',
            )


def _silence_needs_a_number(config: Config) -> Iterator[Problem]:
    if config.target.memcache.quiet and not config.target.memcache.opaque:
        yield Problem(
            ((*_TABLE, "opaque"), (*_TABLE, "quiet")),
            ProblemCode.PROTOCOL_LIMIT,
            "is false, and without opaque tokens nothing tells which of several quiet requests a reply answers; "
            "leave out one of them",
        )


def _a_history_needs_replies(config: Config) -> Iterator[Problem]:
    wire = config.target.memcache
    if config.workload.history is None or PROTOCOLS[config.target.protocol].wire is not Wire.MEMCACHE:
        return
    if wire.quiet:
        yield Problem(
            ((*_TABLE, "quiet"), _HISTORY),
            ProblemCode.PROTOCOL_LIMIT,
            "leaves writes without a reply, and a history has to know what became of each; leave out one of them",
        )
    if "v" not in wire.get_flags:
        yield Problem(
            ((*_TABLE, "get_flags"), _HISTORY),
            ProblemCode.PROTOCOL_LIMIT,
            'has no "v", and a history is of values that are read; add v, or leave out the history',
        )


def _base64_fits(config: Config) -> Iterator[Problem]:
    length = config.workload.keyspace.length
    if config.target.memcache.base64_keys and length > LONGEST_IN_BASE64:
        yield Problem(
            (_KEY_LENGTH, (*_TABLE, "base64_keys")),
            ProblemCode.PROTOCOL_LIMIT,
            f"must be at most {LONGEST_IN_BASE64} in base64, not {length}",
        )


def _a_log_in_names_its_user(config: Config) -> Iterator[Problem]:
    target = config.target
    if PROTOCOLS[target.protocol].needs_username and target.has_password and not target.username:
        yield Problem(
            (_USERNAME, _PROTOCOL),
            ProblemCode.NO_USERNAME,
            "is missing: memcached takes a password with the name of a user only; add username",
        )
    if PROTOCOLS[target.protocol].needs_username and {" ", ":", "\0"} & set(target.username):
        yield Problem(
            (_USERNAME, _PROTOCOL),
            ProblemCode.BAD_CHARACTER,
            "has a space, a colon or a null, which no user of a memcached has; correct it",
        )


_RULES: tuple[Callable[[Config], Iterator[Problem]], ...] = (
    _each_key_fits_the_protocol,
    _silence_needs_a_number,
    _a_history_needs_replies,
    _base64_fits,
    _a_log_in_names_its_user,
)
