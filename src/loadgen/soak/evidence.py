"""Evidence against evidence: what has grown between two captures of the same texts, so that a leak has a name. Pure.

Monitors keep texts (`Monitor.evidence`): descriptors by target, threads by name, a server's connections, its
statistics, stacks. Each is read as what it is by its form: lines that begin with a count, connections of redis, stacks
that are parted by empty lines, numbers with names, or else lines that differ in nothing but their numbers.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from loadgen.escape import printable

MOST_CHANGES = 200
"""Changes of one text that are written; the rest is counted."""

_LONGEST = 300
"""Characters of what has changed."""

_COUNTED = re.compile(r" *([0-9]{1,12}) {1,8}(\S.*)")
_CLIENT = re.compile(r"id=[0-9]+ addr=")
_NUMBER = re.compile(
    r"(?:STAT )?([A-Za-z_][\w.:{}\"=,/-]*|[0-9]+:\w+)(?::[ \t]*|[ \t]+|=)(-?[0-9]+(?:\.[0-9]+)?)(?: [a-zA-Z]+)?"
)
_DIGITS = re.compile(r"0x[0-9a-fA-F]+|[0-9]+")


@dataclass(frozen=True, slots=True)
class Change:
    """A thing that there is another number of than before, or a number with a name that is another."""

    what: str
    before: float
    now: float

    @property
    def growth(self) -> float:
        return self.now - self.before

    def __str__(self) -> str:
        return f"{self.what} {_signed(self.growth)}"


@dataclass(frozen=True, slots=True)
class Difference:
    """What has changed in a text."""

    file: str
    changes: tuple[Change, ...]
    """What has grown most is first; what has shrunk most is last."""

    @property
    def grown(self) -> tuple[Change, ...]:
        return tuple(change for change in self.changes if change.growth > 0)

    def text(self) -> str:
        """Return the changes as lines, for a file."""
        shown = self.changes
        if len(shown) > MOST_CHANGES:
            shown = (*shown[: MOST_CHANGES // 2], *shown[-MOST_CHANGES // 2 :])
        lines = [
            f"{_signed(each.growth):>12}  {_plain(each.before)} → {_plain(each.now)}  {each.what}" for each in shown
        ]
        if len(shown) < len(self.changes):
            lines.append(f"{len(self.changes) - len(shown)} smaller changes are left out")
        return "".join(f"{line}\n" for line in lines) or "nothing has changed\n"


def differences(before: Mapping[str, str], now: Mapping[str, str]) -> tuple[Difference, ...]:
    """Return the difference of each text that is in both captures."""
    return tuple(difference(file, before[file], text) for file, text in now.items() if file in before)


def difference(file: str, before: str, now: str) -> Difference:
    """Return what has changed in one text."""
    read = _reader(now or before)
    was, is_now = read(before), read(now)
    changes = [
        Change(printable(what, _LONGEST), was.get(what, 0), is_now.get(what, 0))
        for what in {**was, **is_now}
        if was.get(what, 0) != is_now.get(what, 0)
    ]
    return Difference(file, tuple(sorted(changes, key=lambda change: (-change.growth, change.what))))


def culprit(series: str, found: Sequence[Difference]) -> str:
    """Return who is behind the growth of a series, such as "tcp to 10.0.0.7:443, established +40"; empty: not known."""
    for pattern, files in _WITNESSES:
        if re.fullmatch(pattern, series):
            by_file = {each.file.rpartition(".")[0] or each.file: each for each in found}
            for file, names in files:
                grown = (
                    [change for change in by_file[file].grown if names.fullmatch(change.what)]
                    if file in by_file
                    else []
                )
                if grown:
                    return str(grown[0])
            return ""
    # Stacks and dumps of the user's own say most of what no other text is known to say anything of.
    grown = [each.grown[0] for each in found if each.file.startswith(_DUMPS) and each.grown]
    return str(max(grown, key=lambda change: change.growth)) if grown else ""


_ANY = re.compile(r".*", re.DOTALL)
_MEMORY = re.compile(
    r"(?:used_memory_(?:overhead|scripts|scripts_eval|lua|functions|vm_\w+)|mem_\w*(?:clients|replicas|cluster|aof|repl)\w*)"
)
_PAGES = re.compile(r"[0-9]+:total_pages")

_WITNESSES: Sequence[tuple[str, Sequence[tuple[str, re.Pattern[str]]]]] = (
    (r"fds|sockets|files|pipes|eventfds", (("descriptors", _ANY),)),
    (r"threads", (("threads", _ANY),)),
    (r"connected_clients|curr_connections", (("clients", _ANY), ("connections", _ANY), ("descriptors", _ANY))),
    (r"used_memory\w*|bytes|slab_pages|mem_\w+", (("info", _MEMORY), ("slabs", _PAGES))),
    (r"rss|pss|uss", (("info", _MEMORY), ("slabs", _PAGES), ("descriptors", _ANY))),
)
"""Which texts say what of which series, the best first, and which of the names in them count.

The list of connections says nothing of memory: theirs is a number of INFO, and what each did last changes by itself.
"""

_DUMPS = ("tasks", "stacks", "evidence", "goroutine")


# ── The forms of texts ────────────────────────────────────────────────────────────────────────────────────────────────


def _reader(text: str) -> Callable[[str], Mapping[str, float]]:
    """Return what reads texts of this one's form."""
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        return _by_shape
    # A heading may stand above a table.
    if all(map(_COUNTED.fullmatch, lines[1:] or lines)):
        return _counted
    if all(map(_CLIENT.match, lines)):
        return _clients
    if sum(map(bool, map(_NUMBER.fullmatch, lines))) >= len(lines) / 3:
        return _numbers
    if re.search(r"\n[ \t]*\n", text.strip()):
        return _stacks
    return _by_shape


def _counted(text: str) -> Mapping[str, float]:
    counts: Counter[str] = Counter()
    for line in text.splitlines():
        if row := _COUNTED.fullmatch(line):
            counts[row[2]] += int(row[1])
    # The heading of a table has the sum of all rows.
    return {what: count for what, count in counts.items() if what != "descriptors"}


def _clients(text: str) -> Mapping[str, float]:
    """Return connections by the host that they come from, their name, their library, and what they last did.

    https://redis.io/docs/latest/commands/client-list/
    """
    return Counter(_client(line) for line in text.splitlines() if line.strip())


def _client(line: str) -> str:
    fields = dict(word.partition("=")[::2] for word in line.split(" "))
    host = fields.get("addr", "?").rpartition(":")[0]
    words = [f"from {host}"]
    words += [f"{field} {fields[name]}" for field, name in (("name", "name"), ("of", "lib-name")) if fields.get(name)]
    words.append(f"last command {fields.get('cmd') or 'none'}")
    return "connections " + ", ".join(words)


def _numbers(text: str) -> Mapping[str, float]:
    found = (_NUMBER.fullmatch(line.strip()) for line in text.splitlines())
    return {row[1]: float(row[2]) for row in found if row}


def _stacks(text: str) -> Mapping[str, float]:
    """Return stacks that are the same but for numbers in them, by their first lines."""
    blocks = (block.strip() for block in re.split(r"\n[ \t]*\n", text))
    return Counter(_stack(block) for block in blocks if block)


_HEAD_LINES = 4
"""The lines by which stacks are told apart: a heading, and where it stands."""


def _stack(block: str) -> str:
    lines = (" ".join(_DIGITS.sub("#", line).split()) for line in block.splitlines()[:_HEAD_LINES])
    return " < ".join(lines)


def _by_shape(text: str) -> Mapping[str, float]:
    return Counter(" ".join(_DIGITS.sub("#", line).split()) for line in text.splitlines() if line.strip())


def _plain(value: float) -> str:
    return f"{value:.10g}"


def _signed(value: float) -> str:
    return f"{'+' if value >= 0 else '−'}{_plain(abs(value))}"
