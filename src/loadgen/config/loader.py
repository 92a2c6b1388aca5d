"""Reads a configuration: a file, a server file over it, flags over these, and `--set` over all; every problem found is
reported at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from loadgen.config.tables.schema import Config
from loadgen.config.tables.table import Path as KeyPath
from loadgen.config.tables.tree import dotted
from loadgen.errors import ConfigError

_ENDPOINTS = ("target", "endpoints")

MOST_SHOWN = 50
"""Of problems: nobody reads more before the first are mended."""

LONGEST_SHOWN = 1000
"""Of a problem, in characters."""

_SERVER = ("target", "server")


def load(
    path: Path | None,
    overrides: Sequence[str] = (),
    flags: Mapping[str, object] | None = None,
    server: Path | None = None,
) -> Config:
    """The configuration of `path`, or all defaults when None, as overridden by a server file and the command line.

    `server` is a file with a [target] alone, which takes the place of the one in `path`. `flags` maps dotted keys to
    values, or to `Flag`s that also say which option gave them. `overrides` are what follows `--set`, "TABLE.KEY=VALUE":
    the value is TOML, or text when it is no TOML, as in `general.duration=10s`. Where two give the same key, a flag
    wins over the files, and `--set` over a flag; of two `--set`, the later.

    Raises ConfigError with every problem found. `warnings` of the result has what is not acted on.
    """
    document = Document()
    unreadable: list[str] = []
    for file, add in ((path, document.add_file), (server, partial(lay_over, document))):
        try:
            if file is not None:
                add(read(file))
        except ConfigError as error:
            unreadable += error.problems
    malformed = _add_command_line(document, overrides, flags or {})

    # What the command line says may only contradict itself because the file that it goes with could not be read.
    config, problems = _validate(document, rules_hold=not unreadable)
    source = str(path or server or "the command line")
    if unreadable or problems or malformed:
        raise ConfigError([*unreadable, *_in_order(problems, document, source), *malformed])
    config, of_another_tool = as_theirs(config, document)
    return config.warned(tuple(_in_order([*cautions(config, document), *of_another_tool], document, source)))


def _add_command_line(document: Document, overrides: Sequence[str], flags: Mapping[str, object]) -> list[str]:
    """Adds flags and `--set`, and returns a sentence for each of the latter that is malformed."""
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
    # Whoever names another server than the files do wants that one, and not to be told of a contradiction.
    for named, instead_of in ((_ENDPOINTS, _SERVER), (_SERVER, _ENDPOINTS)):
        if any(key_path[: len(named)] == named for key_path, _, _ in given):
            document.drop(instead_of)
    for key_path, value, origin in given:
        document.add(key_path, value, origin)
    return malformed


def parse_override(text: str) -> tuple[tuple[str, ...], object]:
    """The key and the value of "TABLE.KEY=VALUE". Raises ValueError with a whole sentence."""
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
    if tree != 0 or not 2 <= len(path) <= MAX_NESTING:
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
    # Text with a line end could have brought further keys along.
    return tree["value"] if len(tree) == 1 else text


def _printable(text: str) -> str:
    return text.encode(errors="backslashreplace").decode()


def _validate(document: Document, rules_hold: bool) -> tuple[Config, list[Problem]]:
    """The configuration, and every problem, contradictions too if `rules_hold`.

    With problems, keys that are wrong in themselves have their defaults in it.
    """
    problems = list(document.problems)
    known = {path for path, _ in document.values()}
    bad: set[KeyPath] = set()
    while True:
        try:
            config = Config.model_validate(document.without(bad))
            break
        except ValidationError as error:
            found = list(problems_in(error))
        # A table may be wrong only for lack of the key that was taken from it, which is no problem of its own.
        problems += [problem for problem in found if not any(_within(wrong, problem.paths[0]) for wrong in bad)]
        # Without the wrong keys, what is left can be held against itself, so that nothing is left to a second attempt.
        bad |= {_removable(problem.paths[0], known, bad) for problem in found}
    for contradiction in contradictions(config) if rules_hold else ():
        if not any(_within(path, wrong) for path in contradiction.paths for wrong in bad):
            problems.append(contradiction)
    return config, problems


def _within(path: KeyPath, outer: KeyPath) -> bool:
    return path[: len(outer)] == outer


def _removable(path: KeyPath, present: set[KeyPath], bad: set[KeyPath]) -> KeyPath:
    """The key to leave out for an error at `path`: itself, or the list or the table that it would have to be in."""
    names = tuple(part for part in path if isinstance(part, str))
    while names not in present or names in bad:
        assert names, "an empty document is valid"
        names = names[:-1]
    return names


def _in_order(problems: list[Problem], document: Document, source: str) -> list[str]:
    """Whole sentences, each with its place, in the order of the places."""
    placed = []
    for problem in problems:
        # Of contradicting keys, one that the user wrote is the one to look at.
        path = next((path for path in problem.paths if path in document.origins), problem.paths[0])
        exact = problem.origin or document.origins.get(path)
        origin = exact or document.origin(path)
        key = exact.key if exact else dotted(path)
        place = (origin.order, origin.where) if origin else ((-1, 0, 0), source)
        sentence = problem.sentence
        if origin is not None and origin.typed:
            # A shell takes quotes away.
            sentence = sentence.replace(", without quotes", "")
        # A flag says which key it is, and is what the user typed.
        placed.append((*place, sentence if origin is not None and origin.flag else f"{key}: {sentence}"))
    sentences = [_cut(f"{where}: {sentence}") for _, where, sentence in sorted(placed)]
    if len(sentences) > MOST_SHOWN:
        sentences[MOST_SHOWN:] = [f"{source}: and {len(sentences) - MOST_SHOWN:,} more problems"]
    return sentences


def _cut(sentence: str) -> str:
    return sentence if len(sentence) <= LONGEST_SHOWN else f"{sentence[:LONGEST_SHOWN]}…"
