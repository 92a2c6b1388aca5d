"""The reader of a verb's options. It reads all of them together, as the meaning of a flag can depend on the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from loadgen.cli.flags import memtier
from loadgen.cli.flags.address import GivenTarget, read_credentials, target_of
from loadgen.cli.flags.mix import read_mix, read_ratio
from loadgen.cli.flags.named_tests import REQUESTS, NamedTest, tests_of
from loadgen.cli.options import Given, Word, ended
from loadgen.config import Flag
from loadgen.errors import UsageError
from loadgen.plan import Weights

# Defaults without a file: an answer within seconds, over as many connections as other tools open.
WITHOUT_FILE: dict[str, object] = {
    "general.warmup": "1s",
    "general.duration": "10s",
    "connection.connections": 50,
}

_REQUESTS = "general.requests"
_MEMTIER_RATIO = Weights(set=1, get=10)
"""memtier's default of --ratio."""


@dataclass(frozen=True, slots=True)
class Flags:
    """The load that a command line describes."""

    keys: dict[str, Flag]
    """Keys of the configuration, without the server's address."""
    target: GivenTarget
    tests: tuple[NamedTest, ...] = ()
    """The tests to run one after another; empty for one load of the configuration's mix."""
    remarks: tuple[str, ...] = ()
    """Remarks on the flags for the user, one sentence each."""

    def __bool__(self) -> bool:
        return bool(self.keys or self.target.address or self.target.file or self.tests)

    def having(self, keys: Mapping[str, Flag]) -> Flags:
        """Return the same flags with further keys."""
        return replace(self, keys={**self.keys, **keys})


def flags_of(given: Given) -> Flags:
    """Return the meaning of a verb's options. Raises UsageError for a contradiction or an invalid value."""
    is_memtier = memtier.signs(given)
    target = target_of(given, memtier=is_memtier)
    is_memtier = is_memtier or (target.address.host is not None and target.address.host is given.word("server"))
    keys: dict[str, Flag] = {}
    for word in given.words:
        if word.option.key:
            keys[word.option.key] = Flag(word.spelling, word.value)
        elif word.option.name == "authenticate":
            keys |= read_credentials(word)
        elif word.option.name == "tls_protocols":
            keys |= memtier.tls_versions(word)
        elif word.option.name in ("key_minimum", "key_maximum") and (count := memtier.key_count(given)) is not None:
            keys |= dict([count])
    if "verdict.failures" in keys:
        # One flag bounds both failed requests and failed connections.
        keys["verdict.connections"] = keys["verdict.failures"]
    tests = _tests(given, keys)
    weights, remarks = _mix(given)
    keys |= weights
    if tests and weights:
        blamed, named = next(iter(weights.values())).option, given.word("tests")
        assert named is not None, "tests are named"
        raise UsageError(f"{named.spelling} runs each test by itself, and {blamed} mixes commands: keep one of them.")
    if tests and given.config is None and not keys.keys() & {_REQUESTS, "general.duration"}:
        keys[_REQUESTS] = Flag("-t", REQUESTS)
    if is_memtier:
        keys |= memtier.totals(given, keys)
    if _REQUESTS in keys:
        for key in ("general.warmup", "general.duration"):
            # The file's warm-up and duration do not count either: a typed number of requests is sent in full.
            keys.setdefault(key, Flag(keys[_REQUESTS].option, 0))
    return Flags(keys, target, tests, remarks)


def _tests(given: Given, keys: dict[str, Flag]) -> tuple[NamedTest, ...]:
    word = given.word("tests")
    if word is None:
        return ()
    try:
        tests = tests_of(str(word.value))
    except ValueError as error:
        raise UsageError(ended(f"{word.spelling}: {error}")) from None
    protocol = keys.get("target.protocol")
    if any(test.weights is None for test in tests) and protocol is not None and protocol.value not in ("resp", "ping"):
        raise UsageError(
            f"{word.spelling}: ping is sent over RESP2 only; leave out {protocol.option}, or the test ping."
        )
    return tests


def _mix(given: Given) -> tuple[dict[str, Flag], tuple[str, ...]]:
    """Return the keys of the last of --mix and --ratio, and remarks on it."""
    words = [word for word in given.words if word.option.name in ("mix", "ratio")]
    several = given.word("multi_key_get")
    if several is not None and int(several.value) > 1:
        return _several(several, words[-1] if words else None)
    if not words:
        return {}, ()
    word = words[-1]
    is_ratio = word.option.name == "ratio"
    try:
        weights = read_ratio(word.value) if is_ratio else read_mix(word.value)
    except ValueError as error:
        raise UsageError(ended(f"{word.spelling}: {error}")) from None
    keys = {f"workload.commands.{name}": Flag(word.spelling, weight) for name, weight in weights.items()}
    if not (is_ratio and weights["set"] > weights["get"]):
        return keys, ()
    unambiguous = f"--mix set={weights['set']},get={weights['get']} is unambiguous"
    return keys, (f"{word.spelling} {word.value}: SET:GET, as in memtier; {unambiguous}",)


def _several(several: Word, word: Word | None) -> tuple[dict[str, Flag], tuple[str, ...]]:
    """Return the keys of --multi-key-get, and a remark on what they come to."""
    if word is not None and word.option.name == "mix":
        raise UsageError(
            f"{several.spelling} makes MGETs of the GETs of --ratio, and {word.spelling} names commands: write "
            f"{word.spelling} mget=4,set=1 with --set workload.keys_per_request={several.value}."
        )
    try:
        ratio = read_ratio(str(word.value)) if word is not None else _MEMTIER_RATIO
    except ValueError as error:
        assert word is not None, "the default is a ratio"
        raise UsageError(ended(f"{word.spelling}: {error}")) from None
    if not ratio["get"]:
        raise UsageError(f"{several.spelling}: this --ratio has no GET; leave out one of them.")
    weights, each = memtier.of_several_keys(ratio, int(several.value))
    keys = {f"workload.commands.{name}": Flag(several.spelling, weight) for name, weight in weights.items()}
    parts = f"{weights['set']}:{weights['mget']}"
    remark = f"{several.spelling} {several.value}: SET:MGET is {parts}, with {each} keys in each MGET"
    return {**keys, "workload.keys_per_request": Flag(several.spelling, each)}, (remark,)
