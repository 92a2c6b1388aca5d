"""Reasons from records: sentences, and the codes that stand beside them. No I/O."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import repeat

from loadgen.reason import Code, Reason
from loadgen.record.read.fields import Fields
from loadgen.severity import Severity


def reasons(record: Fields, name: str, severity: Severity = Severity.GOOD) -> tuple[Reason, ...]:
    """Return the reasons of a field, all of one severity. An older or newer loadgen's may have the code UNNAMED."""
    codes = [*record.may("codes", {}).get(name, ())]
    sentences = record.texts(name)
    return tuple(
        Reason(_code(code), words, severity)
        for code, words in zip([*codes, *repeat("", len(sentences) - len(codes))], sentences, strict=False)
    )


def reason(record: Fields, name: str, severity: Severity) -> tuple[Reason, ...]:
    """Return the reason of a field that holds one sentence; empty when the field is null."""
    words = record.text(name)
    return (Reason(_code(record.may("codes", {}).get(name, "")), words, severity),) * bool(words)


def without(said: Iterable[Reason], others: Iterable[Reason]) -> tuple[Reason, ...]:
    """Return the reasons whose words are in none of the others."""
    known = {other.words for other in others}
    return tuple(one for one in said if one.words not in known)


def _code(written: object) -> Code:
    try:
        return Code(str(written))
    except ValueError:
        return Code.UNNAMED
