"""What is said of a result, out of a record: its sentences, with the codes that stand beside them. No I/O."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import repeat

from loadgen.reason import Code, Reason
from loadgen.record.read.fields import Fields
from loadgen.severity import Severity


def reasons(record: Fields, name: str, severity: Severity = Severity.GOOD) -> tuple[Reason, ...]:
    """The sentences of a field, which are of one severity. UNNAMED where an older or a newer loadgen wrote them."""
    codes = [*record.may("codes", {}).get(name, ())]
    sentences = record.texts(name)
    return tuple(
        Reason(_code(code), words, severity)
        for code, words in zip([*codes, *repeat("", len(sentences) - len(codes))], sentences, strict=False)
    )


def reason(record: Fields, name: str, severity: Severity) -> tuple[Reason, ...]:
    """The same for a field that holds one sentence, or null."""
    words = record.text(name)
    return (Reason(_code(record.may("codes", {}).get(name, "")), words, severity),) * bool(words)


def without(said: Iterable[Reason], others: Iterable[Reason]) -> tuple[Reason, ...]:
    """Those whose words none of the others has."""
    known = {other.words for other in others}
    return tuple(one for one in said if one.words not in known)


def _code(written: object) -> Code:
    try:
        return Code(str(written))
    except ValueError:
        return Code.UNNAMED
