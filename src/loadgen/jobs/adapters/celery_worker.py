"""Celery's application as its workers load it: one task, which executes the job body."""

from __future__ import annotations

import json
import os
import random
from typing import Any

from celery.signals import worker_ready

from loadgen.jobs.adapters.adapter import JOB, Setup
from loadgen.jobs.adapters.celery import application
from loadgen.jobs.load.body import execute, say_ready

# Celery prints some words to standard output although it was told to be quiet.
os.dup2(2, 1)
SETUP = Setup.told()
app = application(SETUP)


def job(task: Any, data: str) -> object:
    """Execute a job, and ask for another attempt where it fails."""
    attempt = task.request.retries + 1
    try:
        return execute(json.loads(data), attempt)
    except Exception as error:
        wait_ns = SETUP.terms.backoff.wait_ns(attempt, random.random())
        raise task.retry(exc=error, countdown=wait_ns / 1e9) from None


app.task(job, bind=True, name=JOB, max_retries=SETUP.terms.max_attempts - 1)


def _on_ready(**_: object) -> None:
    """The pool stands, and fetching begins."""
    say_ready()


worker_ready.connect(_on_ready)
