"""Colour, and when there is any. Knows terminals and NO_COLOR; does not know what is coloured."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TextIO


def wants_color(stream: TextIO | None, color: str, environ: Mapping[str, str] = os.environ) -> bool:
    """`color` is `always`, `never`, or `auto`: on a terminal, unless NO_COLOR is set (no-color.org)."""
    if color != "auto":
        return color == "always"
    return stream is not None and stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


class Paint:
    """Text in the 16 colours that every terminal's theme defines, or plain text."""

    def __init__(self, on: bool) -> None:
        self._on = on

    def __call__(self, text: str, style: str) -> str:
        """`style` in rich's words, such as `bold red`."""
        if not self._on or not text:
            return text
        from rich.color import ColorSystem
        from rich.style import Style

        return Style.parse(style).render(text, color_system=ColorSystem.STANDARD)
