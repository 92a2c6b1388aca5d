"""The names that a check can use where it stands, known before anything is measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from loadgen.judge.expression.dimension import Dimension
from loadgen.judge.expression.mistake import Mistake, cut, instead
from loadgen.judge.expression.syntax import Name, Selector


class Over(Enum):
    """What the points of a series are."""

    LEVEL = "a level"
    """The value at each time, such as memory."""
    INTERVALS = "a count of each interval"
    TOTAL = "a count that only grows"


@dataclass(frozen=True, slots=True)
class Known:
    """A name that there is."""

    dimension: Dimension
    """The dimension of its value, and of each point of its series."""
    meaning: str
    """For docs/CHECKS.md."""
    axes: tuple[str, ...] = ()
    """The axes that selectors can name a part of."""
    is_scalar: bool = True
    """True when the name has one value for all of the time."""
    over: Over | None = None
    """What the points of its series are; None when it has no series."""


@dataclass(frozen=True, slots=True)
class Axis:
    """The selectors of one kind, of which a name takes one."""

    words: tuple[str, ...] = ()
    """Selectors that are words: `get`, `set`."""
    counted: str = ""
    """The word of selectors with a number: `node` in `node 1`; empty where there is none."""
    most: int | None = None
    """The highest number; None where it is not known beforehand."""
    is_alone: bool = False
    """True when a value with a selector of this kind has no other selector."""
    has_every: bool = False
    """True when a selector can name every part, which are numbered from 1: `every node`."""


EVERY = "every"
"""What stands for the number where a selector names every part."""
MONITOR = "monitor"
"""The axis whose words are the names of monitors."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The names, and the axes by which they are selected. The words of the axes are all different.

    A name with a monitor's selector is that monitor's. Without one it is the name of `names`, else of the one monitor
    that has it.
    """

    names: Mapping[str, Known]
    axes: Mapping[str, Axis] = field(default_factory=dict)
    monitors: Mapping[str, Mapping[str, Known]] = field(default_factory=dict)
    """By selector of the axis MONITOR, the series that the monitor has."""

    def known(self, name: Name) -> Known | None:
        """Return what is known of a name; None where there is none of it, or several monitors have it."""
        monitor = self._monitor(name)
        return self.names.get(name.name) if monitor is None else self.monitors[monitor][name.name]

    def those_with(self, name: str) -> list[str]:
        """Return the monitors that have a series of this name."""
        return [monitor for monitor, series in self.monitors.items() if name in series]

    def all_names(self) -> list[str]:
        """Return every name, each once."""
        return [*dict.fromkeys([*self.names, *(name for series in self.monitors.values() for name in series)])]

    def _monitor(self, name: Name) -> str | None:
        """Return the monitor whose series a name is; None for a name of `names`, or of none or several monitors."""
        those = self.those_with(name.name)
        selected = next((selector.word for selector in name.selectors if selector.word in those), None)
        return selected or (those[0] if name.name not in self.names and len(those) == 1 else None)

    def chosen(self, name: Name, mistakes: list[Mistake]) -> dict[str, str | int]:
        """Return the selectors of a known name by axis, with the monitor whose series it is.

        What is wrong with them is added to `mistakes`.
        """
        monitor = self._monitor(name)
        of = self.names[name.name].axes if monitor is None else (MONITOR,)
        axes = {axis: self.axes[axis] for axis in of}
        found: dict[str, str | int] = {}
        for selector in name.selectors:
            its = self.monitors.get(selector.word, {name.name: None})
            axis = next((a for a, each in axes.items() if selector.word in (*each.words, each.counted)), None)
            if name.name not in its and (monitor is not None or axis is None):
                sentence = f"the monitor {selector.word} has no {name.name}; {instead(name.name, its, 'series')}"
                mistakes.append(Mistake(selector.at, sentence, is_unknown=True))
            elif axis is None:
                hint = instead(selector.word, _words(list(axes.values())), "selectors")
                sentence = f"{name.name} has no selector {cut(str(selector))}; {hint}"
                mistakes.append(Mistake(selector.at, sentence, is_unknown=True))
            elif wrong := _misnumbered(selector, axes[axis]):
                mistakes.append(Mistake(selector.at, wrong))
            elif axis in found:
                mistakes.append(Mistake(selector.at, f"{name.name} has two selectors of a {axis}; keep one of them"))
            elif found and any(axes[each].is_alone for each in (axis, *found)):
                sentence = f"{name.name} takes one selector here: a {axis}, or a {next(iter(found))}"
                mistakes.append(Mistake(selector.at, sentence))
            elif selector.is_every:
                found[axis] = EVERY
            else:
                found[axis] = selector.word if selector.number is None else selector.number
        return found if monitor is None else {MONITOR: monitor, **found}


def _words(axes: Sequence[Axis]) -> list[str]:
    return [word for axis in axes for word in (*axis.words, *[axis.counted] * bool(axis.counted))]


def _misnumbered(selector: Selector, axis: Axis) -> str:
    """Return what is wrong with a selector's number, or with its "every"; empty when nothing is."""
    word, number = selector.word, selector.number
    if selector.is_every:
        return "" if axis.has_every else f'"every {word}" names nothing here; write one {word}'
    if word != axis.counted:
        return f'"{word}" takes no number' if number is not None else ""
    if number is None:
        return f'"{word}" needs a number, such as "{word} 1"'
    if axis.most == 0:
        return f"there is no {word} here"
    if number < 1 or (axis.most is not None and number > axis.most):
        there = "there is one, 1" if axis.most == 1 else f"they are {f'1 to {axis.most}' if axis.most else '1, 2 …'}"
        return f"there is no {word} {number}; {there}"
    return ""
