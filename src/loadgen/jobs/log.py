"""Log lines of queues, in JSON: one object a line, with level and message, on standard error or in a file."""

from __future__ import annotations

import json
import logging
import os
from datetime import UTC, datetime

from loadgen.errors import UsageError
from loadgen.jobs.worker import LOG

FILE = "LOADGEN_JOBS_LOG"
"""The variable of the environment that names a file for the log lines, to which any number of processes append."""

LEVELS = ("debug", "info", "warning", "error")


class _Line(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(
            {
                "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
                "level": record.levelname,
                "message": record.getMessage(),
                "pid": os.getpid(),
            },
            ensure_ascii=False,
        )


def configure(level: str) -> None:
    """Have the queues of this process write log lines of a level and those above; empty: none.

    Raises UsageError for a level that there is not.
    """
    if not level:
        LOG.addHandler(logging.NullHandler())
        LOG.propagate = False
        return
    if level.lower() not in LEVELS:
        raise UsageError(f"there is no log level {level}; those are {', '.join(LEVELS)}.")
    file = os.environ.get(FILE)
    lines = logging.FileHandler(file, encoding="utf-8") if file else logging.StreamHandler()
    lines.setFormatter(_Line())
    LOG.addHandler(lines)
    LOG.setLevel(level.upper())
    LOG.propagate = False
