"""The reason why no dashboard can be shown here."""

from __future__ import annotations

import codecs
import importlib
import os
import sys
from typing import TextIO

NO_TERMINAL = "the dashboard needs a terminal as standard input and output; plain text follows"
NO_UTF8 = "the dashboard needs a terminal with UTF-8; plain text follows"
NO_TEXTUAL = "the dashboard needs Textual, which is not installed: pip install 'loadgen[tui]'; plain text follows"


def obstacle() -> str:
    """Return why no dashboard can be shown, one of the sentences above; empty when a dashboard can be shown."""
    if not (_is_terminal(sys.stdin) and _is_terminal(sys.stdout)) or os.environ.get("TERM", "dumb") == "dumb":
        return NO_TERMINAL
    if codecs.lookup(sys.stdout.encoding).name != "utf-8":
        return NO_UTF8
    try:
        importlib.import_module("textual.app")
    except ImportError:
        return NO_TEXTUAL
    return ""


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and not stream.closed and stream.isatty()
