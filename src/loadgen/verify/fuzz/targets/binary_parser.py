"""The codec of memcache's binary replies: of requests that are answered, and of a load's silent ones."""

from __future__ import annotations

from collections.abc import Sequence

from loadgen._binary import MemcacheBinary
from loadgen.verify.fuzz.examined import Examined
from loadgen.verify.fuzz.targets import codec

_CODEC = MemcacheBinary()
_QUIET = MemcacheBinary(quiet=True)


def examine(commands: Sequence[str], data: bytes) -> Examined:
    """Decode a stream of replies to commands, whole and cut."""
    whole = codec.said(_CODEC, commands, [data])
    if (wrong := codec.cut(_CODEC, commands, data, whole)) is not None:
        return wrong
    silent = codec.said(_QUIET, commands, [data], in_load=True)
    return codec.cut(_QUIET, commands, data, silent, in_load=True) or Examined(codec.states(whole))
