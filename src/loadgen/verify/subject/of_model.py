"""The model as a subject, at the time of this host's clock and of the waits that it was told."""

from __future__ import annotations

import time
from collections.abc import Sequence

from loadgen.errors import TargetError
from loadgen.protocol import Wire
from loadgen.verify.model import memcache, redis
from loadgen.verify.reply import Reply
from loadgen.verify.step import Step
from loadgen.verify.subject.subject import Capabilities, Restart

_NS_PER_MS = 1_000_000


class ModelSubject:
    """The model of the wire's server. It is this process's own: a step's time to wait passes for the model alone."""

    capabilities = Capabilities()
    name = "model"

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.identity = f"loadgen's model of {'redis 7.0' if wire is Wire.RESP else 'memcached 1.6'}"
        self._model = self._fresh()
        self._waited_ns = 0

    def _fresh(self) -> redis.Model | memcache.Model:
        return redis.Model() if self.wire is Wire.RESP else memcache.Model()

    def ask(self, steps: Sequence[Step]) -> list[Reply]:
        replies = []
        for step in steps:
            replies.append(self._model.ask(step.command, time.time_ns() + self._waited_ns, step.connection))
            self._waited_ns += step.wait_ms * _NS_PER_MS
        return replies

    def reset(self, keys: Sequence[bytes]) -> None:
        self._model = self._fresh()
        self._waited_ns = 0

    def restart(self, how: Restart) -> int:
        raise TargetError("The model has no process to restart.")
