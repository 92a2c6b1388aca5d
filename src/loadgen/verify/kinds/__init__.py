"""The registry of kinds of cases: suites by name, and what a test type of a command line or a seed bank names.

A suite is the kinds that one verb runs. Each suite is a file beside this one, with a row in `SUITES`. That of written
cases is made with a spec file, which has them; the row here has none. Users' scenarios have no row: their suite is made
of the names, `module:function`, which no other test type has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from loadgen.errors import UsageError
from loadgen.escape import printable
from loadgen.faults.kinds import kind_named
from loadgen.verify.kinds import cases, chaos, fuzz, kv, oracle, properties, scenarios
from loadgen.verify.kinds.simulated import suite as simulated
from loadgen.verify.kinds.suite import Emit, Opened, Suite
from loadgen.verify.spec import Spec

__all__ = ["SUITES", "Emit", "Opened", "Selection", "Suite", "exactly", "filtered", "named", "selected", "suggestion"]

SUITES: dict[str, Suite] = {
    suite.name: suite
    for suite in (
        kv.SUITE,
        properties.SUITE,
        oracle.SUITE,
        cases.suite(Spec()),
        chaos.SUITE,
        fuzz.SUITE,
        simulated.SUITE,
    )
}
"""By name, every suite."""


MOST_NAMES = 20
"""Names that a suggestion lists; a spec file may have hundreds of cases."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What a test type names: some kinds of one suite."""

    suite: Suite
    kinds: tuple[str, ...]


def selected(word: str, suites: Mapping[str, Suite] | None = None) -> Selection:
    """Return the test of a type: a suite's name for all its kinds, a kind's, or another name that the suite has.

    The name of a scenario is a kind of its own. Of other names, case and the sign between words do not matter, and "is"
    may be left out: incr-monotonic is incr_is_monotonic. Raises UsageError for an unknown type, and for one that is no
    case: a load of `stress`, a fault of clients.
    """
    if scenarios.is_scenario(word):
        return Selection(scenarios.suite([word]), (word,))
    suites = SUITES if suites is None else suites
    wanted = _plain(word)
    for suite in suites.values():
        if _plain(suite.name) == wanted:
            return Selection(suite, suite.kinds)
    for suite in suites.values():
        for name, of_name in _names(suite).items():
            if _plain(name) == wanted:
                return Selection(suite, of_name)
    if elsewhere := _elsewhere(wanted):
        raise UsageError(f"{printable(word, 60)} is {elsewhere}.")
    names = [*suites, *(name for suite in suites.values() for name in _names(suite))]
    all_of = f"there are {', '.join(suites)}, and each of their tests"
    raise UsageError(f'there is no test type "{printable(word, 60)}"; {suggestion(word, names, all_of)}')


def filtered(suite: Suite, words: str) -> tuple[str, ...]:
    """Return the kinds of a suite that a list of words names, as `named` does."""
    return named(suite.name, suite.kinds, words)


def named(owner: str, names: Sequence[str], words: str, what: str = "test") -> tuple[str, ...]:
    """Return the names that a list such as "incr_monotonic,ttl" means. Raises UsageError for an unknown one.

    A word stands for the name that is alike, or for all names with the word in them. In messages, `owner` has the
    names, and each is of a `what`.
    """
    found: list[str] = []
    for word in filter(None, (part.strip() for part in words.split(","))):
        exact = [name for name in names if _plain(name) == _plain(word)]
        matching = exact or [name for name in names if _plain(word) in _plain(name)]
        if not matching:
            raise UsageError(f'{owner} has no {what} "{printable(word, 60)}"; {suggestion(word, names)}')
        found += matching
    if not found:
        raise UsageError(f"the filter names no {what}; {suggestion('', names)}")
    return tuple(name for name in names if name in found)


def exactly(suite: Suite, word: str) -> str:
    """Return the kind of a suite that a name stands for, as in `selected`. Raises ValueError with a sentence."""
    for kind in suite.kinds:
        if _plain(kind) == _plain(word):
            return kind
    raise ValueError(f'{suite.name} has no test "{printable(word, 60)}"; {suggestion(word, suite.kinds)}')


def suggestion(word: str, names: Sequence[str], otherwise: str = "") -> str:
    """Return "did you mean …?", or `otherwise` when none is similar, else the list of names, of many the first ones."""
    near = get_close_matches(word.lower()[:40].replace("-", "_"), names, n=3, cutoff=0.6)
    if near:
        return f"did you mean {' or '.join(near)}?"
    if otherwise:
        return f"{otherwise}."
    more = f", and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return f"there are {', '.join(names[:MOST_NAMES]) or 'none'}{more}."


def _elsewhere(word: str) -> str:
    """Return what a word of redlite-dst is that is no test type, as the rest of a sentence; empty for other words."""
    if word == "stress":
        return "loads and no cases: its report has the command that puts each of them on again"
    if kind_named(word) is not None:
        return f"a fault of clients: `loadgen chaos --faults {word} --seed N` draws the same trial again"
    return ""


def _names(suite: Suite) -> dict[str, tuple[str, ...]]:
    """Return what a test type may name in a suite, and the kinds of that."""
    return {**{kind: (kind,) for kind in suite.kinds}, **suite.names}


def _plain(word: str) -> str:
    words = word.lower().replace("-", "_").split("_")
    return "_".join(part for part in words if part != "is")
