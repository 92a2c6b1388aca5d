"""Go and no-go of a soak: another's signal is obeyed, and its own is served, where that is asked for."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from loadgen.errors import TargetError
from loadgen.escape import printable
from loadgen.soak.observed_signal import TIMEOUT_S, ObservedSignal
from loadgen.soak.served_signal import ServedSignal
from loadgen.soak.signal import Told


class Go:
    """Both directions, as a context manager. `may_go` and `tell` never wait."""

    def __init__(self, obeys: str = "", serves: tuple[str, int] | None = None) -> None:
        """`obeys` is a URL, `serves` a host and a port; without them, it is always "go", and nobody is told.

        Raises TargetError when the URL gives no signal, or when the port cannot be listened on.
        """
        self._served = ServedSignal(serves[1], serves[0]) if serves is not None else None
        self._observed = ObservedSignal(obeys) if obeys else None
        if self._observed is not None:
            first = self._observed.first(2 * TIMEOUT_S)
            if first is None or first.unanswered:
                why = f" ({first.why})" if first is not None and first.why else ""
                self.close()
                raise TargetError(f"{printable(obeys)} gives no go/no-go signal{why}: is its server running?")

    @property
    def url(self) -> str:
        """Where the signal is served; empty where it is not."""
        return self._served.url if self._served is not None else ""

    def may_go(self) -> tuple[bool, str]:
        """Return False when the load is to pause, and why."""
        if self._observed is None:
            return True, ""
        now = self._observed.now
        return now.go, now.why

    def tell(self, state: str, wrong: Sequence[str], facts: Mapping[str, Any] | None = None) -> None:
        """Serve this state, as a no-go where something is wrong; `wrong` has a sentence for each."""
        if self._served is not None:
            self._served.tell(Told(not wrong, state, time.monotonic(), tuple(wrong), facts or {}))

    def close(self) -> None:
        for each in (self._observed, self._served):
            if each is not None:
                each.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
