"""The workers of a test by their numbers: started, killed, stopped, and started again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from loadgen.jobs.leader.process import Process
from loadgen.usage import Usage


class Workers:
    """The workers of a test, by number."""

    def __init__(self, start: Callable[[int], Process], note: Callable[[int, str], None]) -> None:
        self._start = start
        self._note = note
        self.living: dict[int, Process] = {}
        self._paused: set[int] = set()
        self.were_paused = False
        self.gone_cpu_ns = 0
        """The CPU time of workers that were killed, as it was read last."""

    def start(self, count: int) -> None:
        for number in range(1, count + 1):
            self.living[number] = self._start(number)

    def go(self) -> None:
        for process in self.living.values():
            process.tell("go")

    def ended(self) -> list[int]:
        """Return the workers that have ended by themselves."""
        return [number for number, process in self.living.items() if process.status() is not None]

    def kill(self, number: int) -> bool:
        """Kill a worker; return False for one that was dead."""
        process = self.living.pop(number, None)
        if process is None:
            return False
        lived, usage = process.status() is None, process.usage()
        self.gone_cpu_ns += usage.cpu_ns if usage is not None else 0
        process.close()
        return lived

    def restart(self, number: int, words: str) -> None:
        if number in self.living:
            self.living.pop(number).close()
        self.living[number] = self._start(number)
        self.living[number].tell("go")
        self._note(number, words)

    def pause(self, number: int) -> bool:
        """Stop a worker; return False for one that is dead."""
        if number not in self.living or self.living[number].status() is not None:
            return False
        self.living[number].pause()
        self._paused.add(number)
        self.were_paused = True
        return True

    def resume(self, number: int) -> None:
        if number in self.living:
            self.living[number].resume()
        self._paused.discard(number)

    def usage(self) -> dict[int, Usage]:
        """Return the use of each worker that lives."""
        return {number: found for number, each in self.living.items() if (found := each.usage()) is not None}

    def stop(self, timeout_s: float) -> Iterator[int]:
        """Have all workers end; yield those that had to be killed."""
        for number in [*self._paused]:
            self.resume(number)
        for process in self.living.values():
            process.begin_stop()
        until_s = time.monotonic() + timeout_s
        for number, process in self.living.items():
            if not process.await_end(max(0.0, until_s - time.monotonic())):
                process.kill()
                yield number
