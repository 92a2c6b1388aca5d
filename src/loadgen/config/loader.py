"""The reader of a configuration: a file, a server file over it, flags over both, and `--set` over all.

All problems are reported at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import tomli
from pydantic import ValidationError

from loadgen.config.caution import cautions
from loadgen.config.contradictions import contradictions
from loadgen.config.document.document import Document
from loadgen.config.document.origin import Flag, Origin
from loadgen.config.document.problem import Problem, problems_in
from loadgen.config.document.toml_file import MAX_NESTING, nested, read
from loadgen.config.foreign import as_theirs
from loadgen.config.server_file import lay_over
from loadgen.config.server_urls import take_apart
from loadgen.config.tables.refused import ProblemCode
from loadgen.config.tables.schema import Config
from loadgen.config.tables.table import Path as KeyPath
from loadgen.config.tables.tree import dotted
from loadgen.errors import ConfigError

_ENDPOINTS = ("target", "endpoints")

MOST_SHOWN = 50
"""The most problems in one error: a user mends the first ones before reading more."""

LONGEST_SHOWN = 1000
"""The longest problem, in characters; the rest is cut off."""

_SERVER = ("target", "server")


@dataclass(frozen=True, slots=True)
class Located:
    """A problem at its place."""

    order: tuple[int, int, int]
    """The order of the place among others."""
    where: str
    """`bench.toml:7:1`, `--connections`, `--set`."""
    words: str
    """The key and the sentence; the sentence alone after a flag, which names the key by itself."""
    code: ProblemCode


@dataclass(frozen=True, slots=True)
class Checked:
    """A configuration that was read and checked, with the problems found."""

    config: Config
    document: Document
    problems: tuple[Located, ...]
    unreadable: tuple[str, ...]
    """A sentence for each file that cannot be read."""
    malformed: tuple[str, ...]
    """A sentence for each malformed `--set`."""


def load(
    path: Path | None,
    overrides: Sequence[str] = (),
    flags: Mapping[str, object] | None = None,
    server: Path | None = None,
) -> Config:
    """Return the configuration of `path`, all defaults when None, overridden by a server file and the command line.

    `server` is a file with a [target] alone, which replaces the [target] of `path`. `flags` maps dotted keys to values,
    or to `Flag`s that also name the option. `overrides` are the words after each `--set`, "TABLE.KEY=VALUE": the value
    is TOML, or text when it is no TOML, as in `general.duration=10s`. When a key is given twice, a flag wins over the
    files, `--set` over a flag, and a later `--set` over an earlier one.

    Raises ConfigError with every problem found. `warnings` of the result names the keys that are not acted on.
    """
    checked = check(path, overrides, flags, server)
    source = str(path or server or "the command line")
    if checked.unreadable or checked.problems or checked.malformed:
        raise ConfigError([*checked.unreadable, *_sentences(checked.problems, source), *checked.malformed])
    config, of_another_tool = as_theirs(checked.config, checked.document)
    warned = [*cautions(config, checked.document), *of_another_tool]
    return config.warned(tuple(_sentences(_located(warned, checked.document, source), source)))


def check(
    path: Path | None,
    overrides: Sequence[str] = (),
    flags: Mapping[str, object] | None = None,
    server: Path | None = None,
) -> Checked:
    """Read and check a configuration as `load` does, and return the problems with their codes, in order."""
    document = Document()
    unreadable: list[str] = []
    for file, add in ((path, document.add_file), (server, partial(lay_over, document))):
        try:
            if file is not None:
                add(read(file))
        except ConfigError as error:
            unreadable += error.problems
    malformed = _add_command_line(document, overrides, flags or {})
    document.problems += take_apart(document)

    # While a file is unreadable, the command line may seem to contradict itself: the rules between keys do not apply.
    config, problems = _validate(document, rules_hold=not unreadable)
    located = _located(problems, document, str(path or server or "the command line"))
    return Checked(config, document, tuple(located), tuple(unreadable), tuple(malformed))


def _add_command_line(document: Document, overrides: Sequence[str], flags: Mapping[str, object]) -> list[str]:
    """Add flags and `--set` to the document; return a sentence for each malformed `--set`."""
    given: list[tuple[KeyPath, object, Origin]] = []
    for index, (key, given_value) in enumerate(flags.items()):
        flag = given_value if isinstance(given_value, Flag) else Flag("the command line", given_value)
        given.append((tuple(key.split(".")), flag.value, Origin.by_flag(index, flag.option, key)))
    malformed = []
    for index, override in enumerate(overrides):
        try:
            set_path, value = parse_override(override)
        except ValueError as error:
            malformed.append(str(error))
        else:
            given.append((set_path, value, Origin.by_set(index, dotted(set_path))))
    # A server named on the command line replaces that of the files, and does not contradict it.
    for named, instead_of in ((_ENDPOINTS, _SERVER), (_SERVER, _ENDPOINTS)):
        if any(key_path[: len(named)] == named for key_path, _, _ in given):
            document.drop(instead_of)
    for key_path, value, origin in given:
        document.add(key_path, value, origin)
    return malformed


def parse_override(text: str) -> tuple[tuple[str, ...], object]:
    """Return the key and the value of "TABLE.KEY=VALUE". Raises ValueError with a whole sentence."""
    key, equals, value = text.partition("=")
    shape = "write --set TABLE.KEY=VALUE, such as --set general.duration=10s"
    if not equals:
        raise ValueError(f"--set {_printable(text)}: has no equals sign; {shape}")
    try:
        tree: object = tomli.loads(f"{key} = 0")
    except ValueError:
        raise ValueError(f"--set {_printable(text)}: has no valid key before the equals sign; {shape}") from None
    path: list[str] = []
    while isinstance(tree, dict) and len(tree) == 1:
        [(name, tree)] = tree.items()
        path.append(name)
    # A list of tables, such as `fault`, is no key of a table.
    least = 1 if value.lstrip().startswith("[") else 2
    if tree != 0 or not least <= len(path) <= MAX_NESTING:
        raise ValueError(f"--set {_printable(text)}: does not name a table and a key; {shape}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"--set {_printable(text)}: is not UTF-8; write it in your terminal's UTF-8 locale") from None
    typed = _typed(value)
    if nested(typed, MAX_NESTING):
        raise ValueError(f"--set {_printable(key)}: has a value that is nested deeper than any key takes; {shape}")
    return tuple(path), typed


def _typed(text: str) -> object:
    try:
        tree = tomli.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    # A value with a line end may have added further keys.
    return tree["value"] if len(tree) == 1 else text


def _printable(text: str) -> str:
    return text.encode(errors="backslashreplace").decode()


def _validate(document: Document, rules_hold: bool) -> tuple[Config, list[Problem]]:
    """Return the configuration and every problem; contradictions between keys only if `rules_hold`.

    Keys that are wrong by themselves have their defaults in the configuration.
    """
    problems = list(document.problems)
    known = {path for path, _ in document.values()}
    bad: set[KeyPath] = set()
    while True:
        try:
            config = Config.model_validate(document.without(bad))
            break
        except ValidationError as error:
            found = [_in_document(problem, bad) for problem in problems_in(error)]
        # A table may be wrong only because a wrong key was left out of it: that is no problem of its own.
        problems += [problem for problem in found if not any(_within(wrong, problem.paths[0]) for wrong in bad)]
        # What is wrong is left out and the rest is checked again, so that one attempt finds every problem.
        bad |= {_removable(problem.paths[0], known, bad) for problem in found}
    for contradiction in contradictions(config) if rules_hold else ():
        placed = _in_document(contradiction, bad)
        if not any(_is_due_to(wrong, path) for path in placed.paths for wrong in bad):
            problems.append(placed)
    return config, problems


def _in_document(problem: Problem, left_out: set[KeyPath]) -> Problem:
    """Return a problem of the tree without what was left out, with the indices that elements have in the document."""
    return replace(problem, paths=tuple(_counted(path, left_out) for path in problem.paths))


def _counted(path: KeyPath, left_out: set[KeyPath]) -> KeyPath:
    whole: KeyPath = ()
    for part in path:
        if isinstance(part, int):
            place = part
            for gone in sorted(each[-1] for each in left_out if each[:-1] == whole and isinstance(each[-1], int)):
                place += gone <= place
            whole = (*whole, place)
        else:
            whole = (*whole, part)
    return whole


def _is_due_to(wrong: KeyPath, path: KeyPath) -> bool:
    """True where a contradiction at `path` may come of what was left out: it is there, or at the list around it."""
    return _within(path, wrong) or (isinstance(wrong[-1], int) and path == wrong[:-1])


def _within(path: KeyPath, outer: KeyPath) -> bool:
    return path[: len(outer)] == outer


def _removable(path: KeyPath, present: set[KeyPath], bad: set[KeyPath]) -> KeyPath:
    """Return what to leave out for an error at `path`: the key itself, or the element, list or table around it.

    A table of a list is left out whole: without one of its keys, others of them may seem to be wrong.
    """
    table = next((place for place, part in enumerate(path, 1) if isinstance(part, int)), len(path))
    path = path[:table]
    while path not in present or path in bad:
        assert path, "an empty document is valid"
        path = path[:-1]
    return path


def _located(problems: list[Problem], document: Document, source: str) -> list[Located]:
    """Return the problems, each at its place, sorted by place."""
    located = []
    for problem in problems:
        # Of contradicting keys, the first that the user wrote gives the place.
        path = next((path for path in problem.paths if path in document.origins), problem.paths[0])
        exact = problem.origin or document.origins.get(path)
        origin = exact or document.origin(path)
        key = exact.key if exact else dotted(path)
        place = (origin.order, origin.where) if origin else ((-1, 0, 0), source)
        sentence = problem.sentence
        if origin is not None and origin.typed:
            # A shell removes quotes.
            sentence = sentence.replace(", without quotes", "")
        # A flag names the key by itself, as the user typed it.
        words = sentence if origin is not None and origin.flag else f"{key}: {sentence}"
        located.append(Located(*place, words, problem.code))
    # Problems at one place, such as those of an expression, keep their order.
    return sorted(located, key=lambda found: (found.order, found.where))


def _sentences(problems: Sequence[Located], source: str) -> list[str]:
    """Return whole sentences, each with its place."""
    sentences = [_cut(f"{problem.where}: {problem.words}") for problem in problems]
    if len(sentences) > MOST_SHOWN:
        sentences[MOST_SHOWN:] = [f"{source}: and {len(sentences) - MOST_SHOWN:,} more problems"]
    return sentences


def _cut(sentence: str) -> str:
    return sentence if len(sentence) <= LONGEST_SHOWN else f"{sentence[:LONGEST_SHOWN]}…"
