"""The corpus of a form: well-formed inputs that mutations begin with. They are shipped as `corpus/NAME.txt`.

An entry is a paragraph, whose lines have "\\n" between them. \\r, \\n, \\t, \\xHH and \\\\ are escapes. A line that
begins with # is a comment. In a form with words, an entry begins with one of them and a blank.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from loadgen.verify.fuzz.form import Form
from loadgen.verify.fuzz.piece import Item

FOLDER = Path(__file__).parent / "corpus"


@cache
def items(form: Form) -> tuple[Item, ...]:
    """Return the entries of a form's corpus."""
    return read((FOLDER / f"{form.name}.txt").read_text(encoding="utf-8"), form)


def read(text: str, form: Form) -> tuple[Item, ...]:
    """Return the entries of a text. Raises ValueError for an entry without its word."""
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    return tuple(_item(paragraph, form) for paragraph in re.split(r"\n{2,}", lines.strip("\n")))


def _item(paragraph: str, form: Form) -> Item:
    word, data = 0, paragraph
    if form.words:
        name, _, data = paragraph.partition("\n" if "\n" in paragraph else " ")
        word = form.words.index(name)
    # The bytes of UTF-8 pass through as they are.
    return Item(word, form.read(data.encode().decode("unicode_escape").encode("latin-1")))
