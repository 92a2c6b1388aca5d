"""The lines that the end of a run and of a search share: errors, accounts that do not add up, and the verdict."""

from __future__ import annotations

import textwrap

from loadgen.events import LoadEnded
from loadgen.output.paper.color import Paint
from loadgen.output.paper.layout import fact, facts, width
from loadgen.output.words import figures, sentences


def errors(event: LoadEnded, paint: Paint) -> list[str]:
    classes = [f"{name} {words}" for name, words in sentences.error_classes(event, figures.grouped).items()]
    lines = facts("errors", [sentences.errors(event, figures.grouped), *classes, *sentences.examples(event)])
    return [paint(line, "red") for line in lines] if event.measured.total.not_ok else lines


def balance(event: LoadEnded, paint: Paint) -> list[str]:
    return [paint(line, "bold red") for line in textwrap.wrap(sentences.accounts(event), width())]


def verdict(event: LoadEnded, paint: Paint) -> list[str]:
    style = "bold green" if event.valid else "bold red"
    return [
        *(paint(line, "yellow") for warning in sentences.warnings(event) for line in fact("warning", warning)),
        *(paint(line, style) for line in facts("verdict", sentences.verdict(event))),
    ]
