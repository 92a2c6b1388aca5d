"""A verb's options, read as a whole: which tool's meaning a flag has can depend on its neighbours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from loadgen.cli.flags import memtier
from loadgen.cli.flags.address import GivenTarget, read_credentials, target_of
from loadgen.cli.flags.mix import COMMANDS, read_mix, read_ratio
from loadgen.cli.flags.named_tests import REQUESTS, NamedTest, tests_of
from loadgen.cli.options import Given, ended
from loadgen.config import Flag
from loadgen.errors import UsageError

# Somebody who gives no file wants an answer in seconds, over as many connections as other tools open.
WITHOUT_FILE: dict[str, object] = {
    "general.warmup": "1s",
    "general.duration": "10s",
    "connection.connections": 50,
}

_REQUESTS = "general.requests"


@dataclass(frozen=True, slots=True)
class Flags:
    """All that a command line says of a load."""

    keys: dict[str, Flag]
    """Keys of the configuration, but for the server's address."""
    target: GivenTarget
    tests: tuple[NamedTest, ...] = ()
    """To be run one after another; empty for one load of the configuration's mix."""
    remarks: tuple[str, ...] = ()
    """What whoever typed the flags should know, one sentence each."""

    def __bool__(self) -> bool:
        return bool(self.keys or self.target.address or self.target.file or self.tests)

    def having(self, keys: Mapping[str, Flag]) -> Flags:
        """The same, with further keys."""
        return replace(self, keys={**self.keys, **keys})


def flags_of(given: Given) -> Flags:
    """Reads a verb's options. Raises UsageError where they contradict each other, or a value is none."""
    is_memtier = memtier.signs(given)
    target = target_of(given, memtier=is_memtier)
    is_memtier = is_memtier or (target.address.host is not None and target.address.host is given.word("server"))
    keys = dict(target.keys)
    for word in given.words:
        if word.option.key:
            keys[word.option.key] = Flag(word.spelling, word.value)
        elif word.option.name == "authenticate":
            keys |= read_credentials(word)
        elif word.option.name in ("key_minimum", "key_maximum") and (count := memtier.key_count(given)) is not None:
            keys |= dict([count])
    if "verdict.failures" in keys:
        # One flag accepts what failed of either kind.
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
            # Nor does a file's count: whoever types a number wants as many.
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
    """The keys of the last of --mix and --ratio, and what to know about it."""
    words = [word for word in given.words if word.option.name in ("mix", "ratio")]
    if not words:
        return {}, ()
    word = words[-1]
    is_ratio = word.option.name == "ratio"
    try:
        weights = read_ratio(word.value) if is_ratio else read_mix(word.value)
    except ValueError as error:
        raise UsageError(ended(f"{word.spelling}: {error}")) from None
    keys = {f"workload.commands.{name}": Flag(word.spelling, getattr(weights, name)) for name in COMMANDS}
    if not (is_ratio and weights.set > weights.get):
        return keys, ()
    unambiguous = f"--mix set={weights.set},get={weights.get} is unambiguous"
    return keys, (f"{word.spelling} {word.value}: SET:GET, as in memtier; {unambiguous}",)
