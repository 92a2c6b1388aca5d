"""Colour, and when to use it. It knows terminals and NO_COLOR, and does not know what is coloured."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TextIO


def wants_color(stream: TextIO | None, color: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Return True when `color` is `always`, or is `auto` on a terminal without NO_COLOR (no-color.org) or TERM=dumb."""
    if color != "auto":
        return color == "always"
    return stream is not None and stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


class Paint:
    """A painter of text in the 16 colours that every terminal's theme defines, or in none."""

    def __init__(self, on: bool) -> None:
        self._on = on

    def __call__(self, text: str, style: str) -> str:
        """Return the text in a style; `style` is in rich's words, such as `bold red`."""
        if not self._on or not text:
            return text
        from rich.color import ColorSystem
        from rich.style import Style

        return Style.parse(style).render(text, color_system=ColorSystem.STANDARD)
