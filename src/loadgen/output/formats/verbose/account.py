"""The lines that the end of a run and of a search share: accounts that do not add up, and the verdict."""

from __future__ import annotations

from loadgen.events import LoadEnded
from loadgen.output.words import sentences


def balance(event: LoadEnded) -> list[str]:
    accounts = sentences.accounts(event)
    return [accounts] if accounts else []


def verdict(event: LoadEnded) -> list[str]:
    warnings = (f"warning: {warning}" for warning in sentences.warnings(event))
    return [*warnings, *(f"verdict: {words}" for words in sentences.verdict(event))]
