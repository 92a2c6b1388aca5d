"""Templates of reports: text with fields, in the language of Jinja. It does not know what the fields mean.

A template is the user's own and may do as it likes with the fields, but not with the machine: it runs in Jinja's
sandbox. Every value is escaped for the kind of text that the template is, by the suffix of its name: Markdown, HTML or
XML, and plain text for all others.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from html import escape as html
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, Undefined, UndefinedError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from loadgen import escape
from loadgen.errors import UsageError
from loadgen.output.reports import templates
from loadgen.output.reports.templates import SHIPPED

MOST_BYTES = 1 << 20
_LONGEST = 2000
"""Characters of one value."""
_NAME = "<template>"

_ESCAPES: Mapping[str, Callable[[str, int], str]] = {
    ".md": escape.markdown,
    ".markdown": escape.markdown,
    ".html": lambda words, longest: html(escape.printable(words, longest)),
    ".htm": lambda words, longest: html(escape.printable(words, longest)),
    ".xml": lambda words, longest: html(escape.xml(words, longest)),
}


class Template:
    """A template that was read and parsed."""

    def __init__(self, name: str, *, shipped: bool = False) -> None:
        """Read the file of this name, else the template that comes with loadgen; `shipped`: that one in any case.

        Raises UsageError.
        """
        self._shown = escape.printable(name)
        escaped = _ESCAPES.get(Path(name).suffix.lower(), escape.printable)

        def finalized(value: object) -> object:
            # None is a field that does not apply here.
            return value if isinstance(value, Undefined) else escaped("-" if value is None else str(value), _LONGEST)

        environment = ImmutableSandboxedEnvironment(
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            finalize=finalized,
        )
        try:
            self._template = environment.from_string(_shipped(name) if shipped else _text(name, self._shown))
        except TemplateSyntaxError as error:
            raise UsageError(f"{self._shown}:{error.lineno}: {_sentence(error.message or 'is no template')}") from None

    def render(self, fields: Mapping[str, Any]) -> str:
        """Return the text. Raises UsageError for a field that there is not, and for whatever else goes wrong in it."""
        try:
            return self._template.render(fields)
        except UndefinedError as error:
            raise UsageError(f"{self._where(error)}: {_unknown(str(error), fields)}") from None
        except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError, RecursionError) as error:
            raise UsageError(f"{self._where(error)}: {_sentence(str(error) or type(error).__name__)}") from None

    def _where(self, error: Exception) -> str:
        """Return the file and, where it is known, the line of an error."""
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == _NAME]
        return f"{self._shown}:{lines[-1]}" if lines else self._shown


def _shipped(name: str) -> str:
    return resources.files(templates).joinpath(name).read_text("utf-8")


def _text(name: str, shown: str) -> str:
    path = Path(name)
    try:
        if not path.exists() and name in SHIPPED:
            return _shipped(name)
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise UsageError(f"{shown}: is larger than {MOST_BYTES >> 20} MiB, so it is no template.")
        return data.decode("utf-8-sig")
    except OSError as error:
        ship = " and ".join(SHIPPED)
        words = f"cannot be read ({error.strerror or error}); {ship} come with loadgen"
        raise UsageError(f"{shown}: {words}.") from None
    except UnicodeDecodeError:
        raise UsageError(f"{shown}: is not UTF-8, so it is no template.") from None


def _unknown(words: str, fields: Mapping[str, Any]) -> str:
    """Return a sentence for Jinja's "'x' is undefined", with the fields that there are."""
    quoted = words.split("'")[1::2]
    name = quoted[-1] if quoted else ""
    near = get_close_matches(name[:40], fields, n=1)
    shown = escape.printable(name, 60)
    if len(quoted) > 1:
        return f'there is no field "{shown}" there ({escape.printable(words, 200)}).'
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(fields))}."
    return f'there is no field "{shown}"; {hint}'


def _sentence(words: str) -> str:
    shown = escape.printable(words, 300)
    return shown if shown.endswith(".") else f"{shown}."
