"""The codec of memcache's replies."""

from __future__ import annotations

from collections.abc import Sequence

from loadgen._memcache import Memcache
from loadgen.verify.fuzz.examined import Examined
from loadgen.verify.fuzz.targets import codec

_CODEC = Memcache()


def examine(commands: Sequence[str], data: bytes) -> Examined:
    """Decode a stream of replies to commands, whole and cut."""
    whole = codec.said(_CODEC, commands, [data])
    return codec.cut(_CODEC, commands, data, whole) or Examined(codec.states(whole))
