"""What a job of a load test does, as a value that travels in the job's payload. Pure."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from hashlib import blake2b


class Act(StrEnum):
    """What a body does beside its work."""

    WORK = "work"
    RAISE = "raise"
    """It raises in every attempt."""
    HANG = "hang"
    """It never returns."""
    KILL = "kill"
    """It kills its worker by SIGKILL."""
    UNSTORABLE = "unstorable"
    """It returns what cannot be stored."""


@dataclass(frozen=True, slots=True)
class Work:
    """The work of one job."""

    n: str
    """The job's id in the ledger."""
    work_ns: int = 10_000_000
    """How long an execution takes."""
    busy: bool = False
    """True: it takes CPU time; False: it sleeps, as a job that waits for another system."""
    fail_p: float = 0.0
    """The probability with which an attempt raises, after its work."""
    act: Act = Act.WORK
    seed: int = 0
    padding: str = ""
    """What makes the payload as long as was asked for."""

    def to_json(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"))

    @staticmethod
    def of(data: dict[str, object]) -> Work:
        """Return the work of a decoded payload. Raises TypeError or ValueError for what is none."""
        work = Work(**data)  # type: ignore[arg-type]
        return work if isinstance(work.act, Act) else Work(**{**data, "act": Act(work.act)})

    def fails(self, execution: str) -> bool:
        """Return True when an execution, named by its attempt or by chance, is to raise."""
        if self.fail_p <= 0.0:
            return False
        digest = blake2b(f"{self.seed} {self.n} {execution}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") < self.fail_p * 2.0**64
